"""Runs → the comparison that table, curves and grid share: one row per model, best first, and its caveats."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis import caveats
from analysis.masks import METRICS, RULES, image_scores
from analysis.models import IDENTITY, NUISANCE, SCIENTIFIC, best_settings, mixed_data, varying, with_models
from analysis.overfitting import overfitting_figures, verdict
from analysis.runs import Study


@dataclass(frozen=True)
class Comparison:
    """`table`: one row per model, best first (columns: analysis/README.md). `runs`: the runs behind it, with their
    `model`. `scores`: `masks.image_scores` of those runs. `notes`: sentences needed to read the table.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    scores: pd.DataFrame
    notes: tuple[str, ...]


def compare(study: Study) -> Comparison:
    """The comparison of a study's models by the lab's rule."""
    runs, choice = best_settings(with_models(study.runs))
    shown = set(runs["run_id"])
    predictions = {run_id: p for run_id, p in study.predictions.items() if run_id in shown}
    scores = image_scores(predictions)
    table = model_table(runs, study.history, scores)
    notes = (
        mixed_data(runs),
        *study.remarks,
        choice,
        caveats.agreement(runs, scores),
        caveats.power(caveats.n_test_images(predictions, runs)),
        caveats.ceiling(table, predictions),
        caveats.image_range(scores, runs),
        caveats.repetition(table),
        caveats.RULE_TEXT,
    )
    return Comparison(table, runs, scores, tuple(note for note in notes if note))


def model_table(runs: pd.DataFrame, history: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per value of `runs["model"]`, by test IoU, best first; equal ones by validation IoU."""
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
    other = next(name for name in RULES if name != rule)
    images = scores[scores["run_id"].isin(runs["run_id"]) & (scores["checkpoint"] == rule)]["iou"]
    iou = runs["test/iou"]
    return {
        **{name: first[name] for name in ("model", *IDENTITY, *extra)},
        "rule": rule,
        "n_runs": len(runs),
        "run_ids": " ".join(by_rule["run_id"]),
        **{f"test_{metric}": runs[f"test/{metric}"].mean() for metric in METRICS},
        "test_iou_min": iou.min(),
        "test_iou_max": iou.max(),
        "test_iou_sd": iou.std(ddof=1),
        "image_iou_min": images.min(),
        "image_iou_max": images.max(),
        "other_rule_test_iou": runs[f"{other}/test_iou"].mean(),
        "val_iou": runs["val/iou"].mean(),
        "val_loss": runs["val/loss"].mean(),
        "best_epoch": runs[f"{rule}/epoch"].mean(),
        "n_parameters": first.get("n_parameters"),
        "seconds_train": runs["seconds/train"].mean() if "seconds/train" in runs else None,
        "overfitting": verdict(figures),
    }
