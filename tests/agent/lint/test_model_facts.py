"""What the linter knows of a model is what the model is."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from agent.lint import model_facts as facts
from agent.training import models, performance


def test_the_unet_of_the_paper_has_the_parameters_that_were_counted_by_hand() -> None:
    known = facts.look_up("unet_transposed", "none", 64)
    assert known.n_parameters == 31_037_698
    assert facts.look_up("unet_transposed", "none", 16).n_parameters < known.n_parameters / 15


def test_work_is_what_a_run_states() -> None:
    own = facts.look_up("unet", "resnet18")
    model = models.build("unet", "resnet18")
    assert own.macs == performance.n_macs(model, facts.SIDE)
    n_values = sum(each.numel() for each in model.state_dict().values())
    assert 4 * n_values < own.checkpoint_bytes < 1.01 * 4 * n_values


def test_what_is_kept_for_the_backward_pass_is_counted_by_hand() -> None:
    """Conv keeps its input (3 channels), ReLU its output (8): 4 bytes each, of one image."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU())
    with torch.device("meta"):
        counted = facts.count(model.to("meta"))
    assert counted.kept_bytes == 4 * (3 + 8) * facts.SIDE**2
    assert counted.macs == 3 * 8 * 9 * facts.SIDE**2


def test_memory_of_a_step_grows_with_pixels_and_images() -> None:
    known = facts.Facts(n_parameters=1_000_000, kept_bytes=2_000_000)
    assert known.training_bytes(128, 1) == 16_000_000 + 2_000_000
    assert known.training_bytes(256, 3) == 16_000_000 + 24_000_000


def test_a_model_is_built_once_and_again_when_a_library_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def probe(*model: object) -> facts.Facts:
        built.append(model)
        return facts.Facts(reason="tried")

    monkeypatch.setattr(facts, "probe", probe)
    cache = tmp_path / "cache" / "models.json"
    for _ in range(2):
        facts.look_up.cache_clear()
        assert facts.look_up("unet", "resnet18", 64, cache).reason == "tried"
    assert len(built) == 1
    cache.write_text(json.dumps(json.loads(cache.read_text()) | {"stamp": "another"}))
    facts.look_up.cache_clear()
    facts.look_up("unet", "resnet18", 64, cache)
    assert len(built) == 2
    cache.write_text("{ broken")
    facts.look_up.cache_clear()
    facts.look_up("unet", "resnet18", 64, cache)
    assert len(built) == 3
    facts.look_up.cache_clear()


def test_a_cache_that_cannot_be_written_remembers_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    facts.look_up.cache_clear()
    found = facts.look_up("unet_bilinear", "none", 4, tmp_path / "file" / "models.json")
    assert found == facts.look_up("unet_bilinear", "none", 4, tmp_path / "models.json")
    assert [each.name for each in tmp_path.iterdir() if each.suffix] == ["models.json"]


def test_what_is_remembered_is_that_of_this_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other code of our models, or none, has another stamp."""
    now = facts._stamp.__wrapped__()
    monkeypatch.setattr(facts, "MODELS_FOLDER", tmp_path)
    assert facts._stamp.__wrapped__() != now
