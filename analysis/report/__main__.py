"""report.html: the whole study in one file that opens from disk; with --wandb a W&B Report of the same content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analysis import cli
from analysis.comparison.comparison import Comparison
from analysis.pull.login import resolve
from analysis.pull.study import Study
from analysis.report.content import content
from analysis.report.page import page
from common.files import write_text

PROG = "python -m analysis.report"


def write(study: Study, comparison: Comparison, out: Path, command: str, *, photographs: bool) -> list[Path]:
    """Writes report.html into `out`; an exported study has no photographs."""
    file = out / "report.html"
    command += "" if photographs else " --no-photographs"
    photographs = photographs and not study.folder
    report = content(study, comparison, command)
    write_text(file, page(study, comparison, report, photographs=photographs))
    return [file]


def upload(paths: Sequence[str], study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Saves a W&B Report beside the runs in `paths`, with report.html of `out`, and prints its address."""
    from analysis.report.wandb import save  # takes seconds to import

    _, login = resolve(paths, os.environ)
    print(f"saved {save(study, content(study, comparison, command), login, out / 'report.html')}")
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = cli.parser(PROG, str(__doc__))
    parser.add_argument("--no-photographs", action="store_true", help="show truth, predictions and errors only")
    parser.add_argument("--wandb", action="store_true", help="save it as a W&B Report, too")
    options = parser.parse_args(arguments)
    writers: list[cli.Writer] = [partial(write, photographs=not options.no_photographs)]
    if options.wandb:
        writers.append(partial(upload, options.paths))
    return cli.run(PROG, options, writers)


if __name__ == "__main__":
    raise SystemExit(main())
