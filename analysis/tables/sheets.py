"""The comparison as sheets for people: columns with titles, words and decimals; no format yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.comparison.comparison import OWN_SPLIT, Comparison
from analysis.comparison.row_labels import NUISANCE, SCIENTIFIC
from analysis.evidence.sentences import MEANING, QUESTION, RUNGS, WORDS, common_sample, ladder
from common.text import sentence_case

LEFT = ("model", "weights", "tested at", "verdict", "verdicts", "worst image", "device", "question", "sample")
"""Titles of the columns that hold text; all others are set to the right."""
PROSE = ("verdicts", "question", "sample")
"""Titles of those whose text is long enough to be broken into lines."""
OTHER = {"best_loss": "best_iou", "best_iou": "best_loss"}
DIFFERENCE = "from the highest mean of those with a verdict, of that one from the next"
TESTED_AT = {"best_loss": "lowest val loss", "best_iou": "highest val IoU"}
"""Rules in words: the epoch that is tested."""


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
    """The sheets of a comparison: test metrics, those by the other rule, other views, costs; empty columns left out.

    A caption explains the columns that are there, and no other.
    """
    table = comparison.table
    made = (
        ("Scores on the test images.", metric_columns(table), column_meanings(comparison)),
        ("The same models, tested at the epoch of the other rule.", other_rule(table), OTHER_RULE_WORDS),
        ("Other views of the tested predictions.", other_views(table), other_views_words(comparison)),
        ("Size and cost of the models.", costs(table), COSTS_WORDS),
    )
    bold = best_rows(table)
    named = {"model": list(table["model"].astype(str))}
    return [
        Sheet(title_with_legend(title, columns, words), named | columns, bold)
        for title, columns, words in ((title, drop_empty(columns), words) for title, columns, words in made)
        if columns
    ]


def title_with_legend(title: str, columns: Mapping[str, Sequence[str]], words: Mapping[str, str]) -> str:
    """A title with the explanations in `words` of its columns."""
    told = "; ".join(f"{name}: {text}" for name, text in words.items() if name in columns)
    return f"{title} {sentence_case(told)}." if told else title


def interval_words(table: pd.DataFrame) -> str:
    """The scope of an interval of IoU: with one seed of a model, training again is not in it."""
    if table["n_seeds"].max() == 1:
        return "95 %, over test images only; training again is not in it"
    mixed = ", over images only where there is one seed" if table["n_seeds"].min() == 1 else ""
    return f"95 %, over seeds and images{mixed}"


def column_meanings(comparison: Comparison) -> dict[str, str]:
    """Explanations of the columns of the first sheet."""
    found, table = comparison.evidence, comparison.table
    over = f", over {found.n_splits} splits" if found and found.n_splits > 1 else ""
    return {
        "tested at": "the epoch whose weights are tested",
        "interval": interval_words(table),
        "difference": f"{DIFFERENCE}, with a 95 % interval for all at once",
        "verdict": f"{MEANING[found.claim]}{over}{'; bold: the best' if any(best_rows(table)) else ''}"
        if found
        else "",
    }


OTHER_RULE_WORDS = {"gain": "IoU at that epoch − IoU at the one tested; above 0 the other rule would have been better"}
COSTS_WORDS = {
    "MACs per image, G": "multiply-accumulates, the same on every machine",
    "ms per image": "rough, since other work shared the machine",
    "training, s": "one whole run",
    "BatchNorm repaired": "runs whose tested weights had their running statistics recomputed, for they were unsettled",
    "tested epoch": "with validation loss and IoU of that epoch",
}


def curve_sheet(comparison: Comparison) -> Sheet | None:
    """Lowest and last losses with their epochs, means over a model's runs; None without curves."""
    owners = comparison.runs[["run_id", "model"]].merge(comparison.curves, on="run_id")
    own = owners.dropna(subset=["val_loss_epoch"]).groupby("model")
    models = [model for model in comparison.table["model"].astype(str) if model in own.groups]
    if not models:
        return None
    means = own[["best_epoch", "val_loss_lowest", "val_loss_last", "train_loss_last"]].mean().loc[models]
    columns = {
        "model": models,
        "tested epoch": decimals(means["best_epoch"], 0),
        "lowest val loss at": [among(own.get_group(model)["val_loss_epoch"]) for model in models],
        "lowest val loss": decimals(means["val_loss_lowest"]),
        "val loss at the end": decimals(means["val_loss_last"]),
        "train loss at the end": decimals(means["train_loss_last"]),
    }
    epochs = among(owners["epochs"].dropna())
    several = ", means over runs" if (own.size() > 1).any() else ""
    return Sheet(f"Losses of {epochs} epochs{several}.", columns, [False] * len(models))


def among(values: pd.Series[float]) -> str:
    """Whole numbers as `8`, or `8 – 10`."""
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} – {high}"


def best_rows(table: pd.DataFrame) -> list[bool]:
    """Mask of the row that is proven to be the best."""
    return [verdict == "best" for verdict in table["verdict"]]


def proof_sheets(comparison: Comparison) -> list[Sheet]:
    """The ladder of three questions, with the sample of each; if there are other splits, that of the own one too."""
    made = []
    for found, of in ((comparison.evidence, ""), (comparison.own_evidence, " On the data's own split alone.")):
        if found:
            rows = list(ladder(found))
            common = common_sample(rows)
            columns = drop_empty({title: [row[i] for row in rows] for i, title in enumerate(RUNGS)})
            words = {
                "false claims": "how often such a study would call a model worse if all were equal",
                "power": f"how often it finds a difference of {found.margin:g}; both simulated",
            }
            caption = title_with_legend(f"{QUESTION}{of}{f' With {common}.' if common else ''}", columns, words)
            shown = {title: values for title, values in columns.items() if title != "sample" or not common}
            made.append(Sheet(caption, shown, [False] * len(rows)))
    return made


