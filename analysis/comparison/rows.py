"""Runs → the rows of the comparison: one per model, with everything that is a mean, a spread or a fact of its runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from analysis.comparison.confidence_interval import interval
from analysis.comparison.row_labels import IDENTITY, NUISANCE, SCIENTIFIC, varying
from analysis.curves.overfitting import verdict
from common import keys
from common.keys import METRICS, RULES

if TYPE_CHECKING:
    from analysis.evidence.result import Evidence

FACTS = ("n_parameters", "n_macs")
MEANS = {
    "val_iou": keys.VAL_IOU,
    "val_loss": keys.VAL_LOSS,
    "seconds_train": keys.SECONDS_TRAIN,
    "seconds_per_image": keys.SECONDS_PER_IMAGE,
    "bn_gap": keys.BN_GAP,
}
"""Column of the table → key of docs/runs.md whose mean over runs it holds; empty if no run has the key."""


def model_table(runs: pd.DataFrame, history: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per value of `runs["model"]`, by test IoU, best first; equal ones by validation IoU.

    `runs` has the columns of `row_labels.with_models` and `with_splits`, `scores` those of `masks.image_scores`.
    """
    extra = [*varying(runs, SCIENTIFIC), *varying(runs, NUISANCE)]
    rows = [
        model_row(of_model, history[history["run_id"].isin(of_model["run_id"])], scores, extra)
        for _, of_model in runs.groupby("model", sort=False)
    ]
    table = pd.DataFrame(rows)
    return table.sort_values(["test_iou", "val_iou"], ascending=False, kind="stable").reset_index(drop=True)


def model_row(runs: pd.DataFrame, history: pd.DataFrame, scores: pd.DataFrame, extra: list[str]) -> dict[str, object]:
    """The row for the runs of one model: means over runs, and the spread of test IoU over runs and images."""
    first = runs.iloc[0]
    rule = str(first[keys.TEST_RULE])
    by_rule = runs.sort_values(
        keys.VAL_LOSS if rule == "best_loss" else keys.VAL_IOU, ascending=rule == "best_loss", kind="stable"
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
        **at_tested_epoch(runs, history, rule),
        **{name: mean(runs, key) for name, key in MEANS.items()},
        **{name: first.get(name) for name in FACTS},
        "n_bn_repaired": count_repaired(runs),
        "device": devices(runs),
        "overfitting": verdict(history),
    }


def at_tested_epoch(runs: pd.DataFrame, history: pd.DataFrame, rule: str) -> dict[str, float | None]:
    """Validation IoU and loss of the tested epoch, means over runs; None without that epoch."""
    tested = runs[["run_id", f"{rule}/epoch"]].rename(columns={f"{rule}/epoch": "epoch"})
    own = history.merge(tested, on=["run_id", "epoch"])
    return {"tested_val_iou": mean(own, keys.VAL_IOU), "tested_val_loss": mean(own, keys.VAL_LOSS)}


def by_both_rules(runs: pd.DataFrame, rule: str) -> dict[str, object]:
    """The five metrics of the checkpoint that `rule` tests, the spread of IoU, and the same of the other checkpoint.

    `rule_cost`, the cost of choosing by `rule`, is the IoU of the other checkpoint minus that of this one.
    """
    other = next(name for name in RULES if name != rule)
    iou, other_iou = runs[keys.TEST_IOU], mean(runs, f"{other}/test_iou")
    return {
        **{f"test_{metric}": runs[f"test/{metric}"].mean() for metric in METRICS},
        "test_iou_min": iou.min(),
        "test_iou_max": iou.max(),
        "test_iou_sd": iou.std(ddof=1),
        **{f"other_rule_test_{metric}": mean(runs, f"{other}/test_{metric}") for metric in METRICS},
        "rule_cost": other_iou - iou.mean() if other_iou is not None else None,
    }


def over_images(scores: pd.DataFrame) -> dict[str, object]:
    """Means over images, the worst and the best of them by the mean over runs, from one model's tested checkpoints."""
    empty: dict[str, object] = dict.fromkeys(
        ("image_mean_iou", "boundary_iou", "worst_image", "image_iou_min", "image_iou_max")
    )
    if scores.empty:
        return empty
    by_image = scores.groupby("image")["iou"].mean()
    return {
        "image_mean_iou": scores.groupby("run_id")["iou"].mean().mean(),
        "boundary_iou": scores.groupby("run_id")["boundary_iou"].mean().mean(),
        "worst_image": by_image.idxmin(),
        "image_iou_min": by_image.min(),
        "image_iou_max": by_image.max(),
    }


