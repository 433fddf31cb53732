"""The run that stands for a model in a picture of masks, and the test images that such a picture shows."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from analysis.comparison.comparison import Comparison
from common import keys


def tested_images(comparison: Comparison) -> dict[str, frozenset[str]]:
    """By run_id the test images of every run behind the table that has predictions; folds have images of their own."""
    tested = comparison.tested
    tested = tested[tested["run_id"].isin(comparison.runs["run_id"])]
    return {str(run_id): frozenset(images) for run_id, images in tested.groupby("run_id")["image"]}


def median_runs(comparison: Comparison, images: Collection[str] | None = None) -> pd.DataFrame:
    """One run per model, best model first: of the runs with predictions the one with the median test IoU.

    With `images` only the runs that were tested on most of these count; a model without one is left out. Of an even
    number of runs it is the lower of the two in the middle.
    """
    seen = tested_images(comparison)
    runs = comparison.runs[comparison.runs["run_id"].isin(list(seen))]
    if images is not None:
        shared = runs["run_id"].map({run_id: len(own.intersection(images)) for run_id, own in seen.items()})
        runs = runs[(shared > 0) & (shared == shared.groupby(runs["model"]).transform("max"))]
    of_models = (runs[runs["model"] == model].sort_values(keys.TEST_IOU) for model in comparison.table["model"])
    return pd.DataFrame([rows.iloc[(len(rows) - 1) // 2] for rows in of_models if len(rows)])


def shown_run(comparison: Comparison) -> str | None:
    """The run whose test images are shown: those that most models were tested on, and of these on most of them.

    Of equal ones those of the best model's median run. None if no run has predictions.
    """
    seen = tested_images(comparison)
    if not seen:
        return None
    own = comparison.runs[comparison.runs["run_id"].isin(list(seen))]
    of_models = [{seen[run_id] for run_id in runs} for _, runs in own.groupby("model")["run_id"]]
    in_order = [str(run_id) for run_id in (*median_runs(comparison)["run_id"], *own["run_id"])]

    def shared(run_id: str) -> tuple[int, int]:
        most = [max(len(images & seen[run_id]) for images in sets) for sets in of_models]
        return sum(n > 0 for n in most), sum(most)

    return max(in_order, key=shared)
