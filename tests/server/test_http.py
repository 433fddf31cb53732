"""Requests from outside: keys, signed addresses, odd requests, other hosts' names, the command line."""

import gzip
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from server.__main__ import main
from server.access.signatures import DAY, Signer
from server.commands import check
from server.store import Store, api_key
from tests.server.conftest import Refuse
from tests.server.content import lines
from tests.server.running import Server, start

FILES = """query RunFiles($run: String!) { project(name: "http") { run(name: $run) {
  files { edges { node { name directUrl sizeBytes md5 } } } } } }"""


@pytest.fixture(scope="module")
def run(server: Server) -> str:
    server.open_run("http", "r1")
    return "r1"


def stream(server: Server, run: str, body: Any, **headers: str) -> tuple[int, Any]:
    status, answer = server.stream("http", run, body, **headers)
    return status, json.loads(answer)


def test_a_wrong_key_and_no_key_are_refused_with_the_reason(server: Server) -> None:
    status, answer = server.graphql("query Viewer { viewer { id } }", key="wrong")
    assert status == 401
    assert "invalid API key" in answer["errors"][0]["message"]
    assert server.send("POST", "/graphql", b"{}")[0] == 401
    assert server.send("POST", "/files/a/b/c/file_stream", b"{}")[0] == 401


def test_an_upsert_fills_in_the_entity_and_says_whether_the_run_is_new(server: Server) -> None:
    first, second = (server.open_run("http", "twice")[1]["data"]["upsertBucket"] for _ in range(2))
    assert (first["inserted"], second["inserted"]) == (True, False)
    assert first["bucket"]["project"]["entity"] == {"name": "local"}


@pytest.mark.parametrize("config", ["[1]", "nonsense", "3"])
def test_a_refused_upsert_has_an_error_and_no_data(server: Server, config: str) -> None:
    status, answer = server.open_run("http", "bad", config=config)
    assert status == 200
    assert "config" in answer["errors"][0]["message"]
    assert "data" not in answer


def test_unknown_input_fields_of_newer_clients_are_ignored(server: Server) -> None:
    query = "mutation M($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { name } } }"
    _, answer = server.graphql(query, input={"name": "new", "modelName": "http", "fromTheFuture": {"a": 1}})
    assert answer == {"data": {"upsertBucket": {"bucket": {"name": "new"}}}}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b'{"query": 3}', b'{"query": "{", "variables": []}', b"\xff\xfe"]
)
def test_what_is_no_graphql_request_gets_400(server: Server, body: bytes) -> None:
    assert server.post("/graphql", body, Authorization=server.basic())[0] == 400


def test_a_document_that_is_too_large_or_broken_is_an_error_not_a_crash(server: Server) -> None:
    deep = "{ project { " + "run(name: 1) { project { " * 300 + "id" + " } }" * 300 + " } }"
    endless = "{ a" * 3000 + "}" * 3000
    for query in ("{" * 3000, deep, endless, "{ viewer { " + "id " * 20_000 + "} }", "query A { nothing }", ""):
        status, answer = server.graphql(query)
        assert status == 200
        assert answer.keys() == {"errors"}


def test_a_heartbeat_of_an_unknown_agent_is_gone(server: Server) -> None:
    query = "mutation Heartbeat($id: ID!) { agentHeartbeat(input: {id: $id}) { agent { id } commands } }"
    for unknown in ("QWdlbnQ6OTk5OTk=", "nonsense", ""):
        assert server.graphql(query, id=unknown)[0] == 404


def test_a_file_stream_post_is_stored_and_may_be_compressed(server: Server, run: str) -> None:
    rows = ['{"_step":0,"x":NaN}', '{"_step":1,"x":2}']
    body = json.dumps(lines(history=rows)).encode()
    assert stream(server, run, gzip.compress(body), Content_Encoding="gzip") == (200, {})
    query = """query($s: [JSONString!]!) { project(name: "http") { run(name: "r1") {
        history(samples: 10) sampledHistory(specs: $s) historyKeys } } }"""
    spec = json.dumps({"keys": ["_step", "x"], "samples": 10})
    found = server.graphql(query, s=spec)[1]["data"]["project"]["run"]
    assert found["history"] == rows
    assert found["sampledHistory"] == [[{"_step": 0, "x": "NaN"}, {"_step": 1, "x": 2}]]
    assert found["historyKeys"]["lastStep"] == 1


