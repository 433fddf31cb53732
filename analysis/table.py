"""comparison.csv, .md, .tex and .html: one row per model, best first, printed as well; overfitting.csv: one per run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from html import escape
from pathlib import Path

import pandas as pd

from analysis import cli
from analysis.comparison import published
from analysis.comparison.advice import improvements
from analysis.comparison.answer import answers, curve_sentences, keep_in_mind
from analysis.comparison.commands import best_artifact, predict_command
from analysis.comparison.comparison import Comparison
from analysis.evidence.sentences import bullets, proof, wrap
from analysis.pull.study import Study
from analysis.tables import formats
from analysis.tables.sheets import (
    DIFFERENCE,
    Sheet,
    best_rows,
    curve_sheet,
    decimals,
    format_signed,
    interval_words,
    proof_sheets,
    sheets,
    spans,
    texts,
    verdicts,
)
from common.files import write_text
from common.text import TERMINAL_WIDTH, plural

TESTED_BY = {"best_loss": "loss", "best_iou": "IoU"}
STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1b1b1b; background: #fff }
.wide { overflow-x: auto; margin: 1.5rem 0 } table { border-collapse: collapse; font-size: 0.875rem }
caption { text-align: left; padding-bottom: 0.5rem; color: #444 }
thead tr { border-top: 2px solid; border-bottom: 1px solid } tbody tr:last-child { border-bottom: 2px solid }
th, td { padding: 0.3rem 0.75rem; text-align: left; vertical-align: top } th { font-weight: 600 }
tbody th { font-weight: 400; min-width: 11rem } td { white-space: nowrap }
td.prose { white-space: normal; min-width: 9rem }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } caption { color: #bbb } }
@media print { body { margin: 0; max-width: none } table { font-size: 0.7rem; break-inside: avoid } }"""


def terminal(comparison: Comparison) -> str:
    """Answer, table, ladder, next steps and notes for a terminal, at most `TERMINAL_WIDTH` columns wide."""
    table = comparison.table
    columns = {
        "model": texts(table["model"]),
        "n": texts(table["n_runs"]),
        "by": [TESTED_BY.get(str(rule), "") for rule in table["rule"]],
        "IoU": decimals(table["test_iou"]),
        "interval": [span.replace(" ", "") for span in spans(table, "test_iou_low", "test_iou_high")],
        "over splits": decimals(table["resplit_iou"]),
        "diff.": format_signed(table["difference"]),
        "verdict": verdicts(table),
        "F1": decimals(table["test_f1"]),
        "prec.": decimals(table["test_precision"]),
        "rec.": decimals(table["test_recall"]),
        "acc.": decimals(table["test_accuracy"]),
    }
    shown = {title: values for title, values in columns.items() if any(values)}
    found, steps = comparison.evidence, improvements(comparison)
    parts = [
        [wrap(sentence) for sentence in answers(comparison)],
        [formats.terminal(shown, best_rows(table)), wrap(legend(shown, table))],
        list(proof(found, steps)) if found else bullets("Next steps", steps),
        bullets("Curves", curve_sentences(comparison)),
        bullets("Keep in mind", keep_in_mind(comparison)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def legend(shown: Mapping[str, Sequence[str]], table: pd.DataFrame) -> str:
    """Explanations of the columns of the terminal."""
    parts = {
        "n": "n: runs",
        "by": "by: tested at the epoch of the lowest validation loss, or of the highest validation IoU",
        "interval": f"interval: {interval_words(table)}",
        "over splits": "over splits: mean IoU",
        "diff.": f"diff.: {DIFFERENCE}",
    } | ({"verdict": "*: proven the best"} if any(best_rows(table)) else {})
    return "; ".join(text for title, text in parts.items() if title in shown) + "."


def markdown(comparison: Comparison, command: str) -> str:
    """comparison.md: the answer, the sheets, the ladder, next steps, the curves in words, and the notes."""
    parts = [part for sheet in sheets(comparison) for part in (sheet.caption, "", formats.markdown(sheet), "")]
    ladders = [part for sheet in proof_sheets(comparison) for part in (sheet.caption, "", formats.markdown(sheet), "")]
    steps = [f"- {step}" for step in improvements(comparison)]
    curves = curve_sheet(comparison)
    losses = [curves.caption, "", formats.markdown(curves), ""] if curves else []
    return "\n".join(
        [
            *(f"# {title(comparison)}", "", *answers(comparison), "", f"Made by `{command}`; best first.", ""),
            *parts,
            *(("## Certainty", "", *ladders) if ladders else ()),
            *(("## Next steps", "", *steps, "") if steps else ()),
            *(checkpoints(comparison), "", "## Curves", "", *losses),
            *(*(f"- {sentence}" for sentence in curve_sentences(comparison)), ""),
            *("## Keep in mind", "", *(f"- {note}" for note in keep_in_mind(comparison)), ""),
        ]
    )


def latex(comparison: Comparison, command: str) -> str:
    """comparison.tex: one `table` per sheet, the notes below the first, for `\\input` into a paper."""
    made = [
        formats.latex(sheet, f"comparison-{i}", keep_in_mind(comparison) if i == 1 else ())
        for i, sheet in enumerate([*sheets(comparison), *proof_sheets(comparison)], 1)
    ]
    head = [f"% Made by {command}", r"% Needs \usepackage{booktabs,threeparttable}"]
    return "\n".join([*head, *(f"% {sentence}" for sentence in answers(comparison)), "", *made])


def html(comparison: Comparison, command: str) -> str:
    """comparison.html: the answer, the sheets and the notes on one page that needs nothing else."""
    head = escape(title(comparison))
    curves = curve_sheet(comparison)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{head}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{head}</h1>",
            *(f"<p>{escape(sentence)}</p>" for sentence in answers(comparison)),
            f"<p>Made by <code>{escape(command)}</code>; best first.</p>",
            *wide(sheets(comparison)),
            "<h2>Certainty</h2>",
            *wide(proof_sheets(comparison)),
            *html_list("Next steps", improvements(comparison)),
            *html_list("Curves", curve_sentences(comparison)),
            *wide([curves] if curves else []),
            *html_list("Keep in mind", keep_in_mind(comparison)),
            "</main>\n</body>\n</html>\n",
        ]
    )


