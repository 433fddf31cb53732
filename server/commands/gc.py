"""`python -m server gc --dir FOLDER`: free the bytes of deleted runs and artifacts."""

import time

from common.text import size, some
from server.commands import command_parser
from server.store import StoreError
from server.store.folder.garbage import collect, compact
from server.store.folder.maintenance import maintenance_lock, open_read_write, try_server_lock


def main(arguments: list[str]) -> int:
    parser = command_parser(
        "gc",
        "Free bytes without an owner: files of deleted runs and artifacts, uploads that were given up. "
        "Works while the server runs; the database itself shrinks only while it does not.",
    )
    folder = parser.parse_args(arguments).dir
    with open_read_write(folder) as db, maintenance_lock(folder):
        freed = collect(db, folder, time.time())
        with try_server_lock(folder) as unserved:
            if unserved:
                freed.bytes += compact(db)
    print(
        f"freed {size(freed.bytes)}: {freed.files} files"
        + (f", {freed.artifacts} uploads that were given up" if freed.artifacts else "")
        + ("" if unserved else "; the database itself shrinks when the server is stopped")
    )
    if freed.left:
        raise StoreError(f"{folder}: {some(map(str, freed.left), 1)} cannot be removed: look at it, and move it away.")
    return 0