def test_a_file_stream_post_for_a_run_that_is_gone_gets_404_and_odd_parts_are_skipped(server: Server, run: str) -> None:
    assert stream(server, "gone", {})[0] == 404
    odd = lines(-1, history=["{}"])["files"] | {"output.log": 3, "x": {}}
    assert stream(server, run, {"files": odd, "uploaded": 1}) == (200, {})
    assert stream(server, run, b"not json")[0] == 400
    assert stream(server, run, b"[" * 100_000)[0] == 400
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    assert stream(server, run, lines(2, history=[deep], console=["\ud800"])) == (200, {})


def test_a_piece_of_a_file_is_refused(server: Server) -> None:
    """Stored, it would be taken for the whole file."""
    server.open_run("http", "pieces")
    [url] = server.upload_urls("http", "pieces", "piece.bin")
    status, answer = server.send("PUT", url, b"abc", Content_Range="bytes 0-2/9")
    assert status == 400
    assert b"Content-Range" in answer
    assert server.send("PUT", url, b"abcdefghi")[0] == 200


def test_files_are_put_and_fetched_at_signed_addresses_only(server: Server, run: str) -> None:
    [upload] = server.upload_urls("http", run, "a b/ü.txt")
    assert server.send("PUT", upload, b"content")[0] == 200
    [edge] = server.graphql(FILES, run=run)[1]["data"]["project"]["run"]["files"]["edges"]
    assert (edge["node"]["name"], edge["node"]["sizeBytes"]) == ("a b/ü.txt", 7)
    assert edge["node"]["md5"] == "mgNkuembtIDdJeHwKEyFVQ=="
    link = edge["node"]["directUrl"]
    assert server.get(link) == (200, b"content")
    assert server.get(link, Range="bytes=3-") == (206, b"tent")
    for changed in (upload, link.replace("expires=1", "expires=2"), link.split("?")[0], link + "0"):
        assert server.get(changed)[0] == 403


def test_an_upload_for_a_run_that_is_gone_is_refused_once_and_for_all(server: Server) -> None:
    before = set((server.folder / "incoming").iterdir())
    run = server.open_run("http", "short")[1]["data"]["upsertBucket"]["bucket"]
    [upload] = server.upload_urls("http", "short", "a")
    server.graphql("mutation($id: ID!) { deleteRun(input: {id: $id}) { success } }", id=run["id"])
    assert server.send("PUT", upload, b"late")[0] == 404
    assert set((server.folder / "incoming").iterdir()) <= before


def test_signed_addresses_expire() -> None:
    signer, now = Signer("secret"), 1_700_000_000.0
    query = dict(parse_qsl(signer.url("", "GET", "/storage/x", 3, now).partition("?")[2]))
    assert signer.verify("GET", "/storage/x", query, now + 7 * DAY) == 3
    assert signer.verify("GET", "/storage/x", query, now + 9 * DAY) is None
    assert signer.verify("PUT", "/storage/x", query, now) is None
    assert signer.verify("GET", "/storage/x", query | {"by": "1"}, now) is None
    assert Signer("other").verify("GET", "/storage/x", query, now) is None


def test_pages_refuse_other_host_names_and_unknown_places_say_what_there_is(server: Server, run: str) -> None:
    """DNS rebinding: the browser sends the name of the web site that it believes to talk to."""
    for path in ("/", "/local/http", "/local/http/runs/r1", "/nothing"):
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1].evil"):
            assert server.get(path, Host=host)[0] == 403
    assert server.get("/", Host=f"localhost:{server.port}")[0] == 200
    for path in ("/local/http/runs/unknown", "/local/http/sweeps/unknown", "/local/unknown", "/favicon.ico"):
        status, body = server.get(path)
        assert status == 404
        assert b"local/http" in body


def test_telemetry_and_weave_are_switched_off_and_ready_needs_no_key(server: Server) -> None:
    for method, path in (("POST", "/sdk/otel/v1/metrics"), ("GET", "/traces/server_info"), ("POST", "/traces/call")):
        assert server.send(method, path, b"{}" if method == "POST" else None)[0] == 404
    assert server.get("/ready")[0] == 200


def test_what_is_in_the_way_is_said_in_one_sentence(server: Server, tmp_path: Path, refuse: Refuse) -> None:
    assert "Another server" in refuse("--port", "0", "--dir", server.folder)
    assert "Cannot listen" in refuse("--port", server.port, "--dir", tmp_path)
    assert "--api-key-file" in refuse("--host", "0.0.0.0", "--dir", tmp_path)
    assert "40" in refuse("--api-key", "short", "--dir", tmp_path)
    assert "--port" in refuse("--port", "99999999", "--dir", tmp_path)
    key = ("--api-key", "k" * 40, "--dir", tmp_path)
    for host in ("1.2.3.4", "nowhere.invalid", "a..b", "::zz"):
        assert "correct --host" in refuse("--host", host, *key)
    assert "'chekc'; there are user, check" in refuse("chekc")
    (tmp_path / "file").touch()
    assert "choose another --dir" in refuse("--port", "0", "--dir", tmp_path / "file")