def wide(shown: Sequence[Sheet]) -> list[str]:
    """Tables that scroll on their own if the page is narrower."""
    return [f'<div class="wide">\n{formats.html(sheet)}\n</div>' for sheet in shown]


def html_list(heading: str, items: Sequence[str]) -> list[str]:
    """A heading over a list of texts; nothing without items."""
    points = "".join(f"<li>{formats.html_text(item)}</li>" for item in items)
    return [f"<h2>{heading}</h2>\n<ul>{points}</ul>"] if items else []


def title(comparison: Comparison) -> str:
    """Title with the number of models and runs."""
    n_models, n_runs = len(comparison.table), len(comparison.all_runs)
    return f"Comparison of {plural(n_models, 'model')}, {plural(n_runs, 'run')}"


def checkpoints(comparison: Comparison) -> str:
    """Commands for the checkpoints of the best row's best run in validation."""
    best, artifact = comparison.table.iloc[0], best_artifact(comparison)
    n = len(str(best["run_ids"]).split())
    which = f", of its {n} runs the best in validation" if n > 1 else ""
    return (
        f"Checkpoints of the best row ({best['model']}{which}): `wandb artifact get {artifact}`; masks of other"
        f" photographs: `{predict_command(comparison)}`; both with `WANDB_BASE_URL` and `WANDB_API_KEY` set. Those of"
        " every row by `run_ids` in comparison.csv."
    )


def write(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Writes comparison.csv, .md, .tex, .html and overfitting.csv into `out` and prints the table."""
    pages = {"md": markdown, "tex": latex, "html": html}
    files = [out / f"comparison.{ending}" for ending in ("csv", *pages)]
    write_text(files[0], comparison.table.to_csv(index=False))
    for file, make in zip(files[1:], pages.values(), strict=True):
        write_text(file, make(comparison, command))
    curves = out / "overfitting.csv"
    owners = comparison.runs[["run_id", "model", "split", "repeat"]]
    write_text(curves, owners.merge(comparison.curves, on="run_id").to_csv(index=False))
    print(terminal(comparison) + "\n")
    return [*files, curves]


def print_published(value: Decimal, study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Prints the definition and checkpoint closest to a published IoU, and writes published.csv."""
    file = out / "published.csv"
    found = published.candidates(comparison.scores, float(value))
    write_text(file, found.to_csv(index=False))
    print(textwrap.fill(published.sentence(found, value), TERMINAL_WIDTH) + "\n")
    return [file]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    prog = "python -m analysis.table"
    parser = cli.parser(prog, str(__doc__))
    parser.add_argument(
        "--published",
        type=published.published_number,
        metavar="IOU",
        help="find the definition and checkpoint closest to this published number",
    )
    options = parser.parse_args(arguments)
    more = [] if options.published is None else [partial(print_published, options.published)]
    return cli.run(prog, options, [write, *more])


if __name__ == "__main__":
    raise SystemExit(main())
