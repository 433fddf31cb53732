"""What a report says, and the page that says it; the page itself is tried in headless Chromium."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.colors import to_hex
from PIL import Image

from analysis.comparison import advice
from analysis.comparison.answer import answers
from analysis.comparison.comparison import compare
from analysis.figures.mask_grid import error_picture
from analysis.pull.masks import Predictions
from analysis.pull.study import Study
from analysis.report import __main__ as command_line
from analysis.report import content, page, pictures
from analysis.report.drawings import importances_figure, search_drawings
from common.colours import SERIES, assign
from common.environment import ROOT
from tests.analysis.searches import search
from tests.analysis.studies import MODELS, history, noisy, numbers, predictions, seen, square, study

HOSTILE = "</script><img src=x onerror=alert(1)>"


def made_page(made: Study, **options: bool) -> str:
    comparison = compare(made)
    report = content.content(made, comparison, "python -m analysis.report a/b")
    return page.page(made, comparison, report, **options)


@pytest.fixture(scope="module")
def several() -> Study:
    sweep = {"name": "three models", "method": "bayes", "parameters": {"seed": {"values": [0, 1, 2]}}}
    return replace(noisy(), sweeps={"s1": sweep})


@pytest.fixture(scope="module")
def html(several: Study) -> str:
    return made_page(several)


class Outline(HTMLParser):
    """Headings, pictures without words, ids, and what labels and links point at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.mute: list[str] = []
        self.ids: list[str] = []
        self.pointed: list[str] = []
        self.addresses: list[str] = []
        self.landmarks: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" and not given.get("alt"):
            self.mute.append(str(given))
        if tag in ("main", "nav", "header"):
            self.landmarks.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.pointed += [str(given[name])] if name in given else []
        self.addresses += [str(given[name]) for name in ("src", "href") if given.get(name)]


def test_the_page_has_every_part_in_order_and_one_heading_of_the_first_rank(html: str) -> None:
    outline = Outline(html)
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert [name for name in outline.ids if name in page.SECTIONS] == list(page.SECTIONS)
    assert outline.landmarks == ["header", "nav", "main"]


def test_everything_is_inside_the_file_and_nothing_else_may_be_asked_for(html: str) -> None:
    outline = Outline(html)
    assert [address for address in outline.addresses if not address.startswith(("data:", "#"))] == []
    assert "default-src 'none'; img-src data:;" in html


def test_every_picture_has_words_and_every_label_and_link_a_goal(html: str) -> None:
    outline = Outline(html)
    assert outline.mute == []
    assert len(outline.ids) == len(set(outline.ids))
    links = [address[1:] for address in outline.addresses if address.startswith("#")]
    assert set(outline.pointed) | set(links) <= set(outline.ids)


def test_what_is_proven_the_best_is_strong_in_the_page(html: str, several: Study) -> None:
    best = compare(several).table.iloc[0]["model"]
    assert f'<th scope="row"><strong>{best}</strong></th>' in html
    assert "bold: the best" in html


def renamed(own: Predictions) -> Predictions:
    """The first image gets a name that would be markup."""

    def named(group: Mapping[str, Any]) -> dict[str, Any]:
        return {HOSTILE if stem == "image-0" else stem: picture for stem, picture in group.items()}

    return Predictions(named(own.images), named(own.truth), {rule: named(own.masks[rule]) for rule in own.masks})


def test_no_name_can_end_the_script_or_become_markup() -> None:
    made = study(models=MODELS[2:4])
    named = {"r0s0": predictions(1), "r1s0": predictions(2)}
    hostile = made_page(seen(made, {run_id: renamed(own) for run_id, own in named.items()}))
    assert "<img src=x" not in hostile
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', hostile, re.DOTALL)
    assert HOSTILE in json.loads(data)["masks"][0]["masks"]


@pytest.mark.parametrize("photographs", [True, False])
def test_photographs_are_in_the_page_only_if_they_may_be(photographs: bool) -> None:
    text = made_page(study(models=MODELS[2:3]), photographs=photographs)
    assert ("image/jpeg" in text) == photographs
    assert ('class="photograph"' in text) == photographs


