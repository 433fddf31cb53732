import os
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis import AnalysisError
from analysis.login import Login
from analysis.runs import (
    connect,
    describe,
    fetch,
    few,
    history,
    plain,
    predictions_of,
    read_predictions,
    usable_runs,
)
from tests.analysis.studies import MODELS, predictions, run, square


def rows(*states: str) -> pd.DataFrame:
    return pd.DataFrame(
        [run(f"r{i}", MODELS[2], predictions(1), state=state) for i, state in enumerate(states)]
    )


class FakeRun:
    """What analysis.runs reads of a wandb Run."""

    entity, project, id, name, state = "lab", "puzzle", "r1", "a name", "finished"

    def __init__(self, steps: list[dict[str, Any]] | None = None, artifacts: list[Any] | None = None) -> None:
        self.steps, self.artifacts = steps or [], artifacts or []
        self.config = {"architecture": "unet", "seed": 3}
        self.summary_metrics = {
            **{"val/iou": {"max": 0.9}, "val/loss": "NaN", "test/rule": "best_loss", "_step": 7},
            "test/predictions": {"_type": "images/separated"},
        }

    def scan_history(self) -> list[dict[str, Any]]:
        return self.steps

    def logged_artifacts(self) -> list[Any]:
        return self.artifacts


class FakeArtifact:
    """A predictions artifact of one image, which counts its downloads."""

    name, type, digest, metadata = "predictions-r1:v0", "predictions", "abc", {"rule": "best_loss"}

    def __init__(self) -> None:
        self.downloads = 0

    def download(self, root: str, skip_cache: bool) -> None:
        self.downloads += 1
        write_predictions(Path(root), ["image-1"])


def write_predictions(folder: Path, stems: list[str]) -> None:
    """The files of docs/runs.md: truth is a square, best_loss is it, best_iou is empty."""
    mask = square(2, 2, 4, 8).astype(np.uint8) * 255
    pictures = {
        "images": np.full((8, 8, 3), 7, np.uint8),
        "truth": mask,
        "best_loss": mask,
        "best_iou": mask * 0,
    }
    for name, pixels in pictures.items():
        (folder / name).mkdir(parents=True)
        for stem in stems:
            Image.fromarray(pixels).save(folder / name / f"{stem}.png")


def fake(*arguments: Any) -> Any:
    return cast(Any, FakeRun(*arguments))


