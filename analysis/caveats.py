"""What a comparison on a few test images can prove, and whether its numbers agree with its masks; in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.masks import METRICS, Predictions, one_pixel_loss, pooled_scores

TOLERANCE = 1e-6


def smallest_p(n: int) -> float:
    """Smallest two-sided p that an exact paired (sign-flip) test over `n` images can give: 2 / 2^n, at most 1."""
    return min(1.0, 2.0 ** (1 - n))


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


def power(n_images: int) -> str | None:
    """A sentence: what p a paired test over `n_images` could reach at best; None where their number is unknown."""
    if not n_images:
        return None
    p = smallest_p(n_images)
    test = f"an exact paired test over them cannot give a two-sided p below {p:.3g}"
    if p > 0.05:
        return (
            f"n = {n_images} test images: {test}, so on these images no difference in this table can be"
            " significant at 0.05, however large."
        )
    return f"n = {n_images} test images: {test}; nothing here has been tested for significance."


def ceiling(table: pd.DataFrame, predictions: Mapping[str, Predictions]) -> str | None:
    """A sentence: IoU lost to one pixel of boundary, and how many rows of the comparison lie within it.

    None without predictions, or if they differ in size: then a pixel is not the same for all.
    """
    sizes = {truth.shape for p in predictions.values() for truth in p.truth.values()}
    if len(sizes) != 1:
        return None
    (height, width), first = sizes.pop(), next(iter(predictions.values()))
    loss = one_pixel_loss(first.truth.values())
    costs = f"One-pixel ceiling: growing or shrinking the truth by one pixel at {width}×{height} costs IoU {loss:.3f}"
    near = int((table["test_iou"] > table["test_iou"].max() - loss).sum())
    return costs + (
        f"; {near} of {len(table)} models lie within that of the best." if len(table) > 1 else "."
    )


def image_range(scores: pd.DataFrame, runs: pd.DataFrame) -> str | None:
    """A sentence: how far the test images of one run lie apart, in IoU, by the lab's rule."""
    ruled = scores.merge(runs[["run_id", "test/rule"]], on="run_id")
    ruled = ruled[ruled["checkpoint"] == ruled["test/rule"]]
    if ruled.empty:
        return None
    widths = ruled.groupby("run_id")["iou"].agg(lambda iou: iou.max() - iou.min())
    return (
        f"IoU of single test images goes from {ruled['iou'].min():.3f} to {ruled['iou'].max():.3f};"
        f" within one run the images lie {widths.median():.3f} apart (median, n = {len(widths)} runs)."
    )


def repetition(table: pd.DataFrame) -> str:
    """A sentence: how many runs stand behind each row."""
    fewest, most = int(table["n_runs"].min()), int(table["n_runs"].max())
    if most == 1:
        return "n = 1 run per model: how much another seed would change a row is not known from this table."
    runs = str(most) if fewest == most else f"{fewest} to {most}"
    return f"Means over n = {runs} runs per model; test_iou_min, _max and _sd give their spread."


def n_test_images(predictions: Mapping[str, Predictions], runs: pd.DataFrame) -> int:
    """Number of test images: of the predictions, or of the configs where there are none."""
    if predictions:
        return min(len(p.truth) for p in predictions.values())
    return int(runs["n_test"].min()) if "n_test" in runs else 0


RULE_TEXT = (
    "Rule: models of segmentation_models_pytorch are tested at the lowest validation loss (best_loss), the U-Nets"
    " written here at the highest validation IoU (best_iou); metrics are of the foreground, pooled over pixels."
)
