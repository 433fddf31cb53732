"""`python -m server backup --dir FOLDER --to FILE`: everything in one file, while the server runs or not."""

from pathlib import Path

from common.text import size
from server.commands import command_parser
from server.store.folder.backup import write


def main(arguments: list[str]) -> int:
    parser = command_parser(
        "backup",
        "Copy a folder, as it is at one moment, to one file (a tar archive, readable by its owner only: it "
        "holds the key). Works while the server runs. `python -m server restore` makes a folder of it.",
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the file to write; must not exist")
    options = parser.parse_args(arguments)
    copied = write(options.dir, options.to)
    print(f"{options.to}: {size(copied.bytes)}, the database and {copied.files} files")
    return 0
