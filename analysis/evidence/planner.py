"""Number of seeds, images or training sets that would decide: `python -m analysis.evidence.planner PILOT.csv`

The pilot is a table of scores as `analysis.evidence` takes it; the plan is made from its variance components.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from analysis.evidence.claims import CLAIMS, LEVEL, SOURCES, comparable
from analysis.evidence.components import Components, estimate
from analysis.evidence.design import Array, Design, ScoresError
from analysis.evidence.options import add_margin, add_train
from analysis.evidence.score_table import arrange, read
from common.cli import Parser, number
from common.text import plural

POWER = 0.8
MOST_NEEDED = 1000
"""Most seeds, images or training sets of a plan; more than that counts as never."""


@dataclass(frozen=True)
class SampleSizes:
    """Number of each that decides with a chance of `POWER`, the others staying as they are; None if no number does.

    `seeds` are runs of a model on each split, `images` all test images, `splits` training sets of which none shares a
    photograph with another. `seeds_and_images` is for both growing by one factor.
    """

    seeds: int | None = None
    images: int | None = None
    splits: int | None = None
    seeds_and_images: tuple[int, int] | None = None


@dataclass(frozen=True)
class Size:
    """Factors by which seeds, images and splits grow, (n,) each or 1."""

    seeds: Array | float = 1.0
    images: Array | float = 1.0
    splits: Array | float = 1.0


def plan(
    components: Components, claim: str, pair: tuple[int, int], gap: float, factors: tuple[float, float], margin: float
) -> SampleSizes:
    """Sample sizes that decide between two models whose true means differ by `gap`: worse, or equivalent.

    `factors`: numbers of standard errors that make a difference and an equivalence if errors are known exactly.
    """
    seeds = fewest_seeds(components.design, pair)
    even = components.on(replace(components.design, runs=components.design.runs[:, :, :seeds]))
    images, known = even.design.distinct, degrees(components, claim, pair)
    parts = variances(even, claim, pair)

    def first(size: Callable[[Array], Size], now: float) -> int | None:
        counts = np.arange(np.ceil(now), MOST_NEEDED + 1)
        enough = decides(even.design, seeds, parts, known, size(counts / now), gap, factors, margin)
        return int(counts[enough.argmax()]) if enough.any() else None

    both = first(lambda n: Size(n, n), float(seeds))
    return SampleSizes(
        first(lambda n: Size(seeds=n), float(seeds)),
        None if claim == CLAIMS[0] else first(lambda n: Size(images=n), float(images)),
        new_splits(even, seeds, pair, gap, factors, margin) if claim == CLAIMS[2] else None,
        (both, int(np.ceil(images * both / seeds))) if both and claim != CLAIMS[0] else None,
    )


def fewest_seeds(design: Design, pair: tuple[int, int]) -> int:
    """Fewest runs of the two models on a split that has any."""
    own = design.seeds[list(pair)]
    return int(own[own > 0].min())


def new_splits(
    components: Components, seeds: int, pair: tuple[int, int], gap: float, factors: tuple[float, float], margin: float
) -> int | None:
    """Training sets that decide if none shares a photograph with another, with runs and images as they are."""
    design = components.design
    n_models, n_splits = design.shape
    if n_splits == 1:
        return None
    two = components.on(Design(np.ones((n_models, 2, seeds), bool), fresh(int(design.n_images.mean())), 0))
    counts = np.arange(2, MOST_NEEDED + 1)
    parts, known = variances(two, CLAIMS[2], pair), degrees(two, CLAIMS[2], pair)
    enough = decides(two.design, seeds, parts, known, Size(splits=counts / 2), gap, factors, margin)
    return int(counts[enough.argmax()]) if enough.any() else None


def fresh(images: int) -> NDArray[np.int64]:
    """Numbers (2, I) of the images of two splits that share none."""
    return np.arange(2 * images).reshape(2, images)


def degrees(components: Components, claim: str, pair: tuple[int, int]) -> dict[str, float]:
    """Degrees of freedom of each part of the variance of a difference, by Satterthwaite if models have their own."""
    found = {}
    for name in (*SOURCES[claim], "rest"):
        square = components.squares[name]
        value, freedom = square.value[0, list(pair)], np.maximum(square.freedom[0, list(pair)], 0.5)
        own = not square.common[0] and value.any()
        found[name] = float(value.sum() ** 2 / (value**2 / freedom).sum()) if own else float(freedom.max())
    return found


def variances(components: Components, claim: str, pair: tuple[int, int]) -> Mapping[str, float]:
    """By source, the variance of the difference between two means; `rest` is the part of runs that images wear off."""
    values = {name: components.values[name][0] for name in SOURCES[claim]}
    structures = {name: components.design.covariances[name] for name in values}
    values["rest"], structures["rest"] = components.residual[0], structures["run"]
    values["run"] = values["run"] - values["rest"]
    a, b = pair
    return {
        name: float(
            own[a] * structures[name][a, a]
            + own[b] * structures[name][b, b]
            - 2 * np.sqrt(own[a] * own[b]) * structures[name][a, b]
        )
        for name, own in values.items()
    }


def decides(
    design: Design,
    seeds: int,
    parts: Mapping[str, float],
    known: Mapping[str, float],
    size: Size,
    gap: float,
    factors: tuple[float, float],
    margin: float,
) -> NDArray[np.bool_]:
    """Whether a study of each size finds the gap, or shows that it is below the margin, with a chance of `POWER`.

    `size` are factors on `design` with so many `seeds`; `known`: degrees of freedom of the variances `parts`.
    """
    images = float(design.n_images.mean())
    per_model = {
        "run": np.asarray(size.splits) * (seeds * size.seeds - 1) / max(seeds - 1, 0.5),
        "image": np.asarray(size.splits) * (images * size.images - 1) / max(images - 1, 0.5),
        "training": (design.shape[1] * np.asarray(size.splits) - 1) / max(design.shape[1] - 1, 0.5),
    }
    per_model["rest"] = per_model["run"] * (images * size.images - 1) / max(images - 1, 0.5)
    grown = {
        "run": np.asarray(size.seeds) * size.splits,
        "rest": np.asarray(size.seeds) * size.splits * size.images,
        "image": np.asarray(size.images) * size.splits,
        "training": np.asarray(size.splits, dtype=float),
    }
    left = {name: parts[name] / grown[name] for name in parts}
    total = sum(left.values(), np.zeros(1))
    spread = sum((left[n] ** 2 / (known[n] * np.maximum(per_model[n], 1)) for n in parts), np.zeros(1))
    freedom = total**2 / np.maximum(spread, 1e-300)
    wider = stdtrit(freedom, 1 - LEVEL / 2) / ndtri(1 - LEVEL / 2)
    chance, error = stdtrit(freedom, POWER), np.sqrt(total)
    differs = gap >= (factors[0] * wider + chance) * error
    return np.asarray(differs | (margin - gap >= (factors[1] * wider + chance) * error))


def normal_factors(n_models: int, rng: np.random.Generator, level: float = LEVEL) -> tuple[float, float]:
    """Standard errors that make a difference, and an equivalence, among so many models if errors were known."""
    normal = rng.standard_normal((20_000, n_models))
    spread = np.ptp(normal, axis=1) / np.sqrt(2)
    above = (normal[:, 1:].max(axis=1) - normal[:, 0]) / np.sqrt(2)
    return float(np.quantile(spread, 1 - level)), float(np.quantile(above, 1 - level))


def page(components: Components, differences: Sequence[float], margin: float) -> Iterator[str]:
    """Lines of the plan: for each claim and true difference, sample sizes that find it or show it within the margin."""
    design, factors = components.design, normal_factors(components.design.shape[0], np.random.default_rng(0))
    pair = median_pair(components)
    for name in CLAIMS:
        yield f"{name.replace('_', ' ')}"
        if comparable(design, name).sum() < 2:
            yield "  the pilot cannot plan it: repeat it with other " + (
                "training sets" if name == CLAIMS[2] else "seeds"
            )
            continue
        for gap in differences:
            needed = plan(components, name, pair, gap, factors, margin)
            enough = needed.seeds == fewest_seeds(design, pair)
            ways = "the pilot is large enough" if enough else alternatives(needed)
            yield f"  {'equal' if gap == 0 else f'{gap:g} apart':<12} {ways}"


def alternatives(needed: SampleSizes) -> str:
    """The ways to decide, in words."""
    ways = [
        plural(n, what) + which
        for n, what, which in (
            (needed.seeds, "seed", ""),
            (needed.images, "test image", ""),
            (needed.splits, "training set", " of new photographs"),
        )
        if n
    ]
    if ways:
        return " or ".join(ways)
    if needed.seeds_and_images:
        seeds, images = needed.seeds_and_images
        return f"{plural(seeds, 'seed')} and {plural(images, 'test image')}"
    return f"never, with up to {MOST_NEEDED} of each"


def median_pair(components: Components) -> tuple[int, int]:
    """Two models whose own variances are about the median, of those with most runs on a split."""
    most = components.design.seeds.max(axis=1)
    able = np.flatnonzero(most >= np.sort(most)[-2])
    order = able[sum(value[0] for value in components.values.values())[able].argsort()]
    middle = len(order) // 2
    return int(order[middle - 1]), int(order[middle])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 after one sentence on the fault of the pilot."""
    parser = Parser(prog="python -m analysis.evidence.planner", description=__doc__)
    parser.add_argument("pilot", type=Path, metavar="PILOT.csv")
    parser.add_argument(
        "--difference", type=number(0), nargs="+", metavar="D", help="true differences (default: 0, 1, 2 and 5 margins)"
    )
    add_margin(parser)
    add_train(parser)
    options = parser.parse_args(arguments)
    gaps = options.difference or [factor * options.margin for factor in (0, 1, 2, 5)]
    try:
        scores = arrange(read(options.pilot), train=options.train)
        components = estimate(scores.design, scores.values[None])
    except ScoresError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Each way decides with a chance of {POWER:.0%}, all else as in the pilot: {size_of(scores.design)}.\n")
    print("\n".join(page(components, gaps, options.margin)))
    return 0


def size_of(design: Design) -> str:
    """The pilot in words."""
    fewest, most = int(design.seeds[design.seeds > 0].min()), int(design.seeds.max())
    seeds = plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds"
    return (
        f"{design.shape[0]} models, {seeds}, {plural(design.distinct, 'test image')},"
        f" {plural(design.shape[1], 'training set')}"
    )


if __name__ == "__main__":
    sys.exit(main())
