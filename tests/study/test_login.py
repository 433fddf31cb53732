"""Which server a study talks to."""

from pathlib import Path

import pytest

from study.login import embedded, named_by
from study.plan import StudyError
from tests.server import running


def test_without_a_login_in_the_environment_none_is_looked_for() -> None:
    assert named_by({"HOME": "/home/person", "PATH": "/bin"}) is None


def test_a_key_alone_means_the_cloud() -> None:
    server = named_by({"WANDB_API_KEY": "k" * 40})
    assert server is not None
    assert server.base_url == "https://api.wandb.ai"
    assert server.folder is None


def test_a_key_and_an_address_are_used_as_they_are() -> None:
    server = named_by({"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://gpu:8080"})
    assert server is not None
    assert server.login == {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://gpu:8080"}


def test_a_team_goes_with_a_login_and_is_nothing_without_one() -> None:
    server = named_by({"WANDB_API_KEY": "k", "WANDB_ENTITY": "lab"})
    assert server is not None
    assert server.login["WANDB_ENTITY"] == "lab"
    assert named_by({"WANDB_ENTITY": "lab", "WANDB_MODE": "offline"}) is None


def test_an_address_without_a_key_is_refused() -> None:
    with pytest.raises(StudyError, match="WANDB_BASE_URL is http://gpu but WANDB_API_KEY is not set"):
        named_by({"WANDB_BASE_URL": "http://gpu"})


def test_a_server_that_already_works_on_the_folder_is_used_and_left_running(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    with embedded(tmp_path / "data", running.ROOT) as found:
        assert found.base_url == server.url
        assert found.login["WANDB_API_KEY"] == server.key
    assert server.get("/ready")[0] == 200
    assert server.stop() == 0


def test_an_address_that_a_killed_server_left_behind_is_not_believed(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    server.stop(9)
    assert (tmp_path / "data" / "address").read_text().strip() == server.url
    with embedded(tmp_path / "data", running.ROOT) as found:
        assert found.base_url == (tmp_path / "data" / "address").read_text().strip()
        assert found.folder == tmp_path / "data"
    assert not (tmp_path / "data" / "address").exists()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wandb.sqlite").mkdir()
    with pytest.raises(StudyError, match=r"the embedded server did not start: server: .*data"):
        with embedded(tmp_path / "data", running.ROOT):
            pass
