"""`python -m server check --dir FOLDER`: one line per finding; exit code 1 when there is any."""

from server.commands import command_parser
from server.store.folder.integrity import find_faults
from server.store.folder.maintenance import open_read_only


def main(arguments: list[str]) -> int:
    parser = command_parser(
        "check", "Verify a folder: digests of all files, orphans, foreign keys. Works while the server runs."
    )
    parser.add_argument("--quick", action="store_true", help="compare sizes only, do not read the files")
    options = parser.parse_args(arguments)
    found = 0
    with open_read_only(options.dir) as db:
        for sentence in find_faults(db, options.dir, read_bytes=not options.quick):
            print(sentence, flush=True)
            found += 1
    if not found:
        print(f"{options.dir} is whole")
    return 1 if found else 0
