"""Options that the commands about evidence share."""

from __future__ import annotations

import argparse
import math

from analysis.evidence.claims import MARGIN
from common.cli import whole_number


def margin(text: str) -> float:
    """The type of an option that is a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, such as 0.01")
    return value


def difference(text: str) -> float:
    """The type of an option that is a finite number from 0 on."""
    return 0.0 if text.strip("0.") == "" and "0" in text else margin(text)


def add_margin(parser: argparse.ArgumentParser) -> None:
    """`--margin`."""
    parser.add_argument(
        "--margin",
        type=margin,
        default=MARGIN,
        metavar="M",
        help="largest difference that does not matter (default: %(default)s)",
    )


def add_train(parser: argparse.ArgumentParser) -> None:
    """`--train`."""
    parser.add_argument(
        "--train",
        type=whole_number(0),
        metavar="N",
        help="training images of each split, 0 if every split has photographs of its own "
        "(default: all that are not tested, less as many for validation as for testing)",
    )
