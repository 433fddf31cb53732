"""`make report` and `make notebooks` find the embedded server of the last study even when it is stopped."""

import json
from pathlib import Path

import pytest

from study import look
from tests.server import running


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def recorded(folder: Path, content: object) -> Path:
    file = folder / "study.json"
    file.write_text(json.dumps(content))
    return file


def test_the_embedded_server_of_the_last_study_runs_while_the_command_does(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    server.stop()
    with look.logged_in(recorded(tmp_path, {"server_dir": str(tmp_path / "data")}), {}) as login:
        assert login["WANDB_API_KEY"] == server.key
        assert (tmp_path / "data" / "address").read_text().strip() == login["WANDB_BASE_URL"]
    assert not (tmp_path / "data" / "address").exists()


@pytest.mark.parametrize("content", [{"paths": ["a/b"]}, {"server_dir": None}, {"server_dir": "gone"}, [1]])
def test_without_an_embedded_server_nothing_is_started(tmp_path: Path, content: object) -> None:
    with look.logged_in(recorded(tmp_path, content), {}) as login:
        assert login == {}


def test_a_login_of_the_environment_comes_first(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    record = recorded(tmp_path, {"server_dir": str(tmp_path / "data")})
    with look.logged_in(record, {"WANDB_API_KEY": "k" * 40}) as login:
        assert login == {}
    assert list((tmp_path / "data").iterdir()) == []


def test_the_exit_status_is_that_of_the_command(tmp_path: Path) -> None:
    assert look.main(["analysis.report", "nonsense"], tmp_path) == 1
    assert look.main(["this", "--help"], tmp_path) == 0
