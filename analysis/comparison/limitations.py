"""Sentences on the limits of a comparison: agreement of numbers and masks, ceilings, sizes, repetitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from analysis.comparison.definitions import Definition, one_pixel_iou
from analysis.comparison.rows import image_means
from analysis.pull.masks import Mask, pool_scores
from common import keys
from common.keys import METRICS
from common.text import plural, some

TOLERANCE = 1e-6


def disagreements(runs: pd.DataFrame, scores: pd.DataFrame) -> dict[str, float]:
    """Largest |summary − recomputed| over both checkpoints and the five metrics, by run_id.

    `runs` has the summary values of docs/runs.md, `scores` is `masks.image_scores`. A run has no entry if it has
    no scores; a value that its summary lacks is not compared.
    """
    found: dict[str, float] = {}
    for row in pool_scores(scores).merge(runs, on="run_id", suffixes=("", "_config")).to_dict("records"):
        prefixes = [f"{row['checkpoint']}/test_", *(["test/"] if row["checkpoint"] == row[keys.TEST_RULE] else [])]
        told = [(row.get(prefix + metric), row[metric]) for prefix in prefixes for metric in METRICS]
        gaps = [abs(summary - masks) for summary, masks in told if pd.notna(summary)]
        found[row["run_id"]] = max([found.get(row["run_id"], 0.0), *gaps])
    return found


def agreement(runs: pd.DataFrame, scores: pd.DataFrame) -> tuple[bool, str]:
    """Whether metrics recomputed from masks agree with the summaries, and a sentence with the number of runs."""
    gaps = disagreements(runs, scores)
    wrong = {run_id: gap for run_id, gap in gaps.items() if gap > TOLERANCE}
    if wrong:
        told = ", ".join(f"{run_id} by {gap:.2g}" for run_id, gap in sorted(wrong.items()))
        of = f"{len(wrong)} of {len(runs)} runs ({told})"
        return False, f"WARNING: summary and masks DISAGREE for {of}: do not use them."
    unchecked = runs["run_id"][~runs["run_id"].isin(list(gaps))].tolist()
    without = f"; {len(unchecked)} without a predictions artifact could not be checked"
    without = f"{without} and count in means, not in verdicts ({some(unchecked, 3)})" if unchecked else ""
    return True, (
        f"Check passed: test metrics recomputed from the masks of {len(gaps)} of {len(runs)} runs agree with their"
        f" summaries to 1e-6{without}."
    )


def image_sizes(runs: pd.DataFrame) -> str | None:
    """A sentence if scores were taken at several sizes: `score_size`, of older runs that of the model's input."""
    columns = runs.reindex(columns=["score_size", "image_size"])
    sizes = sorted(columns["score_size"].fillna(columns["image_size"]).dropna().unique())
    if len(sizes) < 2:
        return None
    shown = ", ".join(f"{size:g}" for size in sizes)
    return (
        f"Scores were taken at {len(sizes)} image sizes ({shown} pixels): an outline that is off by one pixel costs"
        " less IoU at a larger one, so a verdict across sizes is one on model and size together."
    )


def ceiling(table: pd.DataFrame, truths: Mapping[str, Mask], runs: pd.DataFrame, definition: Definition) -> str | None:
    """A sentence: IoU of masks off by one pixel all round, of the photograph and of the square that models see.

    It is by the `definition` of the table. None without truths, or if they differ in size: then a pixel is not the same
    for all.
    """
    sizes = {truth.shape for truth in truths.values()}
    if len(sizes) != 1:
        return None
    (height, width), off = sizes.pop(), one_pixel_iou(truths.values(), definition)
    sides = pd.to_numeric(runs.reindex(columns=["image_size"])["image_size"]).dropna().unique()
    side = int(sides[0]) if len(sides) == 1 else 0
    seen = ""
    if side > 0 and (width, height) != (side, side):
        off_there = one_pixel_iou(resize_masks(truths, side), definition)
        seen = f" by one pixel of the {side}×{side} that the models see, {off_there:.3f};"
    return (
        f"For scale: a mask off by one pixel all round has IoU {off:.3f} at {width}×{height};{seen} the best model"
        f" has {table['test_iou'].max():.3f}."
    )


def resize_masks(truths: Mapping[str, Mask], side: int) -> list[Mask]:
    """The masks as the models see them, (side, side)."""
    return [
        np.asarray(Image.fromarray(truth).resize((side, side), Image.Resampling.NEAREST)) for truth in truths.values()
    ]


def image_range(tested: pd.DataFrame, best: pd.Series[Any]) -> str | None:
    """A sentence on the hardest test image (`rows.image_means`) and the range of IoU over images of a run.

    `tested` has the scores of the tested checkpoints, `best` is the first row of the table.
    """
    if tested.empty:
        return None
    widths = tested.groupby("run_id")["iou"].agg(lambda iou: iou.max() - iou.min())
    if not widths.any():
        return None
    lowest = tested["iou"] == tested.groupby("run_id")["iou"].transform("min")
    hardest, iou = image_means(tested).loc[0, ["image", "iou"]]
    n = tested.loc[tested["image"] == hardest, "run_id"].nunique()
    runs = plural(n, "run") + (" that were tested on it" if n < len(widths) else "")
    other = f"; of the best model it is {best['worst_image']}" if best["worst_image"] != hardest else ""
    return (
        f"Hardest test image: {hardest}, mean IoU {iou:.3f} over {plural(tested['model'].nunique(), 'model')},"
        f" the lowest in {(lowest & (tested['image'] == hardest)).sum()} of {runs}{other}. Single images"
        f" have IoU {tested['iou'].min():.3f} to {tested['iou'].max():.3f}; the easiest and the hardest of one"
        f" run lie {widths.median():.3f} apart (median)."
    )


def repetition(table: pd.DataFrame) -> str | None:
    """A sentence on the number of runs behind each row; None if the answer of several models says that it is one."""
    fewest, most = int(table["n_runs"].min()), int(table["n_runs"].max())
    if most == 1:
        return "n = 1 run: trained again, the model may do otherwise." if len(table) == 1 else None
    runs = str(most) if fewest == most else f"{fewest} to {most}"
    return f"Means over n = {runs} runs per model; test_iou_min, _max and _sd give their spread."


RULE_TEXT = (
    "Rule: models of segmentation_models_pytorch are tested at the epoch of the lowest validation loss (best_loss), the"
    " U-Nets written here at that of the highest validation IoU (best_iou)."
)
