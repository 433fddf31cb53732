import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from analysis import AnalysisError
from analysis.login import (
    LastStudy,
    Login,
    RunsPath,
    check_server,
    choose_login,
    choose_paths,
    last_study,
    parse_path,
)

LOCAL = "http://127.0.0.1:8080"
PATHS = [RunsPath("lab", "puzzle")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lab/puzzle", RunsPath("lab", "puzzle")),
        ("lab/puzzle/ab12cd34", RunsPath("lab", "puzzle", "ab12cd34")),
        ("lab/puzzle/sweeps/ab12cd34", RunsPath("lab", "puzzle", "ab12cd34")),
        ("https://wandb.ai/lab/puzzle", RunsPath("lab", "puzzle", None, "https://api.wandb.ai")),
        (
            "https://wandb.ai/lab/puzzle/workspace?nw=x",
            RunsPath("lab", "puzzle", None, "https://api.wandb.ai"),
        ),
        (f"{LOCAL}/lab/my%20puzzle/sweeps/ab12cd34", RunsPath("lab", "my puzzle", "ab12cd34", LOCAL)),
    ],
)
def test_a_path_or_a_web_address_names_a_project_or_a_sweep(text: str, expected: RunsPath) -> None:
    assert parse_path(text) == expected


@pytest.mark.parametrize(
    "text", ["", "puzzle", "lab/puzzle/runs/ab12cd34", "lab/puzzle/sweeps", "a/b/c/d", LOCAL]
)
def test_anything_else_is_refused_in_one_sentence_that_shows_the_forms(text: str) -> None:
    with pytest.raises(AnalysisError, match="ENTITY/PROJECT/SWEEP") as refusal:
        parse_path(text)
    assert repr(text) in str(refusal.value)


def test_without_a_path_the_last_study_is_meant() -> None:
    assert choose_paths([], LastStudy(("lab/puzzle/s1", "lab/puzzle/s2"))) == [
        RunsPath("lab", "puzzle", "s1"),
        RunsPath("lab", "puzzle", "s2"),
    ]


def test_a_path_given_goes_before_the_last_study() -> None:
    assert choose_paths(["a/b"], LastStudy(("lab/puzzle",))) == [RunsPath("a", "b")]


@pytest.mark.parametrize("study", [None, LastStudy()])
def test_no_path_and_no_last_study_is_one_sentence(study: LastStudy | None) -> None:
    with pytest.raises(AnalysisError, match="make study"):
        choose_paths([], study)


def test_addresses_on_two_servers_are_refused() -> None:
    with pytest.raises(AnalysisError, match="one server at a time"):
        choose_paths(["https://wandb.ai/a/b", f"{LOCAL}/a/b"], None)


def test_study_json_is_read(tmp_path: Path) -> None:
    content = {"paths": ["lab/puzzle/s1"], "base_url": LOCAL, "server_dir": "here"}
    (tmp_path / "study.json").write_text(json.dumps(content))
    assert last_study(tmp_path) == LastStudy(("lab/puzzle/s1",), LOCAL, Path("here"))


def test_a_missing_study_json_is_no_study(tmp_path: Path) -> None:
    assert last_study(tmp_path) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"paths": 3}'])
def test_a_broken_study_json_is_named_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(AnalysisError, match=r"study\.json should hold"):
        last_study(tmp_path)


@pytest.fixture
def embedded(tmp_path: Path) -> LastStudy:
    """A last study on the embedded server, whose key is in its folder."""
    (tmp_path / "api-key").write_text("server-key\n")
    return LastStudy(("lab/puzzle",), LOCAL, tmp_path)


def test_the_environment_names_server_and_key() -> None:
    environ = {"WANDB_BASE_URL": "http://other/", "WANDB_API_KEY": "env-key"}
    assert choose_login(PATHS, environ, None, default_paths=False) == Login("http://other", "env-key")


def test_a_key_alone_means_the_cloud_even_after_a_local_study(embedded: LastStudy) -> None:
    assert choose_login(PATHS, {"WANDB_API_KEY": "env-key"}, embedded, default_paths=False) == Login(
        None, "env-key"
    )


def test_an_empty_environment_means_the_last_studys_server(embedded: LastStudy) -> None:
    assert choose_login(PATHS, {}, embedded, default_paths=False) == Login(LOCAL, "server-key")


def test_the_last_study_is_read_from_its_own_server_with_its_own_key(embedded: LastStudy) -> None:
    environ = {"WANDB_API_KEY": "cloud-key"}
    assert choose_login(PATHS, environ, embedded, default_paths=True) == Login(LOCAL, "server-key")


def test_the_last_studys_server_named_without_a_key_finds_its_key(embedded: LastStudy) -> None:
    environ = {"WANDB_BASE_URL": LOCAL + "/"}
    assert choose_login(PATHS, environ, embedded, default_paths=False) == Login(LOCAL, "server-key")


def test_an_address_names_the_server_where_the_environment_does_not() -> None:
    paths = [RunsPath("a", "b", None, "https://api.wandb.ai")]
    login = choose_login(paths, {"WANDB_API_KEY": "env-key"}, None, default_paths=False)
    assert login == Login("https://api.wandb.ai", "env-key")


@pytest.mark.parametrize("environ", [{}, {"WANDB_BASE_URL": "http://other"}])
def test_a_missing_key_is_one_sentence(environ: dict[str, str]) -> None:
    with pytest.raises(AnalysisError, match="set WANDB_API_KEY"):
        choose_login(PATHS, environ, LastStudy(("a/b",), LOCAL, Path("nowhere")), default_paths=False)


class Refuse(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output quiet."""


@pytest.fixture
def web_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_any_http_answer_counts_as_a_server(web_server: str) -> None:
    check_server(web_server)


def test_a_port_where_nobody_listens_is_one_sentence_that_names_make_serve() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(AnalysisError, match="make serve") as refusal:
            check_server(url)
    assert url in str(refusal.value)


def test_a_base_url_without_http_is_refused() -> None:
    with pytest.raises(AnalysisError, match="http://"):
        check_server("127.0.0.1:8080")
