"""Which server a study talks to."""

import pytest

from study.login import named_by
from study.plan import StudyError


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


def test_an_address_without_a_key_is_refused() -> None:
    with pytest.raises(StudyError, match="WANDB_BASE_URL is http://gpu but WANDB_API_KEY is not set"):
        named_by({"WANDB_BASE_URL": "http://gpu"})
