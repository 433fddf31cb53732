"""Four notebooks, written and run from top to bottom on a study, with their output stored in them."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis import AnalysisError
from analysis.cli import default_folder, make_folder, writing
from analysis.notebooks.cells import NOTEBOOKS
from analysis.pull import study_folder
from analysis.pull.login import resolve
from common.cli import Parser, exit_code
from common.files import write_text
from common.wandb_api import CLOUD

PROG = "python -m analysis.notebooks"
ROOT = Path(__file__).parents[2]
SECONDS = 600
"""Time limit of one cell: the first one may have to pull a thousand runs."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(name: str, paths: Sequence[str], folder: Path) -> NotebookNode:
    """The notebook `name` of `cells.NOTEBOOKS` for the runs in `paths`, not yet run; equal calls give equal ones.

    It works in `folder`: inside the project in any clone of it, elsewhere on this machine only.
    """
    folder = folder.resolve()
    root = os.path.relpath(ROOT, folder) if folder.is_relative_to(ROOT) else str(ROOT)
    cells = []
    for number, (text, code) in enumerate(NOTEBOOKS[name]):
        if text:
            cells.append(new_markdown_cell(text, id=f"text-{number}"))
        code = code.replace("ROOT", root).replace("PATHS", json.dumps(list(paths)))
        cells.append(new_code_cell(code, id=f"code-{number}"))
    made: NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    return made


def execute(made: NotebookNode, folder: Path) -> NotebookNode:
    """`made`, run in `folder` with the Python of this process, without outputs that differ from run to run.

    Raises `AnalysisError` with the last line of a cell's error.
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
    for cell in made.cells:
        if cell.cell_type == "code":  # stderr of a pull is progress, and no result
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    made.metadata = {"kernelspec": KERNEL}
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = Parser(prog=PROG, description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="as for python -m analysis (default: the last study)")
    parser.add_argument("--out", type=Path, help="folder to write to (default: notebooks, beside the tables)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")
    return exit_code(PROG, lambda: write(options), {AnalysisError: 1})


def write(options: argparse.Namespace) -> int:
    """Run every notebook, and write it with its results."""
    paths, server = options.paths, "a folder"
    if not (paths and study_folder.place(paths[0])):
        resolved, login = resolve(paths, os.environ)
        paths, server = [str(path) for path in resolved], login.base_url or CLOUD
    out = options.out or default_folder(options.paths) / "notebooks"
    make_folder(out)
    print(f"{PROG}: {len(NOTEBOOKS)} notebooks on {', '.join(paths)} of {server}", flush=True)
    for number, name in enumerate(NOTEBOOKS, start=1):
        print(f"{number} of {len(NOTEBOOKS)}: running {name} …", flush=True)
        started, file = time.monotonic(), out / f"{name}.ipynb"
        with writing(out):
            made = execute(notebook(name, options.paths or paths, out), out)
            write_text(file, nbformat.writes(made) + "\n")
        print(f"wrote {file} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
