"""The best of several models, its verdicts, and sample sizes that would decide the rest.

SCORES.csv has the columns model,image,score and optional seed,split, or case_id and one column per model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from analysis.evidence.design import ScoresError
from analysis.evidence.options import add_margin, add_train
from analysis.evidence.pairs import all_pairs
from analysis.evidence.result import evidence
from analysis.evidence.score_table import arrange, read
from analysis.evidence.sentences import pair_lines, render
from common.cli import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 after one sentence on the fault of the scores."""
    parser = Parser(prog="python -m analysis.evidence", description=__doc__)
    parser.add_argument("scores", type=Path, metavar="SCORES.csv")
    add_margin(parser)
    add_train(parser)
    parser.add_argument("--pairs", action="store_true", help="all pairs of models as well; they find less")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    try:
        scores = arrange(read(options.scores), train=options.train)
        found = evidence(scores, margin=options.margin)
        pairs = all_pairs(scores) if options.pairs else []
    except ScoresError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        more = {"pairs": [asdict(pair) for pair in pairs]} if options.pairs else {}
        print(json.dumps({**found.as_dict(), **more}, indent=1, ensure_ascii=False))
    else:
        print(render(found) + "".join(f"{line}\n" for line in pair_lines(pairs)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
