import os
from pathlib import Path
from typing import Any, cast

import pytest

from analysis.pull.client import connect, content, describe, download, history, last_of, plain
from analysis.pull.login import Login
from tests.analysis.fakes import FakeArtifact, FakeRun, fake


def test_a_run_becomes_a_row_of_config_and_summary_without_internals_and_media() -> None:
    row = describe(fake())
    assert row.pop("val/loss") != row.get("val/loss")
    assert row == {
        **{"architecture": "unet", "seed": 3, "val/iou": 0.9, "test/rule": "best_loss"},
        **{"run_id": "r1", "path": "lab/puzzle/r1", "name": "a name", "state": "finished"},
        **{"sweep": "s1", "created_at": "2026-01-01"},
    }


@pytest.mark.parametrize(("value", "expected"), [(1, 1), ("a", "a"), ({"min": 0.1}, 0.1), ("Infinity", float("inf"))])
def test_summary_values_come_out_of_their_wrapping(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_not_a_number_survives_as_a_number() -> None:
    assert plain("NaN") != plain("NaN")


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


@pytest.mark.parametrize(
    ("base_url", "asked"), [(None, "https://api.wandb.ai"), ("http://127.0.0.1:8080", "http://127.0.0.1:8080")]
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
    assert all(Path(os.environ[name]).is_relative_to(tmp_path / "wandb") for name in folders)
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
    assert download(cast(Any, artifact), tmp_path) == download(cast(Any, artifact), tmp_path)
    assert artifact.downloads == 1


def test_a_download_that_breaks_off_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    class Broken(FakeArtifact):
        def download(self, root: str, skip_cache: bool) -> None:
            super().download(root, skip_cache)
            raise ValueError("connection lost")

    with pytest.raises(ValueError, match="connection lost"):
        download(cast(Any, Broken()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_without_a_file_of_the_manifest_is_no_download(tmp_path: Path) -> None:
    artifact = FakeArtifact()
    artifact.manifest.entries["images/image-2.png"] = None
    with pytest.raises(ConnectionError, match=r"arrived without images/image-2\.png"):
        download(cast(Any, artifact), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_several_versions_the_last_of_the_type_counts() -> None:
    class Model(FakeArtifact):
        type = "model"

    first, second, model = (cast(Any, made()) for made in (FakeArtifact, FakeArtifact, Model))
    assert last_of([first, second, model], "predictions") is second
    assert last_of([model], "predictions") is None


@pytest.mark.parametrize(
    "change",
    [
        {"state": "crashed"},
        {"heartbeat_at": "2026-02-01"},
        {"history_line_count": 4},
        {"project": "other"},
        {"config": {"architecture": "unet", "seed": 4}},
        {"summary_metrics": {"val/iou": 0.8}},
    ],
)
def test_a_run_that_changed_in_any_way_has_another_content(change: dict[str, Any]) -> None:
    changed = FakeRun()
    for name, value in change.items():
        setattr(changed, name, value)
    assert content(cast(Any, changed)) != content(fake()) == content(fake())
