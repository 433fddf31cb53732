import json
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from analysis import AnalysisError, cli, table
from analysis.comparison.comparison import Comparison
from analysis.figures import files
from analysis.pull.study import Study
from analysis.report.__main__ import write as write_report
from tests.analysis.studies import MODELS, study

ROOT = Path(__file__).parents[2]
COMMANDS = ["analysis", "analysis.table", "analysis.figures"]


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with `arguments` in an empty folder and without any W&B settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_without_a_path_and_a_last_study_every_command_says_so_in_one_line_and_exits_1(tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"for module in {COMMANDS}:\n"
        "    sys.argv = [module]\n"
        "    try:\n"
        "        runpy.run_module(module, run_name='__main__')\n"
        "    except SystemExit as stop:\n"
        "        print(stop.code)\n"
    )
    done = run_python(tmp_path, "-W", "ignore", "-c", code)
    assert done.stdout.split() == ["1"] * len(COMMANDS)
    for line, module in zip(done.stderr.splitlines(), COMMANDS, strict=True):
        assert line.startswith(f"python -m {module}: ")
        assert "run `make study`" in line


def test_a_missing_key_neither_prompts_nor_hangs(tmp_path: Path) -> None:
    done = run_python(tmp_path, "-m", "analysis.table", "lab/puzzle")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "set WANDB_API_KEY" in done.stderr


def test_a_last_study_whose_server_is_gone_names_make_serve(tmp_path: Path) -> None:
    (tmp_path / "results/latest").mkdir(parents=True)
    (tmp_path / "api-key").write_text("k" * 40)
    content = {"paths": ["lab/puzzle"], "base_url": "http://127.0.0.1:9", "server_dir": "."}
    (tmp_path / "results/latest/study.json").write_text(json.dumps(content))
    done = run_python(tmp_path, "-m", "analysis.table")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "make serve" in done.stderr


def test_no_command_loads_what_it_does_not_need(tmp_path: Path) -> None:
    code = (
        "import sys, analysis.table, analysis.figures.files;"
        "print({'torch', 'wandb', 'seaborn', 'matplotlib.pyplot', 'agent', 'server'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "set()\n"


report = partial(write_report, photographs=True)


def fake_pull(paths: list[str]) -> Study:
    return study(models=MODELS[:1])


def write_one(made: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    (out / "one.txt").write_text(command)
    return [out / "one.txt"]


def test_what_was_written_is_printed_and_the_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull)
    out = tmp_path / "a" / "b"
    assert cli.main("python -m analysis", "words", [write_one], ["lab/puzzle", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out / 'one.txt'}\n"
    assert (out / "one.txt").read_text() == "python -m analysis lab/puzzle"


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        ([], "results/latest"),
        (["lab/puzzle"], "results/puzzle"),
        (["lab/puzzle/s1"], "results/puzzle-s1"),
        (["https://wandb.ai/lab/puzzle/sweeps/s1"], "results/puzzle-s1"),
        (["lab/puzzle/s1", "lab/puzzle/s2"], "results/puzzle-s1-s2"),
        (["lab/puzzle", "lab/cells/s1"], "results/puzzle-cells-s1"),
        (["lab/latest"], "results/lab-latest"),
        (["lab/server"], "results/lab-server"),
        (["lab/..%2F..%2Fmy puzzle"], "results/_.._my_puzzle"),
        (["lab/..."], "results/_"),
    ],
)
def test_results_lie_where_their_path_says_and_in_latest_only_without_one(paths: list[str], folder: str) -> None:
    assert cli.default_folder(paths) == Path(folder)


def test_many_paths_make_a_name_that_a_file_system_takes_and_other_paths_another() -> None:
    many = [f"lab/puzzle/sweep{i:03d}" for i in range(100)]
    names = {cli.default_folder(paths).name for paths in (many, many[:99])}
    assert len(names) == 2
    assert {len(name) for name in names} == {100}


def test_a_path_given_leaves_the_last_study_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull)
    monkeypatch.chdir(tmp_path)
    assert cli.main("p", "words", [write_one], ["lab/puzzle/s1"]) == 0
    assert [file.name for file in (tmp_path / "results").iterdir()] == ["puzzle-s1"]
    assert (tmp_path / "results/puzzle-s1/one.txt").is_file()


def test_an_out_that_is_a_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull)
    (tmp_path / "file").write_text("")
    assert cli.main("p", "words", [write_one], ["a/b", "--out", str(tmp_path / "file")]) == 1
    assert "give another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("writer", "name"), [(table.write, "comparison.csv"), (files.write, "intervals.png"), (report, "report.html")]
)
def test_a_file_that_cannot_be_written_is_one_sentence_that_names_it(
    writer: cli.Writer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull)
    (tmp_path / name).mkdir()
    assert cli.main("p", "words", [writer], ["a/b", "--out", str(tmp_path)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"p: {tmp_path / name} cannot be written (Is a directory): make room or give another --out."
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("writer", [table.write, files.write, report])
def test_a_disk_that_is_full_leaves_the_files_that_were_there(
    writer: cli.Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`capsys` keeps what is printed in memory, where the limit does not reach it."""
    monkeypatch.setattr(cli, "pull", fake_pull)
    assert cli.main("p", "words", [writer], ["a/b", "--out", str(tmp_path)]) == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        assert cli.main("p", "words", [writer], ["a/b", "--out", str(tmp_path)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert "(File too large): make room" in capsys.readouterr().err


def test_a_sentence_from_a_writer_is_printed_after_what_was_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(made: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
        raise AnalysisError("no masks to draw.")

    monkeypatch.setattr(cli, "pull", fake_pull)
    assert cli.main("p", "words", [write_one, refuse], ["a/b", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "one.txt" in captured.out
    assert captured.err.splitlines()[-1] == "p: no masks to draw."


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(paths: list[str]) -> Study:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "pull", interrupted)
    assert cli.main("p", "words", [write_one], ["a/b"]) == 130
