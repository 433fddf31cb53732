"""The notebooks define nothing, hold no photographs, stay small, and run from top to bottom on a study."""

import ast
import base64
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.display import Image, Markdown
from PIL import Image as Pillow

from agent.training import models
from agent.training.models.unet import UNet
from analysis import export
from analysis.comparison.comparison import compare
from analysis.notebooks import __main__ as runner
from analysis.notebooks import show, source
from analysis.notebooks.cells import NOTEBOOKS
from analysis.pull.study import Study, from_folder
from common import keys
from tests.analysis.studies import MODELS, seen, study

FOLDER = Path(show.__file__).parent
STORED = sorted(FOLDER.glob("*.ipynb"))


def code_of(cells: list[Any]) -> list[str]:
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def run_in_process(name: str, made: Study, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The last values of all cells of a notebook, on `made` instead of a server."""
    monkeypatch.setattr("analysis.pull.study.pull", lambda paths: made)
    names: dict[str, Any] = {}
    values = []
    for code in code_of(runner.notebook(name, ["a/b"], FOLDER).cells):
        tree = ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("%")))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)
        if isinstance(last, ast.Expr):
            values.append(eval(compile(ast.Expression(last.value), name, "eval"), names))
    return values


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_defines_nothing(name: str) -> None:
    for code in code_of(runner.notebook(name, ["a/b"], FOLDER).cells):
        tree = ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("%")))
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_measured_figure_in_an_explanation_stands_in_the_docs(name: str) -> None:
    pages = [*(runner.ROOT / "docs").rglob("*.md"), runner.ROOT / "sweeps" / "README.md"]
    docs = "\n".join(page.read_text() for page in pages)
    figures = [number for text, _ in NOTEBOOKS[name] for number in re.findall(r"\d+\.\d+", text)]
    assert [number for number in figures if number not in docs] == []


def test_studies_beside_an_exported_one_are_part_of_its_notebooks(tmp_path: Path) -> None:
    for name, n in (("lab", 3), ("augmentation", 2)):
        made = study(models=MODELS[:n])
        export.write(made, compare(made), tmp_path / name, "")
    other = show.beside([str(tmp_path)], "augmentation")
    assert other
    assert len(other.study.runs) == 2
    unets = show.beside([str(tmp_path)], "lab", "none")
    assert unets
    assert set(unets.study.runs["backbone"]) == {"none"}
    assert len(unets.study.runs) == 2
    assert show.beside([str(tmp_path)], "evidence") is None
    assert show.beside(["a/b", "a/c"], "augmentation") is None


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_shows_a_page_of_the_server(name: str) -> None:
    pages = [re.search(r'show\.page\(.+, "(\w+)"\)', code) for _, code in NOTEBOOKS[name]]
    names = {page[1] for page in pages if page}
    assert names
    assert names <= set(show.PAGES)


def test_a_page_is_a_picture_of_an_exported_study_and_a_link_of_one_on_a_server(tmp_path: Path) -> None:
    made = study(models=MODELS[:2])
    export.write(made, compare(made), tmp_path, "")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/sweep.png").write_bytes(b"PNG")
    exported = show.part(from_folder(tmp_path))
    image = show.page(exported, "sweep")
    assert isinstance(image, Image)
    assert (image.data, image.alt) == (b"PNG", f"{show.PAGES['sweep']}, on the W&B server")
    assert show.page(exported, "run") is show.NO_PAGES

    runs = made.runs.assign(sweep="s", **{keys.VAL_IOU: [0.5, 0.6]})
    links = show.page(show.part(replace(made, runs=runs, server="http://host")), "run")
    assert isinstance(links, Markdown)
    entity, project, run_id = runs["path"][1].split("/")
    assert links.data.splitlines() == [
        f"- [{path}](http://host/{path})"
        for path in (f"{entity}/{project}/sweeps/s", f"{entity}/{project}/runs/{run_id}")
    ]


def test_the_levels_are_those_of_the_model() -> None:
    """Channels and sides as they come out of the model itself, level by level."""
    with torch.device("meta"):
        model, image = UNet("transposed", width=8), torch.zeros(1, 3, 64, 96)
    shapes: list[torch.Size] = []
    for block in (*model.down, *model.up, model.head):
        block.register_forward_hook(lambda module, given, found: shapes.append(found.shape))
    model(image[..., :64])
    runs = pd.DataFrame({"backbone": ["none", "none", "resnet18"], "image_size": [64, 64, 96], "width": [8, 8, 64]})
    head, _, *rows = source.levels(runs).data.splitlines()
    assert head.endswith("| figure 1, input 1 × 572 × 572 | these runs, input 3 × 64 × 64 |")
    for (_, channels, height, width), row in zip(shapes, rows, strict=True):
        assert row.endswith(f"| {channels} × {height} × {width} |")


def test_the_source_that_is_shown_is_that_of_the_project() -> None:
    text = source.source("agent/training/loop.py", "bce").data
    assert text.startswith("From `agent/training/loop.py`:\n\n```python\ndef bce(logits")
    assert text.endswith(".mean()\n```")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_on_a_whole_study_and_every_cell_shows_something(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = run_in_process(name, study(models=[MODELS[0], MODELS[1], MODELS[2], MODELS[5]]), monkeypatch)
    assert len(values) == len(NOTEBOOKS[name]) - 1
    assert all(isinstance(value, Image | Markdown) for value in values)
    codes = code_of(runner.notebook(name, ["a/b"], FOLDER).cells)[1:]
    assert not [
        code for code, value in zip(codes, values, strict=True) if value is show.NOTHING and "_sweep" not in code
    ]
    assert not [value for value in values if isinstance(value, Markdown) and not value.data.strip()]


def test_a_study_without_such_models_or_masks_is_a_sentence_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = seen(study(models=MODELS[2:3]), {})
    values = run_in_process("1_baseline", bare, monkeypatch)
    assert values.pop(-2) is show.NO_PAGES  # the page is about the whole study
    assert set(values[4:]) == {show.NOTHING}  # behind those that show the model itself
    assert show.NO_MASKS in run_in_process("3_backbones", bare, monkeypatch)
    told = [value.data for value in run_in_process("4_summary", bare, monkeypatch) if isinstance(value, Markdown)]
    assert any("at least 8 configurations" in text for text in told)


def test_pictures_of_the_notebooks_hold_no_photograph() -> None:
    made = show.part(study(models=MODELS[2:4]))
    for image in (show.masks(made), show.hard(made)):
        assert isinstance(image, Image)
        pixels = np.asarray(Pillow.open(BytesIO(image.data)).convert("RGB")).reshape(-1, 3)
        # The photographs of this study are grey 200 where the piece is, 60 elsewhere; both are drawn over areas.
        for grey in (200, 60):
            assert (pixels == grey).all(axis=1).mean() < 0.002


def test_the_same_cells_give_the_same_notebook() -> None:
    first, second = (nbformat.writes(runner.notebook("4_summary", ["a/b/c"], FOLDER)) for _ in range(2))
    assert first == second
    assert json.dumps('paths = ["a/b/c"]')[1:-1] in first


@pytest.mark.parametrize(
    ("folder", "way"),
    [
        (FOLDER, "../.."),
        (runner.ROOT / "results" / "study" / "notebooks", "../../.."),
        (Path("/elsewhere"), str(runner.ROOT)),
    ],
)
def test_a_notebook_finds_the_project_from_where_it_lies(folder: Path, way: str) -> None:
    assert f"%cd -q {way}\n" in code_of(runner.notebook("1_baseline", ["a/b"], folder).cells)[0]


def test_without_a_study_the_command_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runner.main(["--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("python -m analysis.notebooks: No path given and no last study")


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_a_stored_notebook_is_the_written_one_run_without_errors_and_small(file: Path) -> None:
    assert file.stat().st_size < 1_000_000
    stored = nbformat.read(file, as_version=4)
    written = runner.notebook(file.stem, ["a/b"], FOLDER)
    assert code_of(stored.cells)[1:] == code_of(written.cells)[1:]
    texts, new = (
        [cell["source"] for cell in cells if cell["cell_type"] == "markdown"] for cells in (stored.cells, written.cells)
    )
    assert texts == new
    code = [cell for cell in stored.cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert kinds <= {"execute_result", "display_data"}


def test_all_four_notebooks_are_stored_executed() -> None:
    assert [file.stem for file in STORED] == sorted(NOTEBOOKS)


@pytest.fixture
def startup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels find a made-up study where a server would be asked."""
    folder = tmp_path / "ipython/profile_default/startup"
    folder.mkdir(parents=True)
    lines = [
        *("import sys", f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})", "import analysis.pull.study"),
        *("from tests.analysis.studies import MODELS, study", "made = study(models=MODELS[:3])"),
        "analysis.pull.study.pull = lambda paths: print('reading', file=sys.__stderr__) or made",
    ]
    (folder / "study.py").write_text("\n".join(lines))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)


