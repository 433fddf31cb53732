"""Which server a study talks to."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from study.plan import StudyError
from study.server import Server, browser_link, check, embedded_server, server_of_environment
from tests.canned import Answer, canned
from tests.server import running

LOGIN = {"WANDB_API_KEY": "k" * 40}


@pytest.mark.parametrize(
    ("environ", "login"),
    [
        ({"WANDB_API_KEY": "k"}, {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "https://api.wandb.ai"}),
        (
            {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://gpu:8080//", "WANDB_ENTITY": "lab", "HOME": "/home/me"},
            {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://gpu:8080", "WANDB_ENTITY": "lab"},
        ),
    ],
)
def test_a_login_of_the_environment_is_used_and_a_key_alone_means_the_cloud(
    environ: dict[str, str], login: dict[str, str]
) -> None:
    assert server_of_environment(environ) == Server(login["WANDB_BASE_URL"], login, None)


def test_without_a_login_in_the_environment_none_is_looked_for() -> None:
    assert server_of_environment({"WANDB_ENTITY": "lab", "WANDB_MODE": "offline", "PATH": "/bin"}) is None


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(StudyError, match="WANDB_BASE_URL: 'gpu:8080' is no address"):
        server_of_environment({"WANDB_API_KEY": "k", "WANDB_BASE_URL": "gpu:8080"})


def test_an_address_without_a_key_is_refused() -> None:
    with pytest.raises(StudyError, match="http://gpu but WANDB_API_KEY is not set"):
        server_of_environment({"WANDB_BASE_URL": "http://gpu"})


def test_a_server_that_takes_the_key_passes_and_a_proxy_is_not_asked_for_what_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with canned(Answer(200, b'{"data": {}}')) as server:
        check(Server(server.url + "/", LOGIN, None))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "WANDB_API_KEY: .*unset WANDB_BASE_URL and WANDB_API_KEY"),
        (404, "404: .*correct WANDB_BASE_URL"),
        (503, "503: start the server"),
    ],
)
def test_a_server_that_says_no_is_told(status: int, sentence: str) -> None:
    with canned(Answer(status)) as server, pytest.raises(StudyError, match=sentence):
        check(Server(server.url, LOGIN, None))


def test_a_server_that_already_works_on_the_folder_is_used_and_left_running(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    with embedded_server(tmp_path / "data") as found:
        assert found.base_url == server.url
        assert found.login["WANDB_API_KEY"] == server.key
    assert server.get("/ready")[0] == 200
    assert server.stop() == 0


def test_a_browser_is_logged_in_once_by_the_link_to_the_embedded_server(tmp_path: Path) -> None:
    with embedded_server(tmp_path / "data") as found:
        link = browser_link(found, "/local/p/sweeps/s")
        assert link.startswith(f"{found.base_url}/login?once=")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unfollowed())
        for status, place in ((303, "/local/p/sweeps/s"), (403, None)):
            with pytest.raises(urllib.error.HTTPError) as answer:
                opener.open(link)
            assert (answer.value.status, answer.value.headers["location"]) == (status, place)
            answer.value.close()
    cloud = Server("https://api.wandb.ai", {}, None)
    assert browser_link(cloud, "/e/p") == "https://api.wandb.ai/e/p"


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def test_an_address_that_a_killed_server_left_behind_is_not_believed(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    server.stop(9)
    assert (tmp_path / "data" / "address").read_text().strip() == server.url
    with embedded_server(tmp_path / "data") as found:
        assert found.base_url == (tmp_path / "data" / "address").read_text().strip()
        assert found.folder == tmp_path / "data"
    assert not (tmp_path / "data" / "address").exists()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wandb.sqlite").mkdir()
    with pytest.raises(StudyError, match=r"embedded server did not start.*data"):
        with embedded_server(tmp_path / "data"):
            pass
