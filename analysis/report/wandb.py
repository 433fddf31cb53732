"""The content of a report as a W&B Report: run sets, plots that the server draws, tables and sentences as Markdown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from analysis.hyperparameters.importance import varying_parameters
from analysis.pull.login import Login
from analysis.pull.retry import as_analysis_error
from analysis.pull.study import Study
from analysis.report.content import Content, sentences
from analysis.tables import formats
from common import keys
from common.keys import GOAL, PREDICTIONS
from common.wandb_api import CLOUD

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as reports

FIELDS = ("architecture", "backbone", "weights")
"""Config fields by which lines are grouped: those of one model are one line."""


def save(study: Study, report: Content, login: Login, page: Path | None = None) -> str:
    """Saves the report into the project of the first run on the server that `login` names; returns its address.

    `page`: the same as an HTML file, which is kept with that run: the embedded server lists it beside the reports.
    Raises `AnalysisError` if the server does not take it.
    """
    address = login.base_url or CLOUD
    os.environ["WANDB_BASE_URL"], os.environ["WANDB_API_KEY"] = address, login.api_key
    import wandb
    import wandb_workspaces.reports.v2 as reports

    first = str(study.runs["path"].iloc[0])
    entity, project, _ = first.split("/")
    made = reports.Report(
        entity=entity,
        project=project,
        title=report.title,
        description=report.question,
        width="fluid",
        blocks=blocks(study, report),
    )
    with as_analysis_error(f"{address} does not take the report"):
        made.save()
        if page is not None:
            wandb.Api().run(first).upload_file(str(page), root=str(page.parent))
        return quote(made.url, safe=":/?&=%#")  # its end is the title, in any script


def blocks(study: Study, report: Content) -> list[Any]:
    """The parts of the report in the order of the HTML page."""
    import wandb_workspaces.reports.v2 as reports

    def text(heading: str, *parts: str) -> list[Any]:
        return [reports.H2(heading), *(reports.MarkdownBlock(part) for part in parts if part)]

    def grid(*panels: Any) -> reports.PanelGrid:
        return reports.PanelGrid(runsets=runsets(study), panels=two_per_row(panels))

    tables, proof = (
        [f"{sheet.caption}\n\n{formats.markdown(sheet)}" for sheet in shown] for shown in (report.sheets, report.proof)
    )
    losses = f"{report.losses.caption}\n\n{formats.markdown(report.losses)}" if report.losses else ""
    facts = [f"{name}: {value}" for name, value in report.facts]
    names = varying_parameters(study.runs)
    return [
        reports.TableOfContents(),
        *text("Answer", f"*{report.question}*", " ".join(report.answer)),
        *text("Table", *tables, report.pareto),
        *text("Certainty", *proof),
        *text("Next steps", sentences(report.steps)),
        reports.H2("Curves"),
        grid(*(line(name) for name in (keys.VAL_LOSS, keys.TRAIN_LOSS, keys.VAL_IOU, keys.TRAIN_IOU))),
        reports.MarkdownBlock(sentences(report.curves)),
        *([reports.MarkdownBlock(losses)] if losses else []),
        reports.H2("Masks"),
        grid(reports.MediaBrowser(media_keys=[PREDICTIONS], num_columns=4)),
        *text("Importance of settings", report.search.reason, sentences(report.search.sentences)),
        grid(parallel(names), reports.ParameterImportancePlot(with_respect_to=GOAL)),
        *text("Keep in mind", sentences([*report.limits, *report.notes])),
        *text("How to reproduce", sentences(facts)),
        reports.CodeBlock(code="\n".join(report.commands), language="markdown"),
        *(reports.CodeBlock(code=settings, language="yaml") for settings in report.sweeps.values()),
    ]


def runsets(study: Study) -> list[reports.Runset]:
    """One run set per sweep, grouped by model; of runs without a sweep, one for their project."""
    import wandb_workspaces.expr as expr
    import wandb_workspaces.reports.v2 as reports

    owners = study.runs["path"].str.rsplit("/", n=1).str[0]
    pairs = dict.fromkeys(zip(owners, study.runs["sweep"], strict=True))
    made = []
    for owner, sweep in pairs:
        entity, project = owner.split("/")
        named = isinstance(sweep, str) and bool(sweep)
        filters = [expr.Metric("Sweep") == sweep] if named else []
        title = str(study.sweeps.get(sweep, {}).get("name") or sweep) if named else project
        made.append(
            reports.Runset(
                entity=entity,
                project=project,
                name=title,
                filters=filters,
                groupby=[f"config.{field}" for field in FIELDS],
            )
        )
    return made


def line(metric: str) -> reports.LinePlot:
    """One metric against epoch, a line per model with its spread over runs; a loss on a logarithmic axis."""
    import wandb_workspaces.reports.v2 as reports

    return reports.LinePlot(
        title=metric,
        x="epoch",
        y=[metric],
        log_y=metric.endswith("loss") or None,
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
    )


def parallel(names: Sequence[str]) -> reports.ParallelCoordinatesPlot:
    """The settings that vary, or else the identity of a model, and validation IoU."""
    import wandb_workspaces.reports.v2 as reports

    columns = [reports.Config(name) for name in names or FIELDS]
    return reports.ParallelCoordinatesPlot(
        columns=[
            reports.ParallelCoordinatesPlotColumn(metric=column) for column in (*columns, reports.SummaryMetric(GOAL))
        ]
    )


def two_per_row(panels: Sequence[Any]) -> list[Any]:
    """Panels two by two across the page of 24 units, one alone over its whole width."""
    import wandb_workspaces.reports.v2 as reports

    width = 24 if len(panels) == 1 else 12
    for number, panel in enumerate(panels):
        panel.layout = reports.Layout(x=number % 2 * 12, y=number // 2 * 9, w=width, h=9)
    return list(panels)
