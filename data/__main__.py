"""`python -m data FOLDER` checks a folder of photographs and masks: a summary and exit 0, or every problem, exit 1."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.cli import Parser, whole_number
from data import synthetic
from data.dataset import Contents, describe_range, read_pairs, size_text
from data.layout import SPLITS, describe_ignored, find
from data.problems import DataError
from data.splits import SplitError, check_fold


@dataclass(frozen=True)
class _Facts:
    """Facts of a pair: its size in words and the share of foreground."""

    size: str
    share: float


def _summary(contents: Contents[_Facts]) -> str:
    """The splits (number of pairs, smallest to largest share of foreground, sizes), the range and the digests."""
    lines = [f"{'split':<6} {'pairs':>5}  {'foreground':<15} size"]
    for split in SPLITS:
        pairs = contents.pairs[split]
        shares = [pair.share for pair in pairs]
        sizes = ", ".join(sorted({pair.size for pair in pairs}))
        lines.append(
            f"{split:<6} {len(pairs):>5}  {f'{_percent(min(shares))} to {_percent(max(shares))} %':<15} {sizes}"
        )
    if contents.pixel_range:
        lines.append(describe_range(contents.pixel_range))
    return "\n".join([*lines, f"digest {contents.digest}", f"test digest {contents.test_digest}"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.2g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one folder; the exit status is 0 if it is fit for training, else 1."""
    parser = Parser(prog="python -m data", description="Check a folder of images and masks.")
    parser.add_argument("folder", help="the folder, or drawn or drawn:SEED for drawn photographs")
    parser.add_argument("--split_seed", type=whole_number(0), default=0, help="seed of random splits")
    parser.add_argument(
        "--fold",
        type=whole_number(0),
        default=0,
        help="0: the folder's own split; K: the K-th random re-split, or the K-th of --folds",
    )
    parser.add_argument("--folds", type=whole_number(0), default=0, help="cross-validation in so many folds; 0: none")
    parser.add_argument(
        "--image-size",
        "--image_size",
        type=whole_number(),
        metavar="N",
        help="list also losses of the masks in squares of N pixels",
    )
    parser.add_argument("--json", action="store_true", help="print an object for machines, with the same as `text`")
    options = parser.parse_args(arguments)
    ignored: list[Path] = []
    try:
        check_fold(options.fold, options.folds)
        listing = find(_resolve(options.folder), options.split_seed, options.fold, options.folds)
        ignored = listing.ignored
        contents = read_pairs(
            listing, options.image_size, lambda _, image, mask: _Facts(size_text(image), float(mask.mean()))
        )
    except SplitError as error:
        parser.error(str(error))
    except DataError as error:
        print("\n".join([str(error), *([describe_ignored(ignored)] if ignored else [])]), file=sys.stderr)
        return 1
    lines = [f"{options.folder}: {listing.rule}", _summary(contents)]
    lines += [f"warning: {warning}" for warning in contents.warnings]
    if ignored:
        lines.append(describe_ignored(ignored))
    text = "\n".join(lines)
    facts = {"digest": contents.digest, "test_digest": contents.test_digest, "warnings": contents.warnings}
    print(json.dumps({**facts, "text": text}) if options.json else text)
    return 0


def _resolve(name: str) -> Path:
    try:
        return synthetic.resolve(name)
    except DataError:
        raise
    except ValueError as error:
        raise DataError([f"{error}."]) from error


if __name__ == "__main__":
    sys.exit(main())
