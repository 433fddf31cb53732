"""Seconds are those that are counted by hand from measured steps."""

import pytest

from agent.config import from_settings
from agent.lint import duration, models
from agent.lint.duration import Duration, step_seconds
from agent.training.step_times import ONE_CORE, Step


def step(
    model: str, macs: int, seconds: float, precision: str = "float32", device: str = "GPU", width: int = 64
) -> Step:
    architecture, _, backbone = model.partition("/")
    return Step(device, architecture, backbone or "none", width, 64, 2, precision, macs, seconds, 0.0, 1)


def seconds(model: str, macs: float, steps: list[Step], precision: str = "float32") -> float:
    return step_seconds(from_settings({"model": model}), precision, macs, steps)


def test_two_measured_steps_give_a_fixed_part_and_one_that_grows() -> None:
    steps = [
        step("unet_bilinear", 100, 3.0),
        step("unet_bilinear", 300, 5.0),
        step("unet/resnet18", 100, 70.0),
    ]
    assert seconds("unet_bilinear", 500.0, steps) == pytest.approx(2 + 0.01 * 500)


def test_a_measured_step_of_the_same_work_is_taken_as_it_is() -> None:
    steps = [step("unet_bilinear", macs, s) for macs, s in ((100, 3.0), (200, 9.0), (300, 5.0))]
    assert seconds("unet_bilinear", 201, steps) == 9.0


def test_of_a_model_written_here_the_steps_of_the_nearest_width_count() -> None:
    """By the ratio: 24 is nearer to 16 than to 64, and 40 to 64. A backbone has no width."""
    narrow, wide = step("unet_bilinear", 100, 3.0, width=16), step("unet_bilinear", 100, 1.0, width=64)
    for width, expected in ((8, 3.0), (24, 3.0), (40, 1.0), (128, 1.0)):
        config = from_settings({"model": "unet_bilinear", "width": width})
        assert step_seconds(config, "float32", 100, [narrow, wide]) == expected
    config = from_settings({"model": "unet/a", "width": 16})
    assert (
        step_seconds(config, "float32", 100, [step("unet/a", 100, s, width=w) for w, s in ((16, 3), (64, 1))])
        == 1
    )


def test_from_one_measured_step_seconds_grow_with_the_work() -> None:
    assert seconds("unet_bilinear", 250, [step("unet_bilinear", 100, 3.0), step("unet/a", 1, 9.0)]) == 7.5


def test_a_model_that_was_not_measured_is_as_fast_as_the_median_of_its_architecture() -> None:
    steps = [step(f"unet/{name}", 100, s) for name, s in (("a", 1.0), ("b", 2.0), ("c", 10.0))]
    assert seconds("unet/resnet34", 300, [*steps, step("deeplabv3plus/a", 1, 99.0)]) == 6.0


def test_an_architecture_that_was_not_measured_is_as_fast_as_the_median_of_all() -> None:
    steps = [step("unet/a", 100, 1.0), step("unet_bilinear", 100, 3.0), step("unet/c", 100, 7.0)]
    assert seconds("deeplabv3plus/resnet34", 100, steps) == 3.0


@pytest.mark.parametrize(("precision", "expected"), [("float32", 4.0), ("bfloat16", 1.0), ("auto", 1.0)])
def test_steps_in_the_wanted_precision_count_and_auto_is_the_fastest(precision: str, expected: float) -> None:
    steps = [step("unet_bilinear", 100, 4.0), step("unet_bilinear", 100, 1.0, "bfloat16")]
    assert seconds("unet_bilinear", 100, steps, precision) == expected


def test_where_the_wanted_precision_was_not_measured_the_other_one_counts() -> None:
    assert seconds("unet_bilinear", 100, [step("unet_bilinear", 100, 4.0)], "bfloat16") == 4.0


CONFIG = from_settings(
    {"architecture": "unet_bilinear", "epochs": 7, "image_size": 128, "batch_size": 2, "repeats": 3}
    | {"score_size": 512}
)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """1000 multiply-accumulates at 128 pixels, four checkpoints in two seconds, a photograph scored in three."""
    known = models.Facts(macs=1000, n_parameters=int(duration.SAVED_PER_SECOND * 2 / 16))
    monkeypatch.setattr(models, "known", lambda *_, **__: known)
    monkeypatch.setattr(duration, "SCORED_PER_SECOND", 512 * 384 / 3)


def linear(device: str) -> list[Step]:
    """A hundredth of a second for each multiply-accumulate."""
    return [step("unet_bilinear", macs, macs / 100, device=device) for macs in (500, 100_000)]


@pytest.mark.usefixtures("facts")
def test_a_run_is_its_start_its_visits_with_validation_and_saving_and_its_test() -> None:
    """Ten images in five steps, thrice in an epoch. A forward pass is a third of a step: of four images to validate, in
    every second epoch of ten for new statistics and four to validate again, and of four to test two checkpoints. Each
    image that is validated or tested is scored."""
    run = duration.of_run(CONFIG, linear(ONE_CORE + "CPU"))
    assert run.start == 12
    assert run.training == pytest.approx(7 * 3 * 5 * 20)
    assert run.validation == pytest.approx(7 * (40 / 3 + 12 + 0.5 * (140 / 3 + 12)))
    assert run.saving == pytest.approx(7 * 2.0)
    assert run.test == pytest.approx(2 * (40 / 3 + 12))
    assert run.total == pytest.approx(12 + 2100 + 7 * (110 / 3 + 18 + 2) + 80 / 3 + 24)
    assert run.aside == run.validation + run.saving


@pytest.mark.usefixtures("facts")
def test_on_a_gpu_a_candidate_waits_for_what_the_epoch_does_not_hide_of_a_save(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Epochs last 300 + 110 / 3 seconds."""
    assert duration.of_run(CONFIG, linear("GPU")).saving == 0
    monkeypatch.setattr(duration, "SAVED_PER_SECOND", duration.SAVED_PER_SECOND / 200)
    assert duration.of_run(CONFIG, linear("GPU")).saving == pytest.approx(7 * 0.5 * (400 - 300 - 110 / 3))


def test_an_empty_run_takes_no_time() -> None:
    assert Duration().total == 0
