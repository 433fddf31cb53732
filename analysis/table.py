"""comparison.csv and comparison.md: one row per model, best first; printed as well."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from tabulate import tabulate

from analysis.cli import main
from analysis.comparison import Comparison, compare
from analysis.runs import Study

TERMINAL_WIDTH = 100
SHORT = {"precision": "prec.", "recall": "rec.", "accuracy": "acc."}
METRIC_TITLES = {
    "test_iou": "IoU",
    "test_f1": "F1",
    "test_precision": "precision",
    "test_recall": "recall",
    "test_accuracy": "accuracy",
}


def terminal(comparison: Comparison) -> str:
    """The table and its notes for a terminal, at most `TERMINAL_WIDTH` columns wide."""
    table = comparison.table
    several = bool((table["n_runs"] > 1).any())
    shown = {"model": list(table["model"]), "n": list(table["n_runs"])}
    for name, title in METRIC_TITLES.items():
        shown[SHORT.get(title, title)] = decimals(table[name])
        if name == "test_iou" and several:
            shown["± sd"] = decimals(table["test_iou_sd"])
    shown["val IoU"] = decimals(table["val_iou"])
    shown["epoch"] = decimals(table["best_epoch"], 0)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if several else 1, 0, 0))
    for title in shown:
        grid.add_column(title, justify="left" if title == "model" else "right", no_wrap=title != "model")
    for row in zip(*shown.values(), strict=True):
        grid.add_row(*map(str, row))
    page = Console(width=TERMINAL_WIDTH, file=StringIO(), color_system=None)
    with page.capture() as body:
        page.print(grid)
    notes = [
        textwrap.fill(note, TERMINAL_WIDTH, initial_indent="- ", subsequent_indent="  ")
        for note in comparison.notes
    ]
    return "\n".join([*(line.rstrip() for line in body.get().splitlines()), *notes])


def markdown(comparison: Comparison, command: str) -> str:
    """comparison.md: test metrics, everything else of the rows, curves in words, and the notes."""
    table = comparison.table
    n_runs = int(table["n_runs"].sum())
    tested: dict[str, Iterable[object]] = {
        "model": table["model"],
        "weights": table["weights"],
        "rule": table["rule"],
        "runs": table["n_runs"],
        **{title: decimals(table[name]) for name, title in METRIC_TITLES.items()},
        "IoU over runs": spans(table, "test_iou_min", "test_iou_max"),
        "IoU over images": spans(table, "image_iou_min", "image_iou_max"),
    }
    beside: dict[str, Iterable[object]] = {
        "model": table["model"],
        "val IoU": decimals(table["val_iou"]),
        "best epoch": decimals(table["best_epoch"], 0),
        "test IoU by the other rule": decimals(table["other_rule_test_iou"]),
        "parameters, millions": decimals(table["n_parameters"].astype(float) / 1e6, 2),
        "training, s": decimals(table["seconds_train"].astype(float), 0),
    }
    curves = [f"- **{row.model}:** {row.overfitting}." for row in table.itertuples()]
    notes = [f"- {note}" for note in comparison.notes]
    return "\n".join(
        [
            *(
                f"# Comparison of {len(table)} models, {n_runs} runs",
                "",
                f"Made by `{command}`; best first.",
                "",
            ),
            *(pipe_table(tested), "", pipe_table(beside), "", checkpoints(comparison), ""),
            *("## What the curves say", "", *curves, ""),
            *("## How far this table can be trusted", "", *notes, ""),
        ]
    )


def checkpoints(comparison: Comparison) -> str:
    """How to fetch the checkpoints of the best row, or rather of its best run in validation."""
    best = comparison.table.iloc[0]
    run_id, *others = str(best["run_ids"]).split()
    path = str(comparison.runs.set_index("run_id")["path"][run_id])
    project = path.rpartition("/")[0]
    which = f", of its {len(others) + 1} runs the best in validation" if others else ""
    return (
        f"Checkpoints of the best row ({best['model']}{which}): `wandb artifact get {project}/model-{run_id}:best`,"
        " with `WANDB_BASE_URL` and `WANDB_API_KEY` set; those of every row by `run_ids` in comparison.csv."
    )


def pipe_table(columns: Mapping[str, Iterable[object]]) -> str:
    """GitHub's Markdown table; text to the left, all else to the right."""
    left = {"model", "weights", "rule"}
    align = ["left" if title in left else "right" for title in columns]
    lists = {title: list(values) for title, values in columns.items()}
    return tabulate(lists, headers="keys", tablefmt="pipe", disable_numparse=True, colalign=align)


def decimals(values: pd.Series[float], digits: int = 3) -> list[str]:
    """Numbers as text with a fixed number of decimals; an empty text where there is none."""
    return ["" if pd.isna(value) else f"{value:.{digits}f}" for value in values]


def spans(table: pd.DataFrame, low: str, high: str) -> list[str]:
    """`low – high` of each row, empty where they are unknown or equal."""
    pairs = zip(decimals(table[low]), decimals(table[high]), strict=True)
    return ["" if a == b else f"{a} – {b}" for a, b in pairs]


def write(study: Study, out: Path, command: str) -> list[Path]:
    """Writes comparison.csv and comparison.md into `out` and prints the table."""
    comparison = compare(study)
    files = [out / "comparison.csv", out / "comparison.md"]
    comparison.table.to_csv(files[0], index=False)
    files[1].write_text(markdown(comparison, command))
    print(terminal(comparison) + "\n")
    return files


if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.table", str(__doc__), [write]))
