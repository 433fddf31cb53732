"""masks.png of a study: every test image, its truth, and the masks of the best models with their errors in colour."""

import sys
from collections.abc import Sequence
from functools import partial

from analysis import cli
from analysis.figures.files import write_masks
from analysis.figures.mask_grid import MOST_MODELS
from common.cli import whole_number


def main(arguments: Sequence[str] | None = None) -> int:
    parser = cli.parser("python -m analysis.grids", str(__doc__))
    parser.add_argument(
        "--models",
        type=whole_number(),
        metavar="N",
        help=f"draw the best N; 4 can be read in a column of text (default: {MOST_MODELS})",
    )
    options = parser.parse_args(arguments)
    return cli.run(parser.prog, options, [partial(write_masks, models=options.models or MOST_MODELS)])


if __name__ == "__main__":
    sys.exit(main())
