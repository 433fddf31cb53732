"""`make report` and `make notebooks` find the embedded server of a study even when it is stopped."""

from pathlib import Path

import pytest

from common.study_record import StudyRecord
from study import with_server
from tests.server import running


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def record(results: Path, name: str, path: str, server_dir: str | None) -> StudyRecord:
    (results / name).mkdir()
    made = StudyRecord((path,), "http://127.0.0.1:1", server_dir)
    made.save(results / name)
    return made


def test_the_server_of_a_study_answers_while_the_command_runs(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    server.stop()
    study = record(tmp_path, "latest", "local/puzzle/s1", str(tmp_path / "data"))
    with with_server.embedded_servers([study, study]):
        assert study.address != "http://127.0.0.1:1"
        assert study.key == server.key
    assert not (tmp_path / "data" / "address").exists()


@pytest.mark.parametrize("server_dir", [None, "gone"])
def test_without_an_embedded_server_nothing_is_started(tmp_path: Path, server_dir: str | None) -> None:
    with with_server.embedded_servers([record(tmp_path, "latest", "local/puzzle/s1", server_dir)]):
        assert [each.name for each in tmp_path.iterdir()] == ["latest"]


def test_the_study_whose_sweep_is_named_is_meant_else_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = record(tmp_path, "latest", "local/puzzle/s1", "a")
    older = record(tmp_path, "older", "local/puzzle/s2", "b")
    assert with_server.find_records([], tmp_path) == [latest]
    assert with_server.find_records(["--wandb", "local/puzzle/s2"], tmp_path) == [older]
    assert with_server.find_records(["local/puzzle/s2", "local/puzzle/s1"], tmp_path) == [older, latest]
    assert with_server.find_records(["local/puzzle"], tmp_path) == [latest]
    assert with_server.find_records([str(tmp_path)], tmp_path) == []
    assert with_server.find_records([str(tmp_path), "local/puzzle/s2"], tmp_path) == [older]
    assert with_server.find_records(["--out", str(tmp_path), "--margin", "0.02"], tmp_path) == [latest]
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert with_server.find_records([], tmp_path) == [latest]
    assert with_server.find_records(["--margin", "0.02"], tmp_path) == [latest]
    assert with_server.find_records(["lab/puzzle/elsewhere"], tmp_path) == []


@pytest.mark.parametrize("content", ["{", "[1]", "{}"])
def test_a_record_that_cannot_be_understood_starts_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "study.json").write_text(content)
    assert with_server.find_records([], tmp_path) == []


def test_the_exit_status_is_that_of_the_command(tmp_path: Path) -> None:
    assert with_server.main(["analysis.report", "nonsense"], tmp_path) == 1


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["this"], 2)])
def test_help_is_help_and_another_command_is_refused(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        with_server.main(arguments)
    assert end.value.code == status
    assert "analysis.notebooks" in "".join(capsys.readouterr())
