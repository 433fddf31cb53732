"""The command line that the commands of this package share."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from analysis import AnalysisError
from analysis.login import LATEST
from analysis.runs import Study, pull

Writer = Callable[[Study, Path, str], list[Path]]
"""(study, folder, command that was given) → files written."""


def main(
    prog: str, description: str, writers: Sequence[Writer], arguments: Sequence[str] | None = None
) -> int:
    """Pulls the runs once, lets every writer write, says where; returns the exit status.

    Whatever a person can mend is one sentence on stderr, and exit 1.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help=f"ENTITY/PROJECT, ENTITY/PROJECT/SWEEP or their web address (default: {LATEST / 'study.json'})",
    )
    parser.add_argument("--out", type=Path, default=LATEST, help="folder to write to (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        study = pull(options.paths)
        command = shlex.join([*prog.split(), *options.paths])
        make_folder(options.out)
        for writer in writers:
            for file in writer(study, options.out, command):
                print(f"wrote {file}")
    except AnalysisError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents; raises `AnalysisError` where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnalysisError(
            f"{folder} cannot be made a folder ({error.strerror}): give another --out."
        ) from None