def metric_columns(table: pd.DataFrame) -> dict[str, list[str]]:
    """The five metrics of the checkpoint that the lab's rule tests, and the evidence on the model's rank."""
    own = [name for name in (*SCIENTIFIC, *NUISANCE) if name in table]
    return {
        **{name.replace("_", " "): texts(table[name]) for name in own},
        "tested at": [TESTED_AT.get(str(rule), "") for rule in table["rule"]],
        "seeds": texts(table["n_seeds"]),
        "IoU": decimals(table["test_iou"]),
        "interval": spans(table, "test_iou_low", "test_iou_high"),
        "difference": format_signed(table["difference"]),
        "its interval": spans(table, "difference_low", "difference_high", format_signed),
        "verdict": verdicts(table),
        "F1": decimals(table["test_f1"]),
        "precision": decimals(table["test_precision"]),
        "recall": decimals(table["test_recall"]),
        "accuracy": decimals(table["test_accuracy"]),
    }


def verdicts(table: pd.DataFrame) -> list[str]:
    """Verdicts in words; empty without one."""
    known = zip(table["verdict"], table["difference"], strict=True)
    return ["" if pd.isna(difference) else WORDS[str(verdict)] for verdict, difference in known]


def other_rule(table: pd.DataFrame) -> dict[str, list[str]]:
    """The five metrics of the checkpoint that the lab's rule does not test, and the cost of the choice."""
    titles = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "accuracy": "accuracy"}
    return {
        "tested at": [TESTED_AT.get(OTHER.get(str(rule), ""), "") for rule in table["rule"]],
        **{title: decimals(table[f"other_rule_test_{metric}"]) for metric, title in titles.items()},
        "gain": format_signed(table["rule_cost"]),
    }


def other_views_words(comparison: Comparison) -> dict[str, str]:
    """Meanings of the columns of `other_views`."""
    own = ", the data's own split included" if OWN_SPLIT in set(comparison.all_runs["split"]) else ""
    return {
        "mean IoU of images": "averaged over images instead of pixels",
        "its IoU": "mean over runs",
        "Boundary IoU": "of the rims alone, 2 % of the diagonal wide, so far lower than IoU",
        "IoU over runs": "lowest to highest",
        "IoU over splits": f"mean{own}",
    }


def other_views(table: pd.DataFrame) -> dict[str, list[str]]:
    """Per-image and boundary scores, the spread over runs, and other splits."""
    return {
        "mean IoU of images": decimals(table["image_mean_iou"]),
        "worst image": texts(table["worst_image"]),
        "its IoU": decimals(table["image_iou_min"]),
        "Boundary IoU": decimals(table["boundary_iou"]),
        "IoU over runs": spans(table, "test_iou_min", "test_iou_max"),
        "splits": decimals(table["n_resplits"], 0),
        "IoU over splits": decimals(table["resplit_iou"]),
    }


def costs(table: pd.DataFrame) -> dict[str, list[str]]:
    """Costs of a model in training and use, and its validation scores."""
    return {
        "weights": texts(table["weights"]),
        "parameters, M": decimals(scale(table, "n_parameters", 1e-6), 2),
        "MACs per image, G": decimals(scale(table, "n_macs", 1e-9), 2),
        "ms per image": decimals(scale(table, "seconds_per_image", 1e3), 1),
        "training, s": decimals(scale(table, "seconds_train"), 0),
        "device": texts(table["device"]),
        "BatchNorm repaired": [
            "" if pd.isna(n) else f"{n:.0f} of {runs}"
            for n, runs in zip(table["n_bn_repaired"], table["n_runs"], strict=True)
        ],
        "tested epoch": decimals(table["best_epoch"], 0),
        "val loss": decimals(scale(table, "tested_val_loss")),
        "val IoU": decimals(scale(table, "tested_val_iou")),
    }


def drop_empty(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The columns that are not empty."""
    return {title: values for title, values in columns.items() if any(values)}


def scale(table: pd.DataFrame, name: str, factor: float = 1.0) -> pd.Series[float]:
    """A column as numbers times `factor`; NaN for a missing one."""
    return pd.to_numeric(table[name], errors="coerce") * factor


def texts(values: pd.Series) -> list[str]:
    """Texts as they are; an empty one for a missing value."""
    return ["" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value) for value in values]


def format_numbers(values: pd.Series, write: Callable[[float], str]) -> list[str]:
    """Numbers as text; an empty text for a missing one."""
    return ["" if pd.isna(value) else write(float(value)) for value in values]


def decimals(values: pd.Series, digits: int = 3) -> list[str]:
    """Numbers with a fixed number of decimals."""
    return format_numbers(values, lambda value: f"{value:.{digits}f}")


def format_signed(values: pd.Series) -> list[str]:
    """Numbers with their sign and three decimals."""
    return format_numbers(values, lambda value: f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000")


def spans(table: pd.DataFrame, low: str, high: str, write: Callable[[pd.Series], list[str]] = decimals) -> list[str]:
    """`low – high` of each row, empty where they are unknown or equal."""
    pairs = zip(write(table[low]), write(table[high]), strict=True)
    return ["" if a == b else f"{a} – {b}" for a, b in pairs]
