"""How much a pull asks of the server: `python -m bench.pull [--runs 1000]`.

Fills a folder of the embedded server with finished runs, pulls them twice with the real client, and counts every
request by what it asks. The second pull must ask for the list and nothing else. `--busy 0.2` answers that share of the
requests with 429; the pull must come through all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from server import app
from server.settings import Settings
from server.store import Store, api_key, lines, projects, runs

PROJECT = "pulled"
GREETINGS = ("GET /", "Viewer", "GetDefaultEntity")
"""What every client asks before it asks for anything: whether somebody is there, and whose key this is."""


class Counted:
    """The server as an ASGI application that counts requests and answers a share of them with 429."""

    def __init__(self, application: Any, busy: float = 0.0, seed: int = 0) -> None:
        self.application, self.busy, self.rng = application, busy, random.Random(seed)
        self.asked: Counter[str] = Counter()
        self.refused = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.asked[question(scope["method"], scope["path"], body)] += 1
        if scope["path"] == "/graphql" and self.rng.random() < self.busy:
            self.refused += 1
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b"busy"})
            return
        again = iter([{"type": "http.request", "body": body, "more_body": False}])
        await self.application(scope, lambda: received(again, receive), send)


async def received(first: Iterator[Any], later: Any) -> Any:
    """The body that was read already, and then whatever comes after it."""
    for message in first:
        return message
    return await later()


def question(method: str, path: str, body: bytes) -> str:
    """What a request asks: the name of its GraphQL operation, or method and path."""
    if path != "/graphql":
        return f"{method} {path}"
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", json.loads(body)["query"])
    return found[1] if found else "unnamed"


@contextlib.contextmanager
def serving(folder: Path, busy: float = 0.0) -> Iterator[tuple[str, Counted]]:
    """A counted server on `folder` in a thread of this process: its address, and the counts."""
    store = Store(folder)
    counted = Counted(app.make(store, Settings(api_key=api_key(folder))), busy)
    server = uvicorn.Server(uvicorn.Config(counted, log_level="warning", lifespan="on"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counted
    finally:
        server.should_exit = True
        thread.join()
        store.close()


def fill(folder: Path, n_runs: int, epochs: int) -> None:
    """`n_runs` finished runs in the shape of docs/runs.md, without artifacts."""
    store, rng = Store(folder), random.Random(0)
    with store.write() as db:
        project, _ = projects.ensure(db, "local", PROJECT, store.clock())
        for n in range(n_runs):
            add_run(db, project["id"], n, epochs, rng)
    store.close()


def add_run(db: Any, project_id: int, n: int, epochs: int, rng: random.Random) -> None:
    config = {"architecture": "unet", "backbone": f"b{n % 8}", "weights": "none", "seed": n, "epochs": epochs}
    summary: dict[str, Any] = {"val/iou": rng.random(), "val/loss": rng.random(), "test/rule": "best_loss"}
    for rule in ("best_loss", "best_iou"):
        summary |= {f"{rule}/epoch": epochs, f"{rule}/test_iou": 0.9}
    summary |= {f"test/{name}": 0.9 for name in ("accuracy", "precision", "recall", "f1", "iou")}
    history = [
        {key: rng.random() for key in ("train/loss", "val/loss", "train/iou", "val/iou", "seconds_per_epoch")}
        | {"_step": epoch - 1, "_timestamp": 1.7e9 + epoch, "_runtime": epoch, "epoch": epoch}
        for epoch in range(1, epochs + 1)
    ]
    run = runs.insert(
        db,
        project_id,
        f"r{n:05d}",
        "finished",
        1.7e9 + n,
        config=json.dumps({key: {"value": value} for key, value in config.items()}),
        summary=json.dumps(summary),
    )
    lines.put_history(db, run, 0, [json.dumps(row) for row in history])


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """These variables for a while, and none of the person's own of W&B."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("WANDB_")]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure(n_runs: int, epochs: int, busy: float, folder: Path) -> list[tuple[float, Counter[str], int]]:
    """Seconds, requests by what they ask, and rows of history of a first and a second pull."""
    from analysis.pull.study import pull

    fill(folder / "server", n_runs, epochs)
    found = []
    with serving(folder / "server", busy) as (url, counted):
        client = {f"WANDB_{name}_DIR": str(folder / "client") for name in ("CACHE", "CONFIG", "DATA")}
        login = {"WANDB_BASE_URL": url, "WANDB_API_KEY": api_key(folder / "server")}
        with environment(**login, **client, WANDB_DIR=str(folder), NETRC=str(folder / "netrc")):
            for _ in range(2):
                counted.asked.clear()
                began = time.perf_counter()
                study = pull([f"local/{PROJECT}"], cache=folder / "cache")
                found.append((time.perf_counter() - began, Counter(counted.asked), len(study.history)))
        print(f"{n_runs} runs of {epochs} epochs; {counted.refused} requests answered with 429")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.pull", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--busy", type=float, default=0.0, help="share of requests answered with 429")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="pull-") as folder:
        measured = measure(options.runs, options.epochs, options.busy, Path(folder))
    for title, (seconds, asked, rows) in zip(("first pull", "second pull"), measured, strict=True):
        told = ", ".join(f"{count} {what}" for what, count in asked.most_common())
        print(f"{title:<11} {seconds:6.1f} s, {rows} epochs; {asked.total()} requests: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
