"""Connections that are too slow are closed, and only those; with limits of fractions of a second."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from server.access.timeouts import TimedProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
BIG = 32 << 20  # more than all buffers between two sockets hold


class Quick(TimedProtocol):
    head_seconds = 0.3
    silent_seconds = 0.4
    least_rate = 1000.0


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; /big with BIG bytes; /slow reads only after a while."""
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = bytes(BIG) if scope["path"] == "/big" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def talk(port: int, pieces: list[bytes], pause: float) -> tuple[bytes, float]:
    """The answer until the end, and the seconds until then."""
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        answer = await reader.read()
    except ConnectionError:
        pass
    writer.close()
    return answer, asyncio.get_running_loop().time() - began


async def stop_reading(port: int) -> bool:
    """Whether the connection of a client that takes nothing of its answer is gone after a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(1.5)
    received = 0
    try:
        while chunk := await reader.read(1 << 20):
            received += len(chunk)
    except ConnectionError:
        pass
    writer.close()
    return received < BIG


def run(conversation: Callable[[int], Any]) -> Any:
    async def main() -> Any:
        config = uvicorn.Config(application, http=Quick, log_level="critical", timeout_keep_alive=1)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Quick(config, ServerState(), {}), "127.0.0.1", 0)
        result = await conversation(server.sockets[0].getsockname()[1])
        server.close()
        return result

    return asyncio.run(main())


SLOW: dict[str, tuple[list[bytes], float]] = {
    "nothing": ([], 0),
    "half a head": ([b"GET / HTTP/1.1\r\nHo"], 0),
    "a head byte by byte": ([bytes([byte]) for byte in b"GET / HTTP/1.1\r\nHost: " + b"x" * 99], 0.05),
    "a head and no body": ([HEAD % 5], 0),
    "half a body": ([HEAD % 5 + b"abc"], 0),
    "a body byte by byte": ([HEAD % 99, *([b"x"] * 99)], 0.05),
    "half a chunk": ([b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"], 0),
}


def test_what_is_half_sent_is_cut_off_and_never_answered() -> None:
    async def all_at_once(port: int) -> Any:
        return await asyncio.gather(*(talk(port, pieces, pause) for pieces, pause in SLOW.values()))

    for name, (answer, took) in zip(SLOW, run(all_at_once), strict=True):
        assert answer == b"", name
        assert 0.2 < took < 3, (name, took)


def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    assert run(stop_reading)


def test_a_second_request_that_is_half_sent_is_cut_off_too() -> None:
    answer, took = run(lambda port: talk(port, [HEAD % 1 + b"x", b"GET / HT"], 0.2))
    assert answer.endswith(b"\r\n\r\n1")
    assert took < 3


def test_who_is_not_slower_than_allowed_is_answered() -> None:
    steady = [HEAD % 900, *([b"x" * 90] * 10)]  # longer than silent_seconds in all
    late = [HEAD.replace(b"/ ", b"/slow ", 1) % 300_000 + bytes(200_000), bytes(100_000)]

    async def both(port: int) -> Any:
        return await asyncio.gather(talk(port, steady, 0.08), talk(port, late, 0))

    for (answer, _), size in zip(run(both), (b"900", b"300000"), strict=True):
        assert answer.endswith(b"\r\n\r\n" + size), answer
