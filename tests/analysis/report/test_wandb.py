"""The report as a W&B Report: saved on the embedded server with the unmodified client, loaded back the same."""

import re

import pytest

from tests.analysis.studies import numbers
from tests.server.running import ROOT, Client

SAVE_AND_LOAD = """
import dataclasses, json, os, sys
from pathlib import Path
sys.path.insert(0, ROOT)
import wandb
from analysis.comparison.comparison import compare
from analysis.pull.login import Login
from analysis.report import content
from analysis.report.wandb import save
from tests.analysis.studies import MODELS, study
import wandb_workspaces.reports.v2 as reports

wandb.init(project="puzzle", id="r0s0", settings=wandb.Settings(console="off")).finish()
made = study(seeds=2, models=MODELS[:4])
made.runs["path"] = "local/puzzle/" + made.runs["run_id"]
made.runs["sweep"] = ["s1"] * 6 + [None] * 2
sweeps = {"s1": {"name": "four models", "method": "grid"}}
made = dataclasses.replace(made, sweeps=sweeps)
comparison = compare(made)
report = content.content(made, comparison, "python -m analysis.report local/puzzle")
(html := Path("report.html")).write_text("<h1>the study</h1>")
url = save(made, report, Login(os.environ["WANDB_BASE_URL"], os.environ["WANDB_API_KEY"]), html.resolve())
again = reports.Report.from_url(url)
grids = [block for block in again.blocks if isinstance(block, reports.PanelGrid)]
panels = [panel for grid in grids for panel in grid.panels]
parallel = next(panel for panel in panels if isinstance(panel, reports.ParallelCoordinatesPlot))
print(json.dumps({
    "url": url,
    "title": again.title,
    "headings": [block.text for block in again.blocks if isinstance(block, reports.H2)],
    "text": "\\n".join(block.text for block in again.blocks if isinstance(block, reports.MarkdownBlock)),
    "code": [block.code for block in again.blocks if isinstance(block, reports.CodeBlock)],
    "sets": [[one.name, one.entity, one.project, str(one.filters)] for one in grids[0].runsets],
    "grouped": [one.split(".")[1] for one in grids[0].runsets[0].groupby],
    "lines": [[panel.y[0].name, bool(panel.log_y)] for panel in panels if isinstance(panel, reports.LinePlot)],
    "media": [panel.media_keys for panel in panels if isinstance(panel, reports.MediaBrowser)],
    "columns": [column.metric.name for column in parallel.columns],
    "importance": [panel.with_respect_to for panel in panels if isinstance(panel, reports.ParameterImportancePlot)],
    "answer": report.answer[0], "verdict": report.curves[0], "note": report.notes[-1],
}))
"""

UNKNOWN_PROJECT = """
import json, os, sys
sys.path.insert(0, ROOT)
from analysis import AnalysisError
from analysis.comparison.comparison import compare
from analysis.pull.login import Login
from analysis.report import content
from analysis.report.wandb import save
from tests.analysis.studies import MODELS, study

made = study(models=MODELS[:1])
made.runs["sweep"] = None
report = content.content(made, compare(made), "command")
try:
    print(json.dumps(save(made, report, Login(os.environ["WANDB_BASE_URL"], "w" * 40))))
except AnalysisError as error:
    print(json.dumps(str(error)))
"""


def program(text: str) -> str:
    return f"ROOT = {str(ROOT)!r}\n{text}"


@pytest.mark.slow
def test_the_report_is_saved_and_loads_back_with_sets_plots_tables_and_sentences(client: Client) -> None:
    found = client.run(program(SAVE_AND_LOAD), PYTHONWARNINGS="ignore")
    assert found["url"].startswith(f"{client.server.url}/local/puzzle/reports/")
    title = found["title"]
    assert title.startswith("Four models: ")
    assert numbers(title) == [4, 8, 32, 32, 20]
    status, page = client.server.get(found["url"])
    assert status == 200
    for words in (title, "Importance of settings", "Importance for val/iou"):
        assert words in page.decode()
    listed = client.server.get("/local/puzzle/reports")[1].decode()
    assert title in listed
    [kept] = re.findall(r'href="(/storage/[^"]*/report.html[^"]*)"', listed)
    assert client.server.get(kept.replace("&amp;", "&")) == (200, b"<h1>the study</h1>")
    assert found["headings"] == [
        *("Answer", "Table", "Certainty", "Next steps", "Curves", "Masks"),
        *("Importance of settings", "Keep in mind", "How to reproduce"),
    ]
    for part in ("answer", "verdict", "note"):
        assert found[part] in found["text"]
    assert "|:--" in found["text"]
    assert found["sets"] == [
        ["four models", "local", "puzzle", "Metric(\"Sweep\") == 's1'"],
        ["puzzle", "local", "puzzle", ""],
    ]
    assert found["grouped"] == ["architecture", "backbone", "weights"]
    assert found["lines"] == [["val/loss", True], ["train/loss", True], ["val/iou", False], ["train/iou", False]]
    assert found["media"] == [["test/predictions"]]
    assert found["columns"] == ["architecture", "backbone", "val/iou"]
    assert found["importance"] == ["val/iou"]
    assert re.match(
        r"\.venv/bin/python -m agent\.predict local/puzzle/model-\w+:best ", found["code"][0].splitlines()[-1]
    )


def test_a_key_that_is_refused_is_one_sentence(client: Client) -> None:
    said = client.run(program(UNKNOWN_PROJECT), PYTHONWARNINGS="ignore")
    assert said.startswith(f"{client.server.url} does not take the report: ")
