"""Runs, seconds and bytes are those that are counted by hand."""

from pathlib import Path

import pytest

from agent import budget
from agent.config import from_settings
from agent.lint import cost, models
from agent.lint.cost import Step
from tests.agent.lint.sweep_text import CLEAN, lint

GRID = """\
program: agent/train.py
command: [python, -m, agent.train, "${args}"]
method: grid
parameters:
  architecture: {values: [unet_transposed, unet_bilinear]}
  seed: {min: 1, max: 3}
  width: {distribution: q_uniform, min: 8, max: 16, q: 4}
  image_size: {value: 64}
"""


def test_a_grid_has_the_product_of_its_values_at_most_run_cap(tmp_path: Path) -> None:
    for text, n_runs in ((GRID, 2 * 3 * 3), (GRID + "run_cap: 5\n", 5), (CLEAN, 8)):
        report = lint(tmp_path, text)
        assert report.cost is not None, report.text()
        assert report.cost.n_runs == n_runs


def test_two_measured_steps_give_a_fixed_part_and_one_that_grows() -> None:
    config = from_settings({"architecture": "unet_bilinear"})
    steps = [
        Step("gpu", "unet_bilinear", "none", 100.0, 3.0),
        Step("gpu", "unet_bilinear", "none", 300.0, 5.0),
        Step("gpu", "unet", "resnet18", 100.0, 70.0),
    ]
    assert cost.step_seconds(config, 500.0, steps) == pytest.approx(2 + 0.01 * 500)


def test_a_model_that_was_not_measured_is_as_fast_as_the_median_of_its_architecture() -> None:
    config = from_settings({"model": "unet/resnet34"})
    steps = [Step("gpu", "unet", name, 100.0, s) for name, s in (("a", 1.0), ("b", 2.0), ("c", 10.0))]
    assert cost.step_seconds(config, 300.0, [*steps, Step("gpu", "deeplabv3plus", "a", 1.0, 99.0)]) == 6.0


def test_a_run_is_its_start_its_epochs_with_validation_and_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten images in five steps, four to validate at a third of a step's work; two checkpoints are tested on four."""
    config = from_settings({"architecture": "unet_bilinear", "epochs": 7, "image_size": 128, "batch_size": 2})
    monkeypatch.setattr(models, "known", lambda *_: models.Facts(macs=1000))
    steps = [Step("gpu", "unet_bilinear", "none", work, work / 100) for work in (1000.0, 2000.0)]
    seconds = cost.run_seconds(config, steps)
    assert seconds == pytest.approx(12 + 7 * (5 * 20 + 40 / 3) + 2 * 40 / 3)


def test_the_price_of_a_sweep_is_the_mean_run_times_the_number_of_runs(tmp_path: Path) -> None:
    table = tmp_path / "steps.csv"
    table.write_text(
        "device,architecture,backbone,macs,seconds\nGPU,unet_bilinear,none,1000000000,1\nCPU,unet,resnet18,1,1\n"
    )
    small, large = (
        from_settings({"architecture": "unet_bilinear", "width": w, "image_size": 64}) for w in (8, 16)
    )
    steps = cost.measured(table)["GPU"]
    priced = cost.of([small, large], 10, table)
    each = [cost.run_seconds(config, steps) for config in (small, large)]
    assert priced.hours["GPU"] == pytest.approx(10 * sum(each) / 2 / 3600)
    assert set(priced.hours) == {"GPU", "CPU"}
    assert priced.memory == models.known("unet_bilinear", "none", 16).training_bytes(64, 2)


@pytest.mark.parametrize("model", ["unet_bilinear", "unet/resnet18"])
def test_bytes_are_those_that_a_run_is_given(model: str) -> None:
    config = from_settings({"model": model, "image_size": 96})
    assert cost.artifact_bytes(config) == budget.bytes_of_run(config)


@pytest.mark.parametrize(("hours", "text"), [(0.5, "30 minutes"), (2.25, "2.2 hours"), (60.4, "60 hours")])
def test_hours_are_words(hours: float, text: str) -> None:
    assert cost.hours(hours) == text


def test_the_recorded_steps_name_their_command_and_cover_every_architecture() -> None:
    assert cost.TABLE.read_text().startswith("# python -m bench.step_seconds")
    for steps in cost.measured().values():
        assert {step.architecture for step in steps} == {
            "unet_transposed",
            "unet_bilinear",
            "unet",
            "deeplabv3plus",
        }
