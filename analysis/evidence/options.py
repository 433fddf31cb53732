"""Options that the commands about evidence share."""

from __future__ import annotations

import argparse

from analysis.evidence.claims import MARGIN
from common.cli import number, whole_number


def add_margin(parser: argparse.ArgumentParser) -> None:
    """Add `--margin`."""
    parser.add_argument(
        "--margin",
        type=number(above=0),
        default=MARGIN,
        metavar="M",
        help="largest difference that does not matter (default: %(default)s)",
    )


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add `--train`."""
    parser.add_argument(
        "--train",
        type=whole_number(0),
        metavar="N",
        help="training images of each split, 0 if every split has photographs of its own "
        "(default: all that are not tested, less as many for validation as for testing)",
    )