def test_one_run_has_a_report_that_says_what_one_run_cannot() -> None:
    text = made_page(study(models=MODELS[2:3]))
    assert "no other model" in text
    assert "at least 8 configurations" in text
    assert "These runs belong to no sweep" in text


def test_without_predictions_or_histories_the_page_says_so_once_each() -> None:
    bare = seen(study(models=MODELS[2:4]), {})
    text = made_page(replace(bare, history=bare.history.iloc[:0]))
    assert text.count("There are no masks") == 1
    assert text.count("There are no curves") == 1


def test_the_answer_stands_first_and_caveats_last(html: str) -> None:
    first, second = answers(compare(noisy()))
    assert first.startswith("U-Net / resnet18, from scratch is the best of 3 models")
    assert numbers(second) == [2]
    assert (
        html.index(first)
        < html.index("<table")
        < html.index("Would the best model win again?")
        < html.index("Keep in mind</h2>")
    )
    alike = answers(compare(noisy(gap=0.0)))
    assert "is not proven to be the best" in alike[0]
    _, unknown = answers(compare(seen(noisy(), {})))
    assert "not tested" in unknown


def test_limits_name_the_claims_that_cannot_be_tested_and_the_runs_left_out() -> None:
    made = noisy(gap=0.0)
    lost = pd.DataFrame({"run_id": ["x"], "reason": ["failed"]})
    told = content.limits(replace(made, left_out=lost), compare(made))
    assert "one training set" in told[0]
    assert any("1 of 10 runs" in line for line in told)
    folds = noisy(folds=(0, 1))
    assert not any("training set" in line for line in content.limits(folds, compare(folds)))


def test_a_bayesian_search_is_not_asked_what_a_shorter_one_would_have_found(several: Study) -> None:
    runs = study(models=MODELS).runs
    assert any("chosen by bayes" in line for line in content.budget_sentences(runs, "bayes", {}))
    assert not any("chosen by" in line for line in content.budget_sentences(runs, "grid", {}))


def test_differences_have_the_sign_the_interval_and_the_verdict() -> None:
    found = advice.differences(compare(noisy()))
    assert len(found) == 2
    for line in found:
        assert re.search(r": IoU -0\.\d{3} \[-0\.\d{3}, -0\.\d{3}\], p = \S+: worse on other images", line)
    single = advice.differences(compare(noisy(seeds=1)))
    assert all(re.search(r"in these runs, higher on \d of 4 images; no verdict", line) for line in single)
    assert advice.differences(compare(seen(noisy(), {}))) == ()


def test_next_steps_follow_from_figures_and_vanish_with_them() -> None:
    told = " ".join(advice.improvements(compare(noisy(seeds=1)), (), {}))
    assert "at least 3 seeds" in told
    assert "at least 3 training sets" in told
    cpu = {"s": yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())}
    commanded = " ".join(advice.improvements(compare(replace(noisy(seeds=1), sweeps=cpu))))
    # Eight models three times; those three of them that have runs take 30 s each.
    assert re.search(r"`make study SEEDS=3` .* 24 runs, more than 5 minutes", commanded)
    assert "Early stopping" not in told
    three = noisy()
    assert any(line.startswith("Early stopping") for line in advice.improvements(compare(three), (), {}))
    truth = {"a": square(4, 4, 16)}
    assert any(line.startswith("Larger images") for line in advice.improvements(compare(three), (), truth))
    assert "Larger images" not in " ".join(advice.improvements(compare(noisy(gap=0.2)), (), {"a": square(0, 0, 32)}))


def test_text_and_picture_of_importance_name_the_same_settings() -> None:
    runs = search(40).assign(**{"test/iou": 0.9})
    found = content.search_results(replace(study(models=MODELS[2:3]), runs=runs))
    (figure,) = importances_figure(found.table).axes
    blue = [bar for bar in figure.patches if to_hex(bar.get_facecolor()) == "#0072b2"]
    named = [line for line in found.sentences if " by itself; chance reaches that " in line]
    assert len(blue) == len(named) > 0


def test_figures_that_have_nothing_to_say_are_left_out() -> None:
    grid = replace(study(models=MODELS), sweeps={"s": {"name": "g", "method": "grid", "parameters": {}}})
    for made, wanted in ((grid, 0), (replace(grid, runs=search(40).assign(**{"test/iou": 0.9})), 2)):
        table = content.search_results(made)
        report = replace(content.content(grid, compare(grid), "c"), search=table)
        assert len(search_drawings(made, report)) == wanted


