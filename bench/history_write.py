"""Whether the last rows of a run cost what the first ones cost: `python -m bench.history_write [ROWS]`.

Posts as the server stores them, in this process and synced to disk: a run of many short rows, one of many keys, and one
whose rows two processes of `mode="shared"` send in turn. Processor seconds, which other work on the machine disturbs
less than the time of day.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from server import filestream
from server.store import Store, projects, runs


def write(store: Store, name: str, rows: int, keys: int, per_post: int, clients: int = 1) -> list[float]:
    """Seconds of each post to a new run."""
    with store.write() as db:
        project, _ = projects.ensure(db, "local", "bench", store.clock())
        runs.insert(db, project["id"], name, "running", store.clock())
    rng, seconds = random.Random(0), []
    for offset in range(0, rows, per_post):
        content = [
            json.dumps({"_step": step, "_timestamp": step} | {f"key/{key}": rng.random() for key in range(keys)})
            for step in range(offset, offset + per_post)
        ]
        client = f"rank-{offset // per_post % clients}" if clients > 1 else ""
        files = {
            "wandb-history.jsonl": {"offset": offset // clients, "content": content},
            "wandb-summary.json": {"offset": 0, "content": content[-1:]},
        }
        began = time.process_time()
        filestream.receive(store, "local", "bench", name, {"files": files}, client)
        seconds.append(time.process_time() - began)
    return seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.history_write", description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int, nargs="?", default=100_000, help="of the long run")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        for title, seconds in {
            f"{options.rows} rows of 3 keys, 1000 a post": write(store, "long", options.rows, 3, 1000),
            "200 rows of 5000 keys, 1 a post": write(store, "wide", 200, 5000, 1),
            "200 rows of 5000 keys, 100 a post": write(store, "lumps", 200, 5000, 100),
            f"{options.rows} rows of two clients": write(store, "shared", options.rows, 3, 1000, clients=2),
        }.items():
            tenth = max(1, len(seconds) // 10)
            first, last = (sum(part) / tenth * 1e3 for part in (seconds[:tenth], seconds[-tenth:]))
            spread = f"a post {first:.1f} ms in the first tenth, {last:.1f} in the last"
            print(f"{title:<36} {sum(seconds):6.2f} s in all; {spread}")
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
