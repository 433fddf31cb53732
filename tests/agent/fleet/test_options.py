"""Flags: one that means nothing beside the others is refused in one sentence, before a sweep is made."""

from pathlib import Path

import pytest

from agent.fleet import __main__ as fleet
from agent.fleet import sweep_setup

REFUSED = [
    ("X --jobs 4", "--jobs means something with --slurm or --kubernetes only"),
    ("X --gpus 0", "--gpus means something with --slurm or --kubernetes only"),
    ("X --cpus 2", "--cpus means something with --slurm or --kubernetes only"),
    ("X --partition gpu", "--partition means something with --slurm only"),
    ("X --time 1", "--time means something with --slurm only"),
    ("X --sbatch=--account=lab", "--sbatch means something with --slurm only"),
    ("X --image lab/bench:1", "--image means something with --kubernetes only"),
    ("X --kubernetes job.yaml --image i --time 1", "--time means something with --slurm only"),
    ("X --slurm --kubernetes job.yaml", "take one of them"),
    ("X --slurm --image i", "--image means something with --kubernetes only"),
    ("X --slurm --agents 2", "--agents is for this machine; with --slurm, --cpus"),
    ("X --slurm --events", "--events is for this machine; with --slurm"),
    ("X --agents 2 --per-gpu 1", "those of each GPU: take one of them"),
    ("X --slurm --requeue", "--requeue is for this machine"),
    ("X --slurm --per-gpu 2", "--per-gpu needs --gpus"),
    ("X --slurm --gpus 0 --per-gpu auto", "--per-gpu needs --gpus"),
    ("X --kubernetes job.yaml", "--kubernetes needs --image"),
    ("X --kubernetes . --image i", "--kubernetes cannot write ."),
    ("X --kubernetes no/job.yaml --image i", "--kubernetes cannot write no/job.yaml"),
    ("X --slurm", "--slurm needs sbatch, which is not on this machine"),
    ("X --slurm --sbatch account=lab", "'account=lab' is no option of sbatch"),
    ("X --requeue", "--requeue is for jobs of Slurm"),
    ("X --per-gpu 1", "--per-gpu needs a GPU, and this machine shows none"),
    ("X --per-gpu two", "--per-gpu: 'two' is not a whole number from 1 on, or auto"),
    ("X --per-gpu", "--per-gpu: expected one argument"),
    ("X --agents 0", "--agents: '0' is not a whole number from 1 on"),
    ("X --agents ²", "--agents: '²' is not a whole number from 1 on"),
    ("X --gpus -1", "--gpus: '-1' is not a whole number from 0 on"),
    ("--jbos 4 X", "there is no flag --jbos; did you mean --jobs?"),
    ("X --job 4", "there is no flag --job; did you mean --jobs?"),
    ("a.yaml b.yaml", "a fleet works on one sweep, and b.yaml is a second"),
    ("", "which SWEEP?"),
    ("a/b/c --new", "--new makes a sweep from a YAML file, and a/b/c is none"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_obeyed_is_one_sentence(
    words: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(sweep_setup, "login", lambda: pytest.fail("it went on"))
    assert fleet.main(words.split()) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.fleet: ")
    assert sentence in line


@pytest.mark.parametrize(
    ("name", "value"), [("WANDB_MODE", "offline"), ("WANDB_MODE", "dryrun"), ("WANDB_MODE", "disabled"),
                        ("WANDB_DISABLED", "true"), ("WANDB_DISABLED", "1")]
)  # fmt: skip
def test_a_fleet_does_not_start_where_its_runs_would_be_silent(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert fleet.main(["X"]) == 2
    assert capsys.readouterr().err.startswith(f"agent.fleet: {name}={value}: the server of a sweep would hear")