def test_masks_keep_their_shape_and_up_to_twelve_models_their_own_colours() -> None:
    made = seen(study(models=MODELS[2:3]), {"r0s0": wide(predictions(1))})
    assert 'style="aspect-ratio: 64 / 32"' in made_page(made)
    for n in range(1, 13):
        names = assign([f"model {i}" for i in range(n)])
        assert len({SERIES[number % len(SERIES)] for number in names.values()}) == n


def wide(own: Predictions) -> Predictions:
    """The same pictures twice, side by side."""

    def twice(group: Mapping[str, Any]) -> dict[str, Any]:
        return {stem: np.concatenate([picture, picture], axis=1) for stem, picture in group.items()}

    return Predictions(twice(own.images), twice(own.truth), {rule: twice(own.masks[rule]) for rule in own.masks})


def test_the_colours_of_errors_survive_the_palette_exactly() -> None:
    own = predictions(3)
    uri = pictures.errors(own.truth["image-0"], own.masks["best_loss"]["image-0"])
    picture = Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
    np.testing.assert_array_equal(
        np.asarray(picture), error_picture(own.truth["image-0"], own.masks["best_loss"]["image-0"])
    )


def test_pictures_and_curves_of_a_large_study_are_made_smaller() -> None:
    large = pictures.smaller(Image.new("RGB", (3000, 1500)), Image.Resampling.NEAREST)
    assert large.size == (512, 256)
    runs = study(models=MODELS[2:3]).runs
    curves = pictures.curves_of(str(runs["model"][0]), runs, history("r0s0", epochs=1000))
    assert len(curves["epochs"]) == len(curves["curves"]["val/loss"]["mean"]) == 250


def test_curves_are_mean_and_range_and_not_a_number_is_null() -> None:
    made = study(seeds=2, models=MODELS[2:3])
    made.history.loc[0, "val/loss"] = float("inf")
    comparison = compare(made)
    (model,) = pictures.curve_data(comparison, made.history)
    low = made.history[made.history["run_id"] == "r0s0"]["val/loss"].iloc[5]
    drawn = model["curves"]["val/loss"]
    assert drawn["mean"][0] is None
    assert [drawn["low"][5], drawn["high"][5]] == [pytest.approx(low, rel=1e-3), pytest.approx(low + 0.02, rel=1e-3)]
    assert drawn["mean"][5] == pytest.approx(low + 0.01, rel=1e-3)


def test_a_run_without_a_finite_value_does_not_hide_the_mean_of_the_others() -> None:
    made = study(seeds=3, models=MODELS[2:3])
    made.history.loc[made.history["run_id"] == "r0s2", "val/loss"] = float("nan")
    (model,) = pictures.curve_data(compare(made), made.history)
    low = made.history[made.history["run_id"] == "r0s0"]["val/loss"].iloc[5]
    assert model["curves"]["val/loss"]["mean"][5] == pytest.approx(low + 0.01, rel=1e-3)


