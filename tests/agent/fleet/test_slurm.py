"""What is asked of Slurm, with small programs in the place of its own; tests/slurm has the real one."""

import subprocess
from pathlib import Path

import pytest

from agent.fleet.cluster import slurm
from agent.fleet.cluster.slurm import Jobs, SlurmError

ROOT, LOGS = Path("/bench checkout"), Path("/shared/logs")


def program(folder: Path, name: str, code: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{code}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def options(script: str) -> dict[str, str]:
    lines = [line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_script_asks_for_what_the_options_say() -> None:
    jobs = Jobs(n=3, partition="gpu", gpus=2, cpus=8, time="04:00:00", more=("--account=lab",))
    found = options(slurm.script("team/puzzle/abc", jobs, ROOT, LOGS))
    assert found["array"] == "0-2"
    assert (found["partition"], found["gres"], found["cpus-per-task"]) == ("gpu", "gpu:2", "8")
    assert (found["time"], found["account"]) == ("04:00:00", "lab")
    assert found["chdir"] == "/bench checkout"


def test_a_job_is_warned_a_minute_before_its_limit_and_may_be_put_back() -> None:
    found = options(slurm.script("team/puzzle/abc", Jobs(), ROOT, LOGS))
    assert found["signal"] == "B:TERM@60"
    assert "requeue" in found
    assert found["open-mode"] == "append"


@pytest.mark.parametrize(
    ("gpus", "per_gpu", "end"),
    [(0, 1, "--requeue"), (1, 2, "--requeue --per-gpu=2"), (1, None, "--requeue --per-gpu=auto")],
)
def test_the_script_becomes_the_fleet(gpus: int, per_gpu: int | None, end: str) -> None:
    script = slurm.script("team/puzzle/abc", Jobs(gpus=gpus), ROOT, LOGS, per_gpu)
    last = script.splitlines()[-1]
    assert last.startswith("exec ")
    assert last.endswith(f"-m agent.fleet team/puzzle/abc {end}")
    assert ("export CUDA_VISIBLE_DEVICES=\n" in script) == (gpus == 0)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize("option", ["account=lab", "--account=lab\nrm -r /"])
def test_what_is_no_option_of_sbatch_is_refused(option: str) -> None:
    with pytest.raises(SlurmError, match="no option of sbatch"):
        slurm.script("team/puzzle/abc", Jobs(more=(option,)), ROOT, LOGS)


def test_a_machine_without_slurm_is_told_in_one_sentence(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(SlurmError, match="login node"):
        slurm.check_cluster("")


def test_a_slurm_that_does_not_answer_or_lacks_the_partition_is_told_before_a_sweep_is_made(programs: Path) -> None:
    program(programs, "sbatch", "exit 1")
    program(programs, "sinfo", "echo 'sinfo: error: no slurm.conf' >&2; exit 1")
    with pytest.raises(SlurmError, match=r"^Slurm does not answer here: sinfo: error: no slurm\.conf$"):
        slurm.check_cluster("")
    program(programs, "sinfo", "printf 'gpu\\ngpu\\ncpu\\n'")
    for partition in ("", "gpu", "cpu,gpu"):
        slurm.check_cluster(partition)
    with pytest.raises(SlurmError, match=r"^--partition: Slurm has no debug; it has cpu, gpu$"):
        slurm.check_cluster("gpu,debug")


def test_the_id_of_the_job_comes_back_and_the_service_of_the_client_is_not_inherited(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SERVICE", "a socket that goes away")
    monkeypatch.setenv("WANDB_PROJECT", "puzzle")
    program(programs, "sbatch", 'env > "$(dirname "$2")/env"; echo "12;cluster"')
    assert slurm.submit("#!/bin/bash\n", programs / "job") == "12"
    inherited = (programs / "job" / "env").read_text()
    assert "WANDB_PROJECT=puzzle" in inherited
    assert "WANDB_SERVICE" not in inherited


def test_the_reason_of_sbatch_is_told(programs: Path) -> None:
    program(programs, "sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1")
    with pytest.raises(SlurmError, match="invalid partition"):
        slurm.submit("#!/bin/bash\n", programs / "job")


ELEMENT = {"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.mark.parametrize(
    ("state", "scontrol", "words", "asked"),
    [
        ("RUNNING", "", "job 12_3 goes back", "requeue 12_3\n"),
        ("RUNNING", "echo 'requeue is disabled' >&2; exit 1", "could not be put back: requeue", "requeue 12_3\n"),
        *((state, "", "is not put back from here", "") for state in ("COMPLETING", "CANCELLED", "PENDING")),
    ],
)
def test_the_element_of_the_array_goes_back_into_the_queue_unless_slurm_ends_it_already(
    state: str, scontrol: str, words: str, asked: str, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (programs / "told").touch()
    program(programs, "squeue", f'echo "$@" > $(dirname $0)/asked; echo {state}')
    program(programs, "scontrol", f'echo "$@" > $(dirname $0)/told\n{scontrol}')
    slurm.requeue(ELEMENT)
    assert words in capsys.readouterr().out
    assert (programs / "told").read_text() == asked
    assert "--jobs=12_3" in (programs / "asked").read_text()


def test_outside_of_slurm_nothing_goes_back_into_a_queue(capsys: pytest.CaptureFixture[str]) -> None:
    slurm.requeue({})
    assert "no Slurm job" in capsys.readouterr().out
