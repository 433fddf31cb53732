"""Definitions of IoU under which the masks of a study give a published number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import AnalysisError
from analysis.comparison.definitions import DEFINITIONS, run_scores
from common.text import plural

NAMED = 3
"""Candidates that the sentence names."""


def candidates(scores: pd.DataFrame, value: float) -> pd.DataFrame:
    """Every model × checkpoint × definition, closest first.

    Columns: model, checkpoint, definition, iou (mean over runs), lowest, highest, n_runs, pooled (the same checkpoints'
    pooled foreground IoU), distance of the mean from `value`. `scores` is `masks.image_scores` with `model`. Raises
    `AnalysisError` if it is empty.
    """
    if scores.empty:
        raise AnalysisError("No run has a predictions artifact, so no definition can be told from a published number.")
    models = scores.drop_duplicates("run_id").set_index("run_id")["model"]
    tables = [
        run_scores(scores, definition)[["run_id", "checkpoint", "iou"]].assign(definition=name)
        for name, definition in DEFINITIONS.items()
    ]
    each = pd.concat(tables, ignore_index=True)
    each["model"] = each["run_id"].map(models)
    grouped = each.groupby(["model", "checkpoint", "definition"], sort=False)["iou"]
    found = grouped.agg(iou="mean", lowest="min", highest="max", n_runs="count").reset_index()
    pooled = found[found["definition"] == "pooled"].set_index(["model", "checkpoint"])["iou"]
    found = found.join(pooled.rename("pooled"), on=["model", "checkpoint"])
    return found.assign(distance=(found["iou"] - value).abs()).sort_values("distance", kind="stable")


def sentence(found: pd.DataFrame, value: float) -> str:
    """A sentence on the candidates closest to `value`, and on whether they identify the definition behind it."""
    told = "; ".join(describe(row) for row in found.head(NAMED).to_dict("records"))
    text = f"{value:g} comes closest to {told}."
    inside = found[(found["lowest"] <= value) & (value <= found["highest"])]
    definitions = inside["definition"].unique()
    if len(definitions) > 1:
        return (
            f"{text} It lies among the runs under {len(definitions)} definitions ({', '.join(definitions)}): the number"
            " alone does not tell which was used."
        )
    if len(definitions) == 1:
        return f"{text} It lies among the runs under one definition only, {definitions[0]}."
    return f"{text} No model here reaches it under any definition: it may be of another model or other images."


def describe(row: Mapping[Any, Any]) -> str:
    """One candidate in words."""
    spread = f", {row['lowest']:.4f} to {row['highest']:.4f}" if row["n_runs"] != 1 else ""
    beside = "" if row["definition"] == "pooled" else f", where pooled foreground IoU is {row['pooled']:.4f}"
    return (
        f"{row['definition']} IoU of {row['model']} by {row['checkpoint']}, {row['iou']:.4f} (n = "
        f"{plural(row['n_runs'], 'run')}{spread}){beside}"
    )
