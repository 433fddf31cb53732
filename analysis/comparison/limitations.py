"""What a comparison on a few test images can prove, and whether its numbers agree with its masks; in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from analysis.comparison.masks import Mask, one_pixel_loss, pooled_scores
from common.keys import METRICS

if TYPE_CHECKING:
    from analysis.stats.evidence import Evidence

TOLERANCE = 1e-6


def disagreements(runs: pd.DataFrame, scores: pd.DataFrame) -> dict[str, float]:
    """Largest |summary − recomputed| over both checkpoints and the five metrics, by run_id.

    `runs` has the summary values of docs/runs.md, `scores` is `masks.image_scores`. A run has no entry if it has
    no scores; a value that its summary lacks is not compared.
    """
    found: dict[str, float] = {}
    for row in pooled_scores(scores).merge(runs, on="run_id", suffixes=("", "_config")).to_dict("records"):
        prefixes = [
            f"{row['checkpoint']}/test_",
            *(["test/"] if row["checkpoint"] == row["test/rule"] else []),
        ]
        told = [(row.get(prefix + metric), row[metric]) for prefix in prefixes for metric in METRICS]
        gaps = [abs(summary - masks) for summary, masks in told if pd.notna(summary)]
        found[row["run_id"]] = max([found.get(row["run_id"], 0.0), *gaps])
    return found


def agreement(runs: pd.DataFrame, scores: pd.DataFrame) -> str:
    """A sentence: the metrics were recomputed from the masks of how many runs, and agree or do not."""
    gaps = disagreements(runs, scores)
    wrong = {run_id: gap for run_id, gap in gaps.items() if gap > TOLERANCE}
    if wrong:
        told = ", ".join(f"{run_id} by {gap:.2g}" for run_id, gap in sorted(wrong.items()))
        return f"WARNING: summary and masks DISAGREE for {len(wrong)} of {len(runs)} runs ({told}): do not use them."
    unchecked = len(runs) - len(gaps)
    without = f"; {unchecked} without a predictions artifact could not be checked" if unchecked else ""
    return (
        f"Recomputed from the predicted masks, the test metrics of {len(gaps)} of {len(runs)} runs agree with"
        f" their summaries to 1e-6{without}."
    )


def power(n_images: int, alpha: float = 0.05) -> str | None:
    """A sentence: what p a paired test over `n_images` could reach at best; None where their number is unknown."""
    from analysis.stats.pairs import smallest_p

    if not n_images:
        return None
    p = smallest_p(n_images)
    test = (
        f"n = {n_images} test images: an exact paired test over them cannot give a two-sided p below {p:.3g}"
    )
    if p > alpha:
        return (
            f"{test}, so on these images alone no difference, however large, is significant at {alpha:.2g} without"
            " assuming how differences are distributed."
        )
    return f"{test}."


def proof(one: Evidence | None, splits: Evidence | None) -> tuple[str, ...]:
    """Sentences: what bold and letters rest on, what the intervals are worth, how far choosing flattered the winner.

    `one`: the evidence of the rows' own numbers; `splits`: that over several splits, which decides where there is any.
    """
    deciding = splits or one
    if deciding is None:
        return ()
    each = [one] if one is splits or splits is None else [one, splits]
    told = (
        *(comparison_of(deciding), power(deciding.n_images, 1 - deciding.level)),
        *(trust(known) for known in each if known),
        *(flattery(deciding), agreement_of_splits(deciding)),
    )
    return tuple(note for note in told if note)


def comparison_of(evidence: Evidence) -> str | None:
    """What bold print and letters mean here; None for one model."""
    n = len(evidence.models)
    if n < 2:
        return None
    alpha = 1 - evidence.level
    best = evidence.models.iloc[0]
    won = f"only {best['model']} is" if best["stands_out"] else "no model is"
    p = evidence.pairs["p_holm"].min()
    least = "p unknown" if pd.isna(p) else f"p {p:.2g}" if p >= 0.0001 else "p < 0.0001"
    n_pairs = len(evidence.pairs)
    return (
        f"Bold: better than each of the others at the {alpha:.2g} level; {won}. Models that share a letter cannot"
        f" be told apart there: {evidence.test}, {n_pairs} pair{'s' * (n_pairs > 1)}, Holm's correction, smallest"
        f" corrected {least}."
    )


def trust(evidence: Evidence) -> str:
    """What the intervals are, and how often such intervals hold the truth at this n."""
    models = evidence.models
    n_seeds = int(models["n_seeds"].min())
    seeds = f"{n_seeds} seed{'s' * (n_seeds > 1)} × {evidence.n_images} images"
    n = f"{evidence.n_splits} splits, each of {seeds}" if evidence.n_splits > 1 else seeds
    what = f"Intervals of IoU{' over splits' * (evidence.n_splits > 1)} are {evidence.level:.0%} intervals by"
    covered = (
        "nothing varies, so there is none"
        if evidence.coverage is None
        else f"simulated at this n they hold the true mean in {evidence.coverage:.1%} of cases"
    )
    return f"{what} {evidence.interval_method} ({n}); {covered}."


def flattery(evidence: Evidence) -> str | None:
    """How much being the best of so many flatters the best, and what is left; None for one model."""
    found = evidence.optimism
    if found is None:
        return None
    if math.isnan(found.optimism):
        return f"How far being the best of {found.n_models} flatters {found.winner} cannot be told from one image."
    return (
        f"Being the best of {found.n_models} flatters {found.winner} by about {max(found.optimism, 0.0):.3f}: its IoU"
        f" of {found.observed:.3f} corrects to {found.corrected:.3f}."
    )


def agreement_of_splits(evidence: Evidence) -> str | None:
    """How far the splits agree on the order of the models; None for one split or one model."""
    found = evidence.stability
    if found is None:
        return None
    return (
        f"The {evidence.n_splits} splits agree on the order of the models with Kendall's W = {found.kendall_w:.2f}"
        " (1: entirely)."
    )


def ceiling(table: pd.DataFrame, truths: Mapping[str, Mask]) -> str | None:
    """A sentence: IoU lost to one pixel of boundary, and how many rows of the comparison lie within it.

    None without truths, or if they differ in size: then a pixel is not the same for all.
    """
    sizes = {truth.shape for truth in truths.values()}
    if len(sizes) != 1:
        return None
    (height, width), loss = sizes.pop(), one_pixel_loss(truths.values())
    costs = f"One-pixel ceiling: growing or shrinking the truth by one pixel at {width}×{height} costs IoU {loss:.3f}"
    near = int((table["test_iou"] > table["test_iou"].max() - loss).sum())
    return costs + (
        f"; {near} of {len(table)} models lie within that of the best." if len(table) > 1 else "."
    )


def image_range(tested: pd.DataFrame) -> str | None:
    """A sentence: how far the test images of one run lie apart, in IoU, from the scores of tested checkpoints."""
    if tested.empty:
        return None
    widths = tested.groupby("run_id")["iou"].agg(lambda iou: iou.max() - iou.min())
    return (
        f"IoU of single test images goes from {tested['iou'].min():.3f} to {tested['iou'].max():.3f};"
        f" within one run the images lie {widths.median():.3f} apart (median, n = {len(widths)} runs)."
    )


def repetition(table: pd.DataFrame) -> str:
    """A sentence: how many runs stand behind each row."""
    fewest, most = int(table["n_runs"].min()), int(table["n_runs"].max())
    if most == 1:
        return "n = 1 run per model: how much another seed would change a row is not known from this table."
    runs = str(most) if fewest == most else f"{fewest} to {most}"
    return f"Means over n = {runs} runs per model; test_iou_min, _max and _sd give their spread."


def n_test_images(runs: pd.DataFrame) -> int:
    """Number of test images by the runs' own account, the smallest; 0 if they do not say."""
    told = runs["n_test"].dropna() if "n_test" in runs else pd.Series(dtype=float)
    return int(told.min()) if len(told) else 0


RULE_TEXT = (
    "Rule: models of segmentation_models_pytorch are tested at the lowest validation loss (best_loss), the U-Nets"
    " written here at the highest validation IoU (best_iou)."
)