@pytest.mark.slow
@pytest.mark.usefixtures("startup")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_kernel_runs_a_notebook_from_top_to_bottom_and_the_results_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "NOTEBOOKS", {"2_overfitting": NOTEBOOKS["2_overfitting"]})
    assert runner.main(["a/b", "--out", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / "2_overfitting.ipynb").read_text())
    outputs = [output for cell in stored["cells"] for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} == {"execute_result"}
    assert base64.b64decode(outputs[0]["data"]["image/png"]).startswith(b"\x89PNG")
    assert "epoch 12 of 20" in "".join(outputs[1]["data"]["text/markdown"])
    assert "wrote" in capsys.readouterr().out


@pytest.mark.usefixtures("startup")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cell_that_fails_ends_the_command_with_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [("# 1", "from analysis import AnalysisError\nraise AnalysisError('No server answers.')")]
    monkeypatch.setattr(runner, "NOTEBOOKS", {"broken": broken})
    monkeypatch.setitem(NOTEBOOKS, "broken", broken)
    assert runner.main(["a/b", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "python -m analysis.notebooks: No server answers.\n"
    assert not (tmp_path / "broken.ipynb").exists()


def published(name: str) -> pd.DataFrame:
    """The history of a study in docs/study beside its configs, sorted by run and epoch."""
    made = from_folder(runner.ROOT / "docs/study" / name)
    configs = made.runs[["run_id", "weights", "augmentation"]]
    return made.history.merge(configs, on="run_id").sort_values(["run_id", "epoch"])


def test_without_augmentation_random_weights_overfit_as_the_explanation_says() -> None:
    history = published("augmentation")
    own = history[(history["weights"] == "none") & (history["augmentation"] == "none")]
    assert own["run_id"].nunique() == 3
    for _, run in own.groupby("run_id"):
        assert run[keys.TRAIN_LOSS].iloc[-1] < 0.01
        lowest = int(run[keys.VAL_LOSS].argmin()) + 1
        assert lowest in (4, 5, 8)
        assert run[keys.VAL_LOSS].iloc[-1] > run[keys.VAL_LOSS].min()
        assert int(run[keys.VAL_IOU].argmax()) + 1 == lowest + 9
    last = history[history["epoch"] == 20].groupby(["weights", "augmentation"])[keys.TRAIN_LOSS].mean()
    assert last.idxmin() == ("imagenet", "none")


def test_most_falls_of_validation_are_those_of_the_statistics_as_the_explanation_says() -> None:
    """Of epochs that would have fallen by over 0.1 with the running statistics most did not with recomputed ones."""
    histories = pd.concat([published("cpu"), published("drawn"), published("augmentation")])
    best = histories.groupby("run_id")[keys.VAL_IOU].transform(lambda iou: iou.cummax().shift())
    gap = histories["val/bn_gap"]
    running = histories[keys.VAL_IOU] - gap.where(gap > 0.02, 0.0)
    fell = (best - running > 0.1) & gap.notna()
    assert fell.sum() > 50
    assert (best - histories[keys.VAL_IOU] < 0.1)[fell].mean() > 0.5


def test_the_order_of_the_decoders_at_512_pixels_is_that_of_the_explanation() -> None:
    runs = from_folder(runner.ROOT / "docs/study/lab").runs.set_index("model")["test/iou"]
    for backbone in ("tu-tf_efficientnet_lite0/none", "tu-tf_efficientnet_lite0/imagenet"):
        assert runs[f"deeplabv3plus/{backbone}"] < runs[f"unet/{backbone}"]
    assert runs["deeplabv3plus/resnet18/none"] > runs["unet/resnet18/none"]


def test_the_falls_at_512_pixels_are_those_of_the_explanation() -> None:
    lab = from_folder(runner.ROOT / "docs/study/lab")
    falls, best_epochs, gaps = {}, {}, {}
    for model in ("unet_transposed", "unet_bilinear"):
        run_id = lab.runs.set_index("model")["run_id"][model]
        history = lab.history[lab.history["run_id"] == run_id].set_index("epoch").sort_index()
        iou = history[keys.VAL_IOU]
        fell = iou.cummax().shift() - iou > 0.1
        falls[model] = set(iou.index[fell])
        best_epochs[model] = int(iou.idxmax())
        gaps[model] = history["val/bn_gap"][fell].max()
        assert history["train/iou"][6:].min() > 0.9
    assert [len(each) for each in falls.values()] == [9, 11]
    assert falls["unet_transposed"] < falls["unet_bilinear"]
    assert list(best_epochs.values()) == [17, 12]
    assert len([epoch for epoch in falls["unet_transposed"] if epoch < 17]) == 8
    assert max(gaps.values()) == pytest.approx(0.28, abs=0.005)


def test_the_deepest_map_of_deeplabv3plus_has_the_size_of_the_explanation() -> None:
    encoder = models.build("deeplabv3plus", "resnet18").get_submodule("encoder")
    shapes = [tuple(features.shape[2:]) for features in encoder(torch.zeros(2, 3, 96, 96))]
    assert shapes[-1] == (6, 6)
    assert (24, 24) in shapes
