"""Bodies of any size go past the server's memory, up and down."""

import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server.running import Server

MEBIBYTE = bytes(range(256)) * 4096
FILES = """{ project(name: "streams") { run(name: "large") { files { edges { node { sizeBytes directUrl } } } } } }"""


def most_memory(server: Server) -> int:
    """The most memory that the process ever had, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) >> 10


def chunks(n: int, first: int) -> Iterator[bytes]:
    yield bytes([first]) * (1 << 20)
    yield from (MEBIBYTE for _ in range(n - 1))


def test_many_large_files_at_once_go_up_and_down_without_a_trace_in_memory(server: Server) -> None:
    server.open_run("streams", "large")
    names = [f"{i}.bin" for i in range(24)]
    uploads = server.upload_urls("streams", "large", *names)
    before = most_memory(server)

    def put(i: int) -> int:
        length = {"Content-Length": str(8 << 20)}
        request = urllib.request.Request(uploads[i], chunks(8, i), length, method="PUT")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)

    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(put, range(len(names)))) == [200] * len(names)
    edges = server.graphql(FILES)[1]["data"]["project"]["run"]["files"]["edges"]
    assert [edge["node"]["sizeBytes"] for edge in edges] == [8 << 20] * len(names)
    with urllib.request.urlopen(edges[0]["node"]["directUrl"], timeout=60) as answer:
        assert sum(map(len, iter(lambda: answer.read(1 << 20), b""))) == 8 << 20
    assert most_memory(server) - before < 28, "192 MiB went through, 24 files at a time"
