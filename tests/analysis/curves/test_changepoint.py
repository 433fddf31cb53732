import numpy as np
import pytest

from analysis.curves.changepoint import Curve, start_of_rise

EPOCHS = np.arange(50.0)
N = 30


def starts(curve: Curve, noise: float, seed: int = 0) -> list[int | None]:
    """What is found in `N` noisy copies of a curve."""
    rng = np.random.default_rng(seed)
    return [start_of_rise(curve + rng.normal(0, noise, len(curve))) for _ in range(N)]


@pytest.mark.parametrize("at", [10, 20, 35])
def test_a_hinge_is_found_where_it_was_put(at: int) -> None:
    found = [start for start in starts(0.05 * np.maximum(0, EPOCHS - at), 0.05) if start is not None]
    assert len(found) >= 0.95 * N
    assert abs(np.median(found) - at) <= 2


def test_the_fall_of_the_first_epochs_is_no_start_of_a_rise() -> None:
    curve = 3 * 0.6**EPOCHS + 0.05 * np.maximum(0, EPOCHS - 20)
    found = [start for start in starts(curve, 0.1) if start is not None]
    assert len(found) >= 0.95 * N
    assert abs(np.median(found) - 20) <= 3


@pytest.mark.parametrize(
    "curve", [0 * EPOCHS, 5 * 0.9**EPOCHS, -0.02 * EPOCHS], ids=["flat", "falling", "down"]
)
def test_what_does_not_rise_is_hardly_ever_said_to(curve: Curve) -> None:
    assert sum(start is not None for start in starts(curve, 0.3)) <= 1


def test_spikes_of_single_epochs_are_no_rise() -> None:
    rng = np.random.default_rng(1)
    spiky = [rng.normal(0, 0.1, 50) + 3.0 * (rng.random(50) < 0.05) for _ in range(N)]
    assert sum(start_of_rise(curve) is not None for curve in spiky) <= 0.1 * N


def test_a_straight_rise_starts_with_the_first_epoch_and_too_few_epochs_say_nothing() -> None:
    assert start_of_rise(EPOCHS) == 0
    assert start_of_rise(EPOCHS[:7]) is None
    assert start_of_rise(0 * EPOCHS) is None
