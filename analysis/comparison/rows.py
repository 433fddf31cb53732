"""Runs → the rows of the comparison: one per model, with everything that is a mean, a spread or a fact of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.comparison.row_labels import IDENTITY, NUISANCE, SCIENTIFIC, varying
from analysis.curves.overfitting import overfitting_figures, verdict
from common.keys import METRICS, RULES

if TYPE_CHECKING:
    from analysis.stats.evidence import Evidence

FACTS = ("n_parameters", "n_macs")
MEANS = {
    "val_iou": "val/iou",
    "val_loss": "val/loss",
    "seconds_train": "seconds/train",
    "seconds_per_image": "seconds/per_image",
    "bn_gap": "val/bn_gap",
}
"""Column of the table → key of docs/runs.md whose mean over runs it is; empty where no run has the key."""


def model_table(runs: pd.DataFrame, history: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per value of `runs["model"]`, by test IoU, best first; equal ones by validation IoU.

    `runs` has the columns of `models.with_models` and `with_splits`, `scores` those of `masks.image_scores`.
    """
    figures = overfitting_figures(runs, history)
    extra = [*varying(runs, SCIENTIFIC), *varying(runs, NUISANCE)]
    rows = [
        model_row(of_model, figures[figures["run_id"].isin(of_model["run_id"])], scores, extra)
        for _, of_model in runs.groupby("model", sort=False)
    ]
    table = pd.DataFrame(rows)
    return table.sort_values(["test_iou", "val_iou"], ascending=False, kind="stable").reset_index(drop=True)


def model_row(
    runs: pd.DataFrame, figures: pd.DataFrame, scores: pd.DataFrame, extra: list[str]
) -> dict[str, object]:
    """The row for the runs of one model: means over runs, and the spread of test IoU over runs and images."""
    first = runs.iloc[0]
    rule = str(first["test/rule"])
    by_rule = runs.sort_values(
        "val/loss" if rule == "best_loss" else "val/iou", ascending=rule == "best_loss", kind="stable"
    )
    return {
        **{name: first[name] for name in ("model", *IDENTITY, *extra)},
        "rule": rule,
        "n_runs": len(runs),
        "n_seeds": int(runs.groupby("split")["repeat"].nunique().min()),
        "n_splits": runs["split"].nunique(),
        "run_ids": " ".join(by_rule["run_id"]),
        **by_both_rules(runs, rule),
        **over_images(scores[scores["run_id"].isin(runs["run_id"]) & (scores["checkpoint"] == rule)]),
        "best_epoch": runs[f"{rule}/epoch"].mean(),
        **{name: mean(runs, key) for name, key in MEANS.items()},
        **{name: first.get(name) for name in FACTS},
        "n_bn_repaired": repaired(runs),
        "device": devices(runs),
        "overfitting": verdict(figures),
    }


def by_both_rules(runs: pd.DataFrame, rule: str) -> dict[str, object]:
    """The five metrics of the checkpoint that `rule` tests, the spread of IoU, and the same of the other checkpoint.

    `rule_cost` is what choosing by `rule` cost: IoU of the other checkpoint minus IoU of this one.
    """
    other = next(name for name in RULES if name != rule)
    iou, other_iou = runs["test/iou"], mean(runs, f"{other}/test_iou")
    return {
        **{f"test_{metric}": runs[f"test/{metric}"].mean() for metric in METRICS},
        "test_iou_min": iou.min(),
        "test_iou_max": iou.max(),
        "test_iou_sd": iou.std(ddof=1),
        **{f"other_rule_test_{metric}": mean(runs, f"{other}/test_{metric}") for metric in METRICS},
        "rule_cost": other_iou - iou.mean() if other_iou is not None else None,
    }


def over_images(scores: pd.DataFrame) -> dict[str, object]:
    """Means over images, the worst and the best of them, from the scores of one model's tested checkpoints."""
    empty: dict[str, object] = dict.fromkeys(
        ("image_mean_iou", "boundary_iou", "worst_image", "image_iou_min", "image_iou_max")
    )
    if scores.empty:
        return empty
    worst = scores.iloc[int(scores["iou"].argmin())]
    return {
        "image_mean_iou": scores.groupby("run_id")["iou"].mean().mean(),
        "boundary_iou": scores.groupby("run_id")["boundary_iou"].mean().mean(),
        "worst_image": worst["image"],
        "image_iou_min": worst["iou"],
        "image_iou_max": scores["iou"].max(),
    }


def mean(runs: pd.DataFrame, key: str) -> float | None:
    """Mean over the runs that have this key; None if none has."""
    values = pd.to_numeric(runs[key], errors="coerce") if key in runs else pd.Series(dtype=float)
    return float(values.mean()) if values.notna().any() else None


def repaired(runs: pd.DataFrame) -> int | None:
    """Of how many runs the tested checkpoint had its BatchNorm statistics recomputed; None if no run says."""
    told = runs["bn_repaired"].dropna() if "bn_repaired" in runs else pd.Series(dtype=object)
    return int(told.astype(bool).sum()) if len(told) else None


def devices(runs: pd.DataFrame) -> str | None:
    """Where the runs were trained, several with commas between; None if no run says."""
    told = runs["device"].dropna() if "device" in runs else pd.Series(dtype=object)
    return ", ".join(sorted(set(told.astype(str)))) or None


def with_evidence(table: pd.DataFrame, lab: Evidence | None, splits: Evidence | None) -> pd.DataFrame:
    """`table` with the intervals of test IoU on one split and over `splits`, and what the wider one tells apart.

    New columns: test_iou_low, test_iou_high; n_resplits, resplit_iou, resplit_iou_low, resplit_iou_high; p_best,
    letters, stands_out. Empty where there is no evidence.
    """
    deciding = splits or lab
    intervals = {"test_iou_low": "low", "test_iou_high": "high"}
    over = {
        "resplit_iou": "mean",
        "resplit_iou_low": "low",
        "resplit_iou_high": "high",
        "n_resplits": "n_splits",
    }
    told = {name: name for name in ("p_best", "letters", "stands_out")}
    table = table.copy()
    for evidence, columns in ((lab, intervals), (splits, over), (deciding, told)):
        for name, source in columns.items():
            found = dict(evidence.models.set_index("model")[source]) if evidence else {}
            table[name] = [found.get(model) for model in table["model"]]
    table["letters"] = ["" if pd.isna(letters) else letters for letters in table["letters"]]
    table["stands_out"] = table["stands_out"].eq(True)
    return table
