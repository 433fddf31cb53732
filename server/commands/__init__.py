"""Commands that look after a folder: each module has `main(arguments) -> int`, the exit code of `python -m server`."""

import argparse
from pathlib import Path

from common.cli import Parser


def folder(text: str) -> Path:
    """The type of an option that names a folder; that of this process, for an empty text, is never meant."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a folder")
    return Path(text)


def command_parser(name: str, description: str) -> Parser:
    """The parser of a command on the folder `--dir`."""
    made = Parser(f"python -m server {name}", description=description)
    made.add_argument("--dir", type=folder, required=True, metavar="FOLDER", help="the server's folder")
    return made
