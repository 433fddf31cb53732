"""A study as data: tables and masks of its runs in a folder, without photographs, to be read again without a server.

`python -m analysis.export ENTITY/PROJECT/SWEEP --out docs/study/NAME`; `python -m analysis docs/study/NAME` reads it.
Name such a folder beside a sweep, and the parts of a study that several machines trained become one.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from analysis.cli import main
from analysis.comparison.comparison import Comparison
from analysis.pull import study_folder
from analysis.pull.study import Study


def write(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Write every table and mask of the study, and the command that exported it.

    Where a path is `out` itself, which is replaced, the paths that `out` came from stand in its place.
    """
    words: list[str] = []
    for word in shlex.split(command):
        place = study_folder.place(word) if word in study.given else None
        words += (place and place.samefile(out) and study_folder.origins(out)) or [word]
    tables = {name: getattr(study, name) for name in ("runs", "left_out", "history", "scores")}
    remarks = [remark for remark in study.remarks if remark != study_folder.WITHOUT]
    facts = {"command": shlex.join(dict.fromkeys(words)), "remarks": remarks, "sweeps": study.sweeps}
    return study_folder.write(tables, facts, study.predictions, out)


if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.export", str(__doc__), [write]))
