"""The comparison as the sheets that people read: which columns, in which words and decimals; no format yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.comparison.comparison import Comparison
from analysis.comparison.row_labels import NUISANCE, SCIENTIFIC
from analysis.evidence.text import MEANING, RUNGS, WORDS, ladder

LEFT = ("model", "weights", "rule", "verdict", "verdicts", "worst image", "device", "claim", "sample")
"""Titles of the columns that hold text; all others are set to the right."""
PROSE = ("verdicts", "claim", "sample")
"""Those of them that hold words enough to be broken into lines."""
OTHER = {"best_loss": "best_iou", "best_iou": "best_loss"}


@dataclass(frozen=True)
class Sheet:
    """One table to be read: `columns` are title → one text per row, the first names the row; `bold` rows stand out."""

    caption: str
    columns: Mapping[str, Sequence[str]]
    bold: Sequence[bool]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The texts of each row, in the order of the columns."""
        return list(zip(*self.columns.values(), strict=True))


def sheets(comparison: Comparison) -> list[Sheet]:
    """The sheets of a comparison: what was tested, by the other rule, other views, costs; empty columns left out."""
    table = comparison.table
    made = {
        f"Test images, checkpoint by the lab's rule; IoU with 95% interval{compared(comparison)}.": tested_columns(
            table
        ),
        "The same by the other rule; cost: what choosing by the lab's rule cost in IoU.": other_rule(table),
        "Other views of the predictions that the lab's rule tests, and other splits.": other_views(table),
        "Weights, rule of the tested checkpoint; costs in parameters, multiply-accumulates and seconds of the device;"
        " training means the whole of one run. Validation, and BatchNorm statistics recomputed.": costs(table),
    }
    bold = best_rows(table)
    named = {"model": list(table["model"].astype(str))}
    full = {caption: filled(columns) for caption, columns in made.items()}
    return [Sheet(caption, named | columns, bold) for caption, columns in full.items() if columns]


def best_rows(table: pd.DataFrame) -> list[bool]:
    """Which row is proven to be the best."""
    return [verdict == "best" for verdict in table["verdict"]]


def compared(comparison: Comparison) -> str:
    """What difference and verdict in the table are of."""
    found = comparison.evidence
    if found is None:
        return ""
    splits = max(model.claims[found.claim].n_splits for model in found.models.values())
    of = f", over {splits} splits" if splits > 1 else ""
    return f". Difference from the best with 95% interval, and verdict, {MEANING[found.claim]}{of}; bold: the best"


def proof_sheets(comparison: Comparison) -> list[Sheet]:
    """The ladder of three claims, with the sample of each; and, where there are other splits, that of the own one."""
    made = []
    for found, of in ((comparison.evidence, ""), (comparison.own_evidence, " On the data's own split alone.")):
        if found:
            rows = list(ladder(found))
            caption = (
                f"Three claims, each wider than the one before.{of} False claims: how often such a study would call a"
                " model worse if all were equal; power: how often it finds a difference of"
                f" {found.margin:g}; both simulated."
            )
            columns = {title: [row[i] for row in rows] for i, title in enumerate(RUNGS)}
            made.append(Sheet(caption, filled(columns), [False] * len(rows)))
    return made


def tested_columns(table: pd.DataFrame) -> dict[str, list[str]]:
    """The five metrics of the checkpoint that the lab's rule tests, and what is known of the model's rank."""
    own = [name for name in (*SCIENTIFIC, *NUISANCE) if name in table]
    return {
        **{name.replace("_", " "): texts(table[name]) for name in own},
        "seeds": texts(table["n_seeds"]),
        "IoU": decimals(table["test_iou"]),
        "interval": spans(table, "test_iou_low", "test_iou_high"),
        "difference": signed(table["difference"]),
        "its interval": spans(table, "difference_low", "difference_high", signed),
        "verdict": verdicts(table),
        "F1": decimals(table["test_f1"]),
        "precision": decimals(table["test_precision"]),
        "recall": decimals(table["test_recall"]),
        "accuracy": decimals(table["test_accuracy"]),
    }


def verdicts(table: pd.DataFrame) -> list[str]:
    """Verdicts in words; empty where none can be had."""
    known = zip(table["verdict"], table["difference"], strict=True)
    return ["" if pd.isna(difference) else WORDS[str(verdict)] for verdict, difference in known]


def other_rule(table: pd.DataFrame) -> dict[str, list[str]]:
    """The five metrics of the checkpoint that the lab's rule does not test, and what the choice cost."""
    titles = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "accuracy": "accuracy"}
    return {
        "rule": [OTHER.get(str(rule), "") for rule in table["rule"]],
        **{title: decimals(table[f"other_rule_test_{metric}"]) for metric, title in titles.items()},
        "cost": signed(table["rule_cost"]),
    }


def other_views(table: pd.DataFrame) -> dict[str, list[str]]:
    """Per-image and boundary scores, the spread over runs, and other splits."""
    return {
        "IoU per image": decimals(table["image_mean_iou"]),
        "worst image": texts(table["worst_image"]),
        "its IoU": decimals(table["image_iou_min"]),
        "Boundary IoU": decimals(table["boundary_iou"]),
        "IoU over runs": spans(table, "test_iou_min", "test_iou_max"),
        "splits": decimals(table["n_resplits"], 0),
        "IoU over splits": decimals(table["resplit_iou"]),
    }


def costs(table: pd.DataFrame) -> dict[str, list[str]]:
    """What a model takes to train and to run, and how it did in validation."""
    return {
        "weights": texts(table["weights"]),
        "rule": texts(table["rule"]),
        "parameters, M": decimals(scaled(table, "n_parameters", 1e-6), 2),
        "MACs per image, G": decimals(scaled(table, "n_macs", 1e-9), 2),
        "ms per image": decimals(scaled(table, "seconds_per_image", 1e3), 1),
        "training, s": decimals(scaled(table, "seconds_train"), 0),
        "device": texts(table["device"]),
        "BatchNorm repaired": [
            "" if pd.isna(n) else f"{n:.0f} of {runs}"
            for n, runs in zip(table["n_bn_repaired"], table["n_runs"], strict=True)
        ],
        "val IoU": decimals(table["val_iou"]),
        "val loss": decimals(table["val_loss"]),
        "best epoch": decimals(table["best_epoch"], 0),
    }


def filled(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Without the columns in which nothing stands."""
    return {title: values for title, values in columns.items() if any(values)}


def scaled(table: pd.DataFrame, name: str, factor: float = 1.0) -> pd.Series[float]:
    """A column as numbers times `factor`; NaN where there is none."""
    return pd.to_numeric(table[name], errors="coerce") * factor


def texts(values: pd.Series) -> list[str]:
    """As they are; an empty text where there is none."""
    return ["" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value) for value in values]


def formatted(values: pd.Series, write: Callable[[float], str]) -> list[str]:
    """Numbers as text; an empty text where there is none."""
    return ["" if pd.isna(value) else write(float(value)) for value in values]


def decimals(values: pd.Series, digits: int = 3) -> list[str]:
    """Numbers with a fixed number of decimals."""
    return formatted(values, lambda value: f"{value:.{digits}f}")


def signed(values: pd.Series) -> list[str]:
    """Numbers with their sign and three decimals."""
    return formatted(values, lambda value: f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000")


def spans(table: pd.DataFrame, low: str, high: str, write: Callable[[pd.Series], list[str]] = decimals) -> list[str]:
    """`low – high` of each row, empty where they are unknown or equal."""
    pairs = zip(write(table[low]), write(table[high]), strict=True)
    return ["" if a == b else f"{a} – {b}" for a, b in pairs]
