"""Which server a study talks to."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from study.login import Server, browser_link, check, embedded, named_by
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


def test_an_address_has_no_slash_at_its_end_whatever_the_environment_says() -> None:
    server = named_by({"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://gpu:8080//"})
    assert server is not None
    assert server.base_url == server.login["WANDB_BASE_URL"] == "http://gpu:8080"
    with pytest.raises(StudyError, match="WANDB_BASE_URL: 'gpu:8080' is no address"):
        named_by({"WANDB_API_KEY": "k", "WANDB_BASE_URL": "gpu:8080"})


def test_an_address_without_a_key_is_refused() -> None:
    with pytest.raises(StudyError, match="WANDB_BASE_URL is http://gpu but WANDB_API_KEY is not set"):
        named_by({"WANDB_BASE_URL": "http://gpu"})


class Answers(BaseHTTPRequestHandler):
    """Answers every question with the status that is the port's own `status`."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"data": {}}')

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def answering(status: int) -> Iterator[Server]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.status = status  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(f"http://127.0.0.1:{server.server_port}/", {"WANDB_API_KEY": "k" * 40}, None)
        server.shutdown()
        thread.join()


def test_a_server_that_takes_the_key_passes_and_a_proxy_is_not_asked_for_what_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(200) as server:
        check(server)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuses this WANDB_API_KEY: correct it, or unset WANDB_BASE_URL and WANDB_API_KEY"),
        (404, r"answers 404: .*correct WANDB_BASE_URL, or unset"),
        (503, "answers 503: start the server, or unset"),
    ],
)
def test_a_server_that_says_no_is_told(status: int, sentence: str) -> None:
    with answering(status) as server, pytest.raises(StudyError, match=sentence):
        check(server)


def test_a_server_that_already_works_on_the_folder_is_used_and_left_running(tmp_path: Path) -> None:
    server = running.start(tmp_path / "data")
    with embedded(tmp_path / "data", running.ROOT) as found:
        assert found.base_url == server.url
        assert found.login["WANDB_API_KEY"] == server.key
    assert server.get("/ready")[0] == 200
    assert server.stop() == 0


def test_a_browser_is_logged_in_once_by_the_link_to_the_embedded_server(tmp_path: Path) -> None:
    with embedded(tmp_path / "data", running.ROOT) as found:
        link = browser_link(found, "/local/p/sweeps/s", running.ROOT)
        assert link.startswith(f"{found.base_url}/login?once=")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unfollowed())
        for status, place in ((303, "/local/p/sweeps/s"), (403, None)):
            with pytest.raises(urllib.error.HTTPError) as answer:
                opener.open(link)
            assert (answer.value.status, answer.value.headers["location"]) == (status, place)
            answer.value.close()
    cloud = Server("https://api.wandb.ai", {}, None)
    assert browser_link(cloud, "/e/p", running.ROOT) == "https://api.wandb.ai/e/p"


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


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
