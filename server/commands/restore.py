"""`python -m server restore FILE --dir FOLDER`: a folder from a backup."""

from pathlib import Path

from common.cli import Parser
from common.text import size
from server.commands import folder
from server.store.folder.backup import restore


def main(arguments: list[str]) -> int:
    parser = Parser(
        "python -m server restore",
        description="Make a folder from a file of `python -m server backup`. The folder appears once all of it is "
        "checked: the database, its format, and every file's digest.",
    )
    parser.add_argument("backup", type=Path, metavar="FILE", help="the backup")
    parser.add_argument("--dir", type=folder, required=True, help="the folder to make; must be empty or not exist")
    options = parser.parse_args(arguments)
    copied = restore(options.backup, options.dir)
    print(f"{options.dir}: {size(copied.bytes)}, the database and {copied.files} files")
    return 0
