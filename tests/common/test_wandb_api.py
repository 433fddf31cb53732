"""One question to a W&B server: which address is one, who is asked, and what each answer means."""

import socket
from collections.abc import Iterator

import pytest

from common.wandb_api import (
    BadAddress,
    KeyRefused,
    NotFound,
    RequestRefused,
    ServerUnavailable,
    check_answers,
    graphql,
    is_loopback,
    server_address,
)
from tests.canned import Answer, Canned, canned


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        (" https://api.wandb.ai// ", "https://api.wandb.ai"),
        ("HTTP://Host/base/", "http://Host/base"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_has_one_form(text: str, address: str) -> None:
    assert server_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "/", "host", "host:80", "ftp://host", "http://", "http://host:x", "http://host:99999"]
)
def test_what_is_no_address_is_one_sentence(text: str) -> None:
    with pytest.raises(BadAddress, match="is no address of a server"):
        server_address(text)


HERE = ["http://localhost:1", "http://web.localhost:1", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]"]
ELSEWHERE = ["http://localhost.example.org", "https://api.wandb.ai", "http://login1:8080", "http://10.0.0.1"]


def test_loopback_is_known_in_all_its_forms() -> None:
    assert [address for address in HERE + ELSEWHERE if is_loopback(address)] == HERE


@pytest.fixture
def server() -> Iterator[Canned]:
    with canned() as made:
        yield made


def ask(server: Canned, body: bytes, status: int = 200) -> object:
    server.answers = [Answer(status, body)]
    return graphql(f"{server.url}/", "k" * 40, "query { viewer { id } }")


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_is_not_asked_for_what_is_on_this_machine(
    server: Canned, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    assert ask(server, b'{"data": {"viewer": null}}') == {"viewer": None}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        *((200, body, ServerUnavailable) for body in (b"<html>", b"", b"[]", b"null", b"7", b"{}", b'{"data": 3}')),
        (200, b"[" * 10**5, ServerUnavailable),
        (200, b'{"errors": [{"message": "no such field"}]}', RequestRefused),
        (200, b'{"errors": "no"}', RequestRefused),
        (401, b"", KeyRefused),
        (403, b"", KeyRefused),
        (404, b"", NotFound),
        (400, b"", RequestRefused),
        (429, b"", ServerUnavailable),
        (502, b"<html>", ServerUnavailable),
    ],
)
def test_each_kind_of_answer_has_its_error(server: Canned, status: int, body: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        ask(server, body, status)
    assert type(raised.value) is kind


def test_a_port_where_nobody_listens_is_no_answer(server: Canned) -> None:
    server.server_close()
    with pytest.raises(ServerUnavailable, match="no answer from"):
        graphql(server.url, "k", "query { viewer { id } }")


def test_any_http_answer_counts_as_a_server() -> None:
    with canned(Answer(404)) as server:
        check_answers(server.url)


def test_a_port_where_nobody_listens_is_one_sentence_that_names_make_serve() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ServerUnavailable, match="make serve") as refusal:
            check_answers(url)
    assert url in str(refusal.value)
