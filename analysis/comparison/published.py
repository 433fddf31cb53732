"""Definitions of IoU under which the masks of a study give a published number."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from analysis import AnalysisError
from analysis.comparison.definitions import DEFINITIONS, run_scores
from common.cli import number
from common.text import plural

NAMED = 3
"""Candidates that the sentence names."""


def published_number(text: str) -> Decimal:
    """The type of an option that is a published IoU, with the decimals that it was given in."""
    number(0, 1)(text)
    return Decimal(text)


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


def sentence(found: pd.DataFrame, value: Decimal) -> str:
    """A sentence on the candidates closest to `value`, and on whether they identify the definition behind it.

    Runs are rounded to the decimals of `value` before they are compared with it.
    """
    told = "; ".join(describe(row) for row in found.head(NAMED).to_dict("records"))
    text = f"{value} comes closest to {told}."
    decimals, at = -int(value.as_tuple().exponent), float(value)
    above, below = found["lowest"].round(decimals) > at, found["highest"].round(decimals) < at
    definitions = found.loc[~above & ~below, "definition"].unique()
    among = f"To {plural(decimals, 'decimal')} it lies among the runs under"
    if len(definitions) > 1:
        return (
            f"{text} {among} {len(definitions)} definitions ({', '.join(definitions)}): the number alone does not tell"
            " which was used."
        )
    if len(definitions) == 1:
        return f"{text} {among} one definition only, {definitions[0]}."
    if above.all() or below.all():
        where = f"All models here lie {'above' if above.all() else 'below'} it under every definition"
    else:
        higher, n = found.loc[above, "model"].nunique(), found["model"].nunique()
        where = f"No run here lies at it (models above it under at least one definition: {higher} of {n})"
    return f"{text} {where}: it may be of another model or other images."


def describe(row: Mapping[Any, Any]) -> str:
    """One candidate in words."""
    spread = f", {row['lowest']:.4f} to {row['highest']:.4f}" if row["n_runs"] != 1 else ""
    beside = "" if row["definition"] == "pooled" else f", where pooled foreground IoU is {row['pooled']:.4f}"
    return (
        f"{row['definition']} IoU of {row['model']} by {row['checkpoint']}, {row['iou']:.4f} (n = "
        f"{plural(row['n_runs'], 'run')}{spread}){beside}"
    )
