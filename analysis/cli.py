"""The command line that the commands of this package share."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from analysis import AnalysisError
from analysis.comparison.comparison import Comparison, compare
from analysis.comparison.definitions import DEFINITIONS
from analysis.evidence.claims import MARGIN
from analysis.evidence.options import add_margin
from analysis.pull import study_folder
from analysis.pull.login import LATEST, parse_path
from analysis.pull.study import Study, pull
from common.cli import Parser, exit_code
from common.text import TERMINAL_WIDTH

Writer = Callable[[Study, Comparison, Path, str], list[Path]]
"""(study, its comparison, folder, the command line) → files written."""
TAKEN = ("latest", "server")
"""Names in `results/` that no project may have."""
LONGEST = 100
"""Characters of a folder's name; file systems end at 255 bytes."""


def main(prog: str, description: str, writers: Sequence[Writer], arguments: Sequence[str] | None = None) -> int:
    """Pulls the runs once, compares them, lets every writer write, prints their files; returns the exit status."""
    return run(prog, parser(prog, description).parse_args(arguments), writers)


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The arguments of every command: paths of runs, folder of the output, definition of IoU."""
    made = Parser(prog=prog, description=description)
    made.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="ENTITY/PROJECT, ENTITY/PROJECT/SWEEP or their web address, or the folder of an exported study "
        f"(default: {LATEST / 'study.json'})",
    )
    made.add_argument(
        "--out",
        type=Path,
        help=f"folder to write to (default: {LATEST.parent}/PROJECT-SWEEP; without a PATH, {LATEST})",
    )
    made.add_argument(
        "--metric-definition",
        choices=list(DEFINITIONS),
        default="pooled",
        help="; ".join(f"{name}: {definition.text}" for name, definition in DEFINITIONS.items()),
    )
    add_margin(made)
    return made


def run(prog: str, options: argparse.Namespace, writers: Sequence[Writer]) -> int:
    """Pull, compare and write, as `main`, from parsed arguments; an `AnalysisError` becomes a line and exit 1."""

    def command() -> int:
        out = options.out or default_folder(options.paths)
        with writing(out):
            study = pull(options.paths)
            say(f"{prog}: comparing {len(study.runs)} runs …")
            comparison = compare(study, options.metric_definition, options.margin)
            line = shlex.join([*prog.split(), *options.paths, *non_default_options(options)])
            make_folder(out)
            for writer in writers:
                files = writer(study, comparison, out, line)
                if len(files) == 1:
                    print(f"wrote {files[0]}")
                elif files:
                    names = ", ".join(file.name for file in files)
                    print(textwrap.fill(f"wrote into {out}: {names}", TERMINAL_WIDTH, break_on_hyphens=False))
        return 0

    return exit_code(prog, command, {AnalysisError: 1})


def say(text: str) -> None:
    """A line of progress on stderr, apart from the answer on stdout."""
    print(text, file=sys.stderr, flush=True)


def non_default_options(options: argparse.Namespace) -> list[str]:
    """The options of definition, margin and number of models that are not at their defaults."""
    definition, models = options.metric_definition, vars(options).get("models")
    return [
        *([] if definition == "pooled" else [f"--metric-definition={definition}"]),
        *([] if options.margin == MARGIN else [f"--margin={options.margin:g}"]),
        *([] if models is None else [f"--models={models}"]),
    ]


def default_folder(paths: Sequence[str]) -> Path:
    """Folder of results: `results/latest` without `paths`, else `results/PROJECT-SWEEP` or `results/PROJECT`.

    Several paths are joined, each project named once: `results/PROJECT-SWEEP1-SWEEP2`. Unsuitable characters become
    `_`; too long a name ends in a digest of the paths.
    """
    if not paths:
        return LATEST
    parts: list[str] = []
    for path in paths:
        if exported := study_folder.place(path):
            parts.append("-".join(exported.resolve().parts[-2:]))
        else:
            parsed = parse_path(path)
            parts += [part for part in (parsed.project, parsed.sweep) if part]
    name = "-".join(dict.fromkeys(parts))
    if name in TAKEN:
        name = f"{parse_path(paths[0]).entity}-{name}"
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".-") or "_"
    if len(name) > LONGEST:
        name = name[: LONGEST - 9] + "-" + hashlib.sha256("\n".join(paths).encode()).hexdigest()[:8]
    return LATEST.parent / name


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises `AnalysisError` for an OSError of the block: it names the file, or `folder` if the error names none."""
    try:
        yield
    except OSError as error:
        file, reason = error.filename or folder, error.strerror or error
        raise AnalysisError(f"{file} cannot be written ({reason}): make room or give another --out.") from None


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents; raises `AnalysisError` if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnalysisError(f"{folder} cannot be made a folder ({error.strerror}): give another --out.") from None
