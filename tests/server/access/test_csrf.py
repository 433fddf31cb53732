"""Requests that a web site makes somebody's browser send are not carried out."""

import pytest

from tests.server.running import Server

QUERY = b'{"query": "mutation { upsertModel(input: {name: \\"forged\\"}) { inserted } }"}'
TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json-x", ""]


def made(server: Server) -> bool:
    return "forged" in str(server.graphql("{ models { edges { node { name } } } }"))


@pytest.mark.parametrize("kind", TYPES)
def test_a_body_that_a_form_can_send_is_no_json(server: Server, kind: str) -> None:
    for path in ("/graphql", "/files/local/http/r/file_stream"):
        status, body = server.send("POST", path, QUERY, Content_Type=kind, Authorization=server.basic())
        assert (status, b"Content-Type must be application/json" in body) == (400, True)
    assert not made(server)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "http://[x"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_site_changes_nothing(server: Server, headers: dict[str, str]) -> None:
    key = server.basic()
    assert server.post("/graphql", QUERY, Authorization=key, **headers)[0] == 403
    for method, path in (("POST", "/files/a/b/c/file_stream"), ("PUT", "/storage/run-files/1/a"), ("DELETE", "/")):
        assert server.send(method, path, b"{}", Authorization=key, **headers)[0] == 403
    assert not made(server)
    assert server.get("/", **headers)[0] == 200, "a link from another site opens a page"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8"])
def test_the_client_and_this_servers_own_address_are_no_other_site(server: Server, kind: str) -> None:
    own: list[dict[str, str]] = [{}, {"Origin": server.url, "Sec_Fetch_Site": "same-origin"}]
    own += [{"Origin": "https://bench.lab", "Host": "bench.lab"}]  # behind a proxy that speaks TLS
    for headers in own:
        status, body = server.send(
            "POST",
            "/graphql",
            b'{"query": "{ viewer { id } }"}',
            Content_Type=kind,
            Authorization=server.basic(),
            **headers,
        )
        assert (status, b'"viewer"' in body) == (200, True), (headers, body)
