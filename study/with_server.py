"""One command of the analysis, with the embedded server beside it if the study used that one and it is stopped.

`make report` and `make notebooks` start `python -m study.with_server analysis.report [ARGUMENT…]` and its like.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from common import study_record
from common.cli import Parser, exit_code
from common.environment import ROOT
from common.study_record import BadRecord, StudyRecord
from study.plan import StudyError
from study.server import embedded_server

VALUED = ("--out", "--margin", "--metric-definition", "--models")
"""Options of these commands whose next argument is their value, and names no study."""
COMMANDS = (
    *("analysis", "analysis.table", "analysis.figures", "analysis.grids", "analysis.hard", "analysis.export"),
    *("analysis.report", "analysis.notebooks"),
)


def main(arguments: Sequence[str] | None = None, results: Path = ROOT / "results") -> int:
    """Exit status of the command; 1 and one sentence if the server does not start."""
    parser = Parser(prog="python -m study.with_server", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="module to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")
    options = parser.parse_args(arguments)

    def command() -> int:
        with embedded_servers(find_records(options.arguments, results)):
            return subprocess.run([sys.executable, "-m", options.command, *options.arguments], cwd=ROOT).returncode

    return exit_code("study", command, {StudyError: 1})


def find_records(arguments: Sequence[str], results: Path) -> list[StudyRecord]:
    """The studies whose sweeps the arguments name; the last one if they name none and no key names another server.

    A last study whose record cannot be understood is left for the analysis to complain about.
    """
    named = [text for before, text in pairwise(["", *arguments]) if not text.startswith("-") and before not in VALUED]
    paths = [text for text in named if not Path(text).is_dir()]
    if named and not paths:
        return []  # an exported study needs no server
    records = [study_record.find(results, path) for path in paths]
    if not any(records) and not (paths and os.environ.get("WANDB_API_KEY")):
        with contextlib.suppress(BadRecord):
            records = [study_record.load(results / "latest")]
    return [record for record in records if record]


@contextlib.contextmanager
def embedded_servers(records: Sequence[StudyRecord]) -> Iterator[None]:
    """The embedded servers of these studies answer until the end of the block."""
    folders = dict.fromkeys(Path(record.server_dir) for record in records if record.server_dir)
    with contextlib.ExitStack() as stack:
        for folder in folders:
            if folder.is_dir():
                stack.enter_context(embedded_server(folder))
        yield


if __name__ == "__main__":
    sys.exit(main())
