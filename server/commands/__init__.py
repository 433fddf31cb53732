"""Commands that look after a folder: each module has `main(arguments) -> int`, the exit code of `python -m server`."""

from pathlib import Path

from common.cli import Parser


def command_parser(name: str, description: str) -> Parser:
    """The parser of a command on the folder `--dir`."""
    made = Parser(f"python -m server {name}", description=description)
    made.add_argument("--dir", type=Path, required=True, metavar="FOLDER", help="the server's folder")
    return made