def test_a_run_becomes_a_row_of_config_and_summary_without_internals_and_media() -> None:
    row = describe(fake())
    assert row.pop("val/loss") != row.get("val/loss")
    assert row == {
        **{"architecture": "unet", "seed": 3, "val/iou": 0.9, "test/rule": "best_loss"},
        **{"run_id": "r1", "path": "lab/puzzle/r1", "name": "a name", "state": "finished"},
    }


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), ("a", "a"), ({"min": 0.1}, 0.1), ("Infinity", float("inf"))]
)
def test_summary_values_come_out_of_their_wrapping(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_not_a_number_survives_as_a_number() -> None:
    assert plain("NaN") != plain("NaN")


def test_only_finished_runs_are_used_and_the_others_are_told_by_state() -> None:
    kept, remarks = usable_runs(rows("finished", "running", "crashed", "finished", "running"))
    assert kept["run_id"].tolist() == ["r0", "r3"]
    assert remarks == ("3 of 5 runs are left out: 1 crashed (r2); 2 running (r1, r4).",)


def test_a_finished_run_that_lacks_a_key_is_left_out_by_the_name_of_the_key() -> None:
    runs = rows("finished", "finished")
    runs.loc[1, "test/iou"] = float("nan")
    kept, remarks = usable_runs(runs)
    assert kept["run_id"].tolist() == ["r0"]
    assert remarks == ("1 of 2 runs are left out: 1 without test/iou (r1).",)


def test_a_run_of_something_else_lacks_everything() -> None:
    runs = pd.concat(
        [rows("finished"), pd.DataFrame([{"run_id": "x", "state": "finished", "loss": 1.0}])],
        ignore_index=True,
    )
    _, (remark,) = usable_runs(runs)
    assert "1 without architecture, backbone and 13 more (x)" in remark


def test_when_all_are_usable_there_is_nothing_to_say() -> None:
    assert usable_runs(rows("finished"))[1] == ()


def test_no_usable_run_is_one_sentence_that_says_why() -> None:
    with pytest.raises(AnalysisError, match=r"None of the 2 runs found can be used: 2 failed \(r0, r1\)"):
        usable_runs(rows("failed", "failed"))


def test_long_lists_are_cut_with_a_count() -> None:
    assert few(range(5)) == "0, 1, 2 and 2 more"
    assert few("ab") == "a, b"


def test_history_is_one_row_per_epoch_in_order_and_other_rows_are_dropped() -> None:
    steps = [
        {"_step": 1, "epoch": 2, "train/loss": 0.5, "val/loss": "NaN", "train/iou": 0.6, "val/iou": 0.5},
        {"_step": 0, "epoch": 1, "train/loss": 0.9, "val/loss": 0.8, "train/iou": 0.2, "val/iou": 0.1},
        {"_step": 2, "epoch": 2, "train/loss": 0.4, "val/loss": 0.5, "train/iou": 0.6, "val/iou": 0.5},
        {"_step": 3, "test/predictions": {"_type": "images/separated"}},
    ]
    table = history(fake(steps))
    assert table["epoch"].tolist() == [1, 2]
    assert table["train/loss"].tolist() == [0.9, 0.4]
    assert set(table["run_id"]) == {"r1"}
    assert table["seconds_per_epoch"].isna().all()


def test_a_run_that_logged_nothing_has_an_empty_history() -> None:
    assert history(fake()).empty


def test_predictions_are_read_as_bool_masks_and_rgb_images(tmp_path: Path) -> None:
    write_predictions(tmp_path, ["image-10", "image-9"])
    read = read_predictions(tmp_path, {})
    assert list(read.truth) == ["image-9", "image-10"]
    np.testing.assert_array_equal(read.truth["image-9"], square(2, 2, 4, 8))
    assert not read.masks["best_iou"]["image-9"].any()
    assert read.images["image-9"].shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [(None, "https://api.wandb.ai"), ("http://127.0.0.1:8080", "http://127.0.0.1:8080")],
)
def test_the_client_asks_the_server_of_the_login_and_no_settings_of_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base_url: str | None, asked: str
) -> None:
    folders = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_CONFIG_DIR")
    for name in (*folders, "NETRC", "WANDB_SILENT", "WANDB_ERROR_REPORTING"):
        monkeypatch.setenv(name, "put back at the end of the test")
        monkeypatch.delenv(name)
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("wandb.Api", lambda **options: calls.append(options))
    connect(Login(base_url, "k" * 40), tmp_path)
    assert calls == [{"overrides": {"base_url": asked}, "api_key": "k" * 40}]
    assert {os.environ[name] for name in folders} == {str(tmp_path / "wandb")}
    assert os.environ["NETRC"] == str(tmp_path / "wandb" / "netrc")


def test_folders_that_the_environment_names_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_CONFIG_DIR", "NETRC"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setattr("wandb.Api", lambda **options: None)
    connect(Login(None, "k" * 40), tmp_path)
    assert os.environ["WANDB_CONFIG_DIR"] == os.environ["NETRC"] == "mine"


def test_an_artifact_is_downloaded_once(tmp_path: Path) -> None:
    artifact = FakeArtifact()
    assert fetch(cast(Any, artifact), tmp_path) == fetch(cast(Any, artifact), tmp_path)
    assert artifact.downloads == 1


def test_a_download_that_breaks_off_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    class Broken(FakeArtifact):
        def download(self, root: str, skip_cache: bool) -> None:
            super().download(root, skip_cache)
            raise ValueError("connection lost")

    with pytest.raises(AnalysisError, match="predictions of run r1 cannot be read: connection lost"):
        predictions_of(fake([], [Broken()]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_predictions_artifact_has_none(tmp_path: Path) -> None:
    class Model(FakeArtifact):
        type = "model"

    assert predictions_of(fake([], [Model()]), tmp_path) is None


def test_of_several_versions_of_the_predictions_the_last_is_read(tmp_path: Path) -> None:
    class Second(FakeArtifact):
        name, digest, metadata = "predictions-r1:v1", "def", {"rule": "best_iou"}

    read = predictions_of(fake([], [FakeArtifact(), Second()]), tmp_path)
    assert read is not None
    assert read.metadata == {"rule": "best_iou"}
