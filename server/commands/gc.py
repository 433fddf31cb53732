"""`python -m server gc --dir FOLDER`: free what nothing refers to."""

import time
from pathlib import Path

from common.cli import Parser
from server.commands.text import size
from server.store import StoreError
from server.store.garbage import collect, compact
from server.store.outside import alone, maintaining, writing


def main(arguments: list[str]) -> int:
    parser = Parser(
        "python -m server gc",
        description="Free what nothing refers to: files of deleted runs and artifacts, uploads that were given up. "
        "Works while the server runs; the database itself shrinks only while it does not.",
    )
    parser.add_argument("--dir", type=Path, required=True, help="the server's folder")
    folder = parser.parse_args(arguments).dir
    with writing(folder) as db, maintaining(folder):
        try:
            freed = collect(db, folder, time.time())
        except OSError as error:
            raise StoreError(f"{folder}: a file could not be removed: {error.strerror}.") from error
        with alone(folder) as unserved:
            if unserved:
                freed.bytes += compact(db)
    print(
        f"freed {size(freed.bytes)}: {freed.files} files"
        + (f", {freed.artifacts} uploads that were given up" if freed.artifacts else "")
        + ("" if unserved else "; the database itself shrinks when the server is stopped")
    )
    return 0
