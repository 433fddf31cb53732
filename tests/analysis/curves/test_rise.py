"""A rise of validation loss: found where there is one, seldom where there is none."""

import numpy as np
import pytest

from analysis.curves.rise import LEAST_RISE, measure_rise
from bench.rise import curves, share_that_rises


@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("noise", [0.0, 0.7, 0.9])
def test_flat_curves_are_seldom_told_to_rise(runs: int, noise: float) -> None:
    assert share_that_rises(curves(1000, runs, 50, noise, 0.0, np.random.default_rng(runs))) <= 0.05 + 2 * 0.007


def test_a_rise_that_stands_out_is_found_and_measured() -> None:
    losses = curves(1, 5, 100, 0.5, 20.0, np.random.default_rng(0))[0]
    found = measure_rise(losses)
    assert found.verdict == "rises"
    assert found.estimate == pytest.approx(1.8, abs=0.2)
    assert found.epoch < 60


def test_the_verdict_can_be_read_off_the_interval() -> None:
    """An interval of both sides at 95 % held zero in a quarter of the rises that a test of one side had found."""
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        found.append(measure_rise(curves(1, 3, 20, 0.5, 3.0, rng)[0]))
        assert (found[-1].high < LEAST_RISE) == (found[-1].verdict == "flat")
        assert (found[-1].low > 0 and found[-1].high >= LEAST_RISE) == (found[-1].verdict == "rises")
    assert {each.verdict for each in found} == {"rises", "cannot_tell"}


def test_a_curve_that_falls_to_the_end_does_not_rise() -> None:
    falling = np.linspace(2, 1, 40) + np.random.default_rng(0).normal(0, 0.01, (3, 40))
    assert measure_rise(falling).verdict == "flat"
    assert measure_rise(np.tile(np.linspace(2, 1, 40), (3, 1))).estimate == 0


def test_too_noisy_to_tell_says_how_many_runs_would() -> None:
    losses = curves(1, 3, 25, 0.7, 0.0, np.random.default_rng(7))[0] - 7
    found = measure_rise(losses)
    assert found.verdict == "cannot_tell"
    assert found.needed is None or found.needed > 3


@pytest.mark.parametrize("shape", [(2, 50), (3, 3)])
def test_too_few_runs_or_epochs_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a rise needs 3 runs and 4 epochs"):
        measure_rise(np.ones(shape))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_losses_of_which_no_share_can_be_taken_are_refused(value: float) -> None:
    losses = np.ones((3, 8))
    losses[1, 4] = value
    with pytest.raises(ValueError, match="not above 0 and finite"):
        measure_rise(losses)