def test_masks_of_a_cross_validation_are_those_of_one_fold() -> None:
    made = noisy(seeds=1, folds=(1, 2))
    made.runs["test/iou"] = [0.99, 0.9, 0.9, 0.98, 0.95, 0.95]
    grid = pictures.mask_grid(compare(made), made.predictions, photographs=False)
    names = [image["name"] for image in grid["images"]]
    assert [list(model["masks"]) for model in grid["models"]] == [names] * 3
    assert grid["n"] == "4 of n = 8 test images (fold 2)"
    assert "<p>4 of n = 8 test images (fold 2), 3 of 3 models" in made_page(made)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` by WCAG 2.2."""
    colour = "#" + "".join(2 * sign for sign in colour[1:]) if len(colour) == 4 else colour
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_have_enough_contrast_in_light_and_dark() -> None:
    schemes = re.findall(r":root \{([^}]*--paper[^}]*)\}", page.asset("page.css"))
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#\w+)", scheme))
        assert all(contrast(colours[name], colours["paper"]) >= 4.5 for name in ("ink", "soft", "link"))
    assert re.findall(r"#[0-9a-fA-F]{6}", page.asset("page.js")) == [], "lines have the colours of common/colours.py"


def test_the_command_writes_the_page_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("analysis.cli.pull", lambda paths: study(models=MODELS[2:3]))
    assert command_line.main(["lab/puzzle", "--out", str(tmp_path), "--no-photographs"]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "python -m analysis.report lab/puzzle --no-photographs" in text
    assert "image/jpeg" not in text
    assert capsys.readouterr().out == f"wrote {tmp_path / 'report.html'}\n"


TRY = """
<script>
const results = {};
const count = (where) => document.querySelectorAll(where).length;
const byName = (name) => document.getElementById(name);
const fire = (name, value, kind) => { byName(name).value = value; byName(name).dispatchEvent(new Event(kind)); };
results.firstLines = count("#iou path[fill=none]");
document.getElementById("none").click();
results.noLines = count("#iou path[fill=none]");
document.getElementById("all").click();
results.allLines = count("#loss path[fill=none]");
results.numbers = [...document.querySelectorAll("#loss text[font-weight]")].map((text) => text.textContent).sort();
fire("epoch", 12, "input");
results.told = document.getElementById("epoch-told").textContent;
results.row = [...document.querySelectorAll("#values tr:first-child td")].map((cell) => cell.textContent);
const box = byName("iou").getBoundingClientRect();
byName("iou").dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width * 52 / 560 }));
results.hovered = document.getElementById("epoch").value;
fire("model", 1, "change");
results.alt = document.querySelector("#stacks .errors").alt;
fire("cut", 30, "input");
results.cut = getComputedStyle(document.querySelector("#stacks .errors")).clipPath;
document.querySelector("input[value=truth]").click();
results.truth = getComputedStyle(document.querySelector("#stacks .truth")).visibility;
results.wide = document.documentElement.scrollWidth <= window.innerWidth;
document.title = JSON.stringify(results);
</script>
"""


def chromium(page: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here: the page is tried where there is one")
    command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=2000", *options]
    return subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120)


def test_chromium_draws_the_page_and_its_controls_work_without_a_complaint(html: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(html.replace("</body>", TRY + "</body>"))
    shot = tmp_path / "shot.png"
    done = chromium(file, f"--screenshot={shot}", "--dump-dom", "--window-size=700,2400")
    assert "CONSOLE" not in done.stderr
    (title,) = re.findall("<title>(.*?)</title>", done.stdout)
    results: dict[str, Any] = json.loads(title.replace("&quot;", '"'))
    # Three models, a training and a validation line each.
    assert (results["firstLines"], results["noLines"], results["allLines"]) == (6, 0, 6)
    assert results["numbers"] == ["1", "2", "3"]
    assert results["told"] == "12"
    curves = history("r").set_index("epoch").loc[12]
    told = [curves[name] for name in ("train/loss", "val/loss", "train/iou", "val/iou")]
    assert [float(text) for text in results["row"]] == [3, *(pytest.approx(value, abs=1e-3) for value in told)]
    assert results["hovered"] == "1"
    assert results["alt"].startswith("Errors of U-Net / mobilenet_v2, from scratch on image-0-")
    assert results["cut"] == "inset(0px 0px 0px 70%)"
    assert results["truth"] == "visible"
    assert results["wide"]
    assert len(html) < 3_000_000


def test_chromium_shows_and_prints_more_than_a_blank_page(html: str, tmp_path: Path) -> None:
    file, shot, pdf = tmp_path / "page.html", tmp_path / "shot.png", tmp_path / "page.pdf"
    file.write_text(html)
    chromium(file, f"--screenshot={shot}", "--window-size=1200,3000")
    with Image.open(shot) as picture:
        assert picture.size == (1200, 3000)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 200
    chromium(file, f"--print-to-pdf={pdf}")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) <= 15


def test_masks_of_an_exported_study_take_a_run_that_is_made_first() -> None:
    made = noisy()
    told = [content.content(each, compare(each), "c").commands for each in (made, replace(made, folder="docs/study"))]
    assert [":best" in lines[-1] and "model-RUN_ID:best" in lines[-1] for lines in told] == [False, True]
    assert any("exported without checkpoints" in line for line in told[1])
