"""Writes the four notebooks anew and runs them from top to bottom on a study; what they show is stored in them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis import AnalysisError
from analysis.login import choose_paths, last_study
from analysis.notebooks.cells import NOTEBOOKS

PROG = "python -m analysis.notebooks"
FOLDER = Path(__file__).parent
SECONDS = 600
"""For one cell: the first one may have to pull a thousand runs."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(name: str, paths: Sequence[str]) -> NotebookNode:
    """The notebook `name` of `cells.NOTEBOOKS` for the runs in `paths`, not yet run; equal calls give equal ones."""
    cells = []
    for number, (text, code) in enumerate(NOTEBOOKS[name]):
        if text:
            cells.append(new_markdown_cell(text, id=f"text-{number}"))
        cells.append(new_code_cell(code.replace("PATHS", json.dumps(list(paths))), id=f"code-{number}"))
    made: NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    return made


def executed(made: NotebookNode, folder: Path) -> NotebookNode:
    """`made`, run in `folder` with the Python of this process, without what differs from run to run.

    Raises `AnalysisError` with the last line of what a cell complained about.
    """
    try:
        NotebookClient(
            made,
            timeout=SECONDS,
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            extra_arguments=["--log-level=ERROR"],
        ).execute()
    except CellExecutionError as error:
        raise AnalysisError(str(error.evalue)) from None
    except RuntimeError as error:
        raise AnalysisError(f"The notebooks' Python ended or did not start: {error}.") from None
    made.metadata = {"kernelspec": KERNEL}
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="as for python -m analysis (default: the last study)"
    )
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder, two levels below the root (default: this one)"
    )
    options = parser.parse_args(arguments)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")
    try:
        paths = options.paths or [str(path) for path in choose_paths([], last_study())]
        for name in NOTEBOOKS:
            file = options.out / f"{name}.ipynb"
            nbformat.write(executed(notebook(name, paths), FOLDER), file)
            print(f"wrote {file}")
    except AnalysisError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