def image_means(tested: pd.DataFrame) -> pd.DataFrame:
    """One row per test image, hardest first: image, iou (mean over models of their means over runs), low, high, n.

    `tested` has a row per run and image, of the checkpoints that the lab's rule tests; low and high: over models;
    n: number of models.
    """
    models = tested.groupby(["image", "model"])["iou"].mean()
    means = models.groupby("image").agg(["mean", "min", "max", "size"]).reset_index()
    means.columns = pd.Index(["image", "iou", "low", "high", "n"])
    return means.sort_values("iou", kind="stable", ignore_index=True)


def mean(runs: pd.DataFrame, key: str) -> float | None:
    """Mean over the runs that have this key; None if none has."""
    values = pd.to_numeric(runs[key], errors="coerce") if key in runs else pd.Series(dtype=float)
    return float(values.mean()) if values.notna().any() else None


def count_repaired(runs: pd.DataFrame) -> int | None:
    """Number of runs whose tested checkpoint had its BatchNorm statistics recomputed; None if no run says."""
    told = runs["bn_repaired"].dropna() if "bn_repaired" in runs else pd.Series(dtype=object)
    return int(told.astype(bool).sum()) if len(told) else None


def devices(runs: pd.DataFrame) -> str | None:
    """Devices of the runs, with commas between; None if no run names one."""
    told = runs["device"].dropna() if "device" in runs else pd.Series(dtype=object)
    return ", ".join(sorted(set(told.astype(str)))) or None


def with_evidence(
    table: pd.DataFrame, evidence: Evidence | None, runs: pd.DataFrame, tested: pd.DataFrame
) -> pd.DataFrame:
    """`table` with the interval of test IoU of its `runs`, from the scores `tested`, and the verdicts of `evidence`.

    With several splits, rows are in the order of means over all of them, of which the verdicts are. New columns:
    test_iou_low, test_iou_high, empty if rows are means over splits; n_resplits and resplit_iou if there are several;
    verdict, claim, difference, difference_low, difference_high, difference_p.
    """
    own = tested[tested["run_id"].isin(runs["run_id"])]
    one_split = runs["split"].nunique() == 1
    ends = {model: ends_of(scores) for model, scores in own.groupby("model")} if one_split else {}
    bounds = [ends.get(model, (math.nan, math.nan)) for model in table["model"]]
    judged = [judgement(evidence, str(model)) for model in table["model"]]
    columns = pd.DataFrame(bounds, columns=["test_iou_low", "test_iou_high"]).join(pd.DataFrame(judged))
    joined = table.join(columns)
    if evidence is not None and evidence.n_splits > 1:
        means = joined["resplit_iou"].fillna(joined["test_iou"])
        joined = joined.loc[means.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
    return joined


def ends_of(scores: pd.DataFrame) -> tuple[float, float]:
    """Ends of the interval of one model's mean over its seeds and the images that all of them saw, within 0 … 1."""
    cells = scores.pivot_table(index="repeat", columns="image", values="value").dropna(axis=1)
    if cells.empty:
        return math.nan, math.nan
    low, high = interval(cells.to_numpy(dtype=float))
    return max(float(low), 0.0), min(float(high), 1.0)


def judgement(evidence: Evidence | None, model: str) -> dict[str, object]:
    """The columns of one model that come from evidence; empty if it has no verdict on it."""
    names = ["n_resplits", "resplit_iou", "verdict", "claim"]
    names += ["difference", "difference_low", "difference_high", "difference_p"]
    if evidence is None or model not in evidence.models:
        return dict.fromkeys(names)
    judged = evidence.models[model]
    claim = judged.claims[evidence.claim]
    several = evidence.n_splits > 1
    values = (claim.n_splits if several else None, judged.mean if several else None, judged.verdict, evidence.claim)
    return dict(zip(names, (*values, claim.estimate, claim.low, claim.high, claim.p), strict=True))
