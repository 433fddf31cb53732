"""Which of several models is the best, how surely, and what would decide the rest?

SCORES.csv has the columns model,image,score and optional seed,split, or case_id and one column per model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.evidence.options import add_margin, add_train
from analysis.evidence.result import evidence
from analysis.evidence.study import StudyError
from analysis.evidence.table import arrange, read
from analysis.evidence.text import render
from common.cli import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 after one sentence on what is wrong with the scores."""
    parser = Parser(prog="python -m analysis.evidence", description=__doc__)
    parser.add_argument("scores", type=Path, metavar="SCORES.csv")
    add_margin(parser)
    add_train(parser)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    try:
        found = evidence(arrange(read(options.scores), train=options.train), margin=options.margin)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        json.dumps(found.as_dict(), indent=1, ensure_ascii=False) if options.json else render(found), end=""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