def test_ctrl_c_ends_a_command_with_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "main", interrupted)
    assert main(["check"]) == 130
    assert capsys.readouterr().err.startswith("server: stopped")


def test_sigterm_ends_the_server_with_exit_code_0_though_a_client_holds_a_connection(tmp_path: Path) -> None:
    server = start(tmp_path / "folder")
    with socket.create_connection(("127.0.0.1", server.port)):
        assert server.stop() == 0


def test_uploads_over_the_limit_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    server = start(tmp_path / "folder", 0, "--max-upload", "0.000001")
    try:
        server.open_run("http", "r1")
        [url] = server.upload_urls("http", "r1", "a")
        assert server.send("PUT", url, b"x" * 1000)[0] == 200
        assert server.send("PUT", url, b"x" * 1001)[0] == 413
        assert [path.name for path in (server.folder / "incoming").iterdir()] == []
    finally:
        server.stop()


def test_a_limit_beyond_all_numbers_is_none(tmp_path: Path) -> None:
    assert start(tmp_path / "folder", 0, "--max-upload", "1e300").stop() == 0


def test_another_address_needs_a_key_that_is_not_the_folders_own(tmp_path: Path, refuse: Refuse) -> None:
    Store(tmp_path).close()
    key = api_key(tmp_path)
    for words in (("--api-key", key), ("--api-key-file", str(tmp_path / "api-key"))):
        assert "another key" in refuse("--host", "0.0.0.0", "--dir", tmp_path, *words)


def test_the_key_in_a_file_opens_the_server_and_stands_on_no_command_line(tmp_path: Path) -> None:
    key, file = "k" * 40, tmp_path / "key"
    file.write_text(f"{key}\n")
    file.chmod(0o600)
    server = start(tmp_path / "folder", 0, "--host", "0.0.0.0", "--api-key-file", str(file))
    try:
        url = f"http://127.0.0.1:{server.port}/"
        assert server.get(url)[0] == 401
        assert server.get(url, Authorization=server.basic(key))[0] == 200
        assert server.process.stdout is not None
        said = server.process.stdout.readline().decode()
        assert said.endswith(f"WANDB_API_KEY=$(cat {file})\n")
        assert "://0.0.0.0" not in said  # no other machine could use that address
    finally:
        server.stop()
    assert not (tmp_path / "folder" / "api-key").exists()


def test_a_key_file_that_others_can_read_or_that_holds_no_key_is_refused(
    tmp_path: Path, refuse: Refuse, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    words = ("--dir", str(tmp_path / "folder"), "--port", "0", "--api-key-file", str(file))
    assert f"{file} cannot be read (No such" in refuse(*words)
    file.write_text("k" * 40)
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        assert "chmod 600" in refuse(*words)
    file.chmod(0o600)
    for secret in (b"short", b"", b"\xff" * 40, b"k" * 20 + b"\n" + b"k" * 20):
        file.write_bytes(secret)
        said = refuse(*words)
        assert f"{file} needs at least 40" in said
        assert "kkkk" not in said
    with pytest.raises(SystemExit):
        main([*words, "--api-key", "k" * 40])
    assert "not allowed with" in capsys.readouterr().err
    assert not (tmp_path / "folder").exists()


def test_a_query_that_grows_in_the_writing_out_of_its_fragments_is_refused(server: Server) -> None:
    steps = [f"fragment F{i} on Project {{ {''.join(_twice(i))} }}" for i in range(20)]
    query = '{ project(name: "http") { ...F0 } } fragment F20 on Project { name } ' + " ".join(steps)
    assert "more than" in server.graphql(query)[1]["errors"][0]["message"]
    wide = "{ " + " ".join(f"a{i}: viewer {{ id }}" for i in range(1500)) + " }"
    assert "more than 2000 fields" in server.graphql(wide)[1]["errors"][0]["message"]
    circle = '{ project(name: "http") { ...A } } fragment A on Project { ...A }'
    assert "errors" in server.graphql(circle)[1]


def _twice(i: int) -> list[str]:
    return [f' {name}: run(name: "r") {{ project {{ ...F{i + 1} }} }}' for name in "ab"]


def test_what_is_no_gzip_is_400(server: Server, run: str) -> None:
    for body in (b"x", gzip.compress(b"{}")[:-9] + b"junk", gzip.compress(b"{}")[:-3]):
        assert stream(server, run, body, Content_Encoding="gzip")[0] == 400
    bomb = gzip.compress(b" " * (65 << 20))
    assert stream(server, run, bomb, Content_Encoding="gzip")[0] == 413
