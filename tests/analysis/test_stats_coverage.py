"""The simulated coverages: what they simulate."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.stats import simulated_coverage, simulated_split_coverage
from analysis.stats.__main__ import main
from analysis.stats.coverage import Resplit, Spread, image_effects, simulate


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", ["normal", "skewed", "difference"])
def test_effects_of_images_have_no_mean_and_unit_deviation(name: str) -> None:
    drawn = image_effects(name, (400_000,), rng())
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.std() == pytest.approx(1, abs=0.05)


def test_simulated_scores_vary_by_seed_image_and_rest_as_told() -> None:
    drawn = simulate(Spread(seed=3, image=4, rest=2), (20_000, 2, 2), rng())
    assert drawn.var() == pytest.approx(9 + 16 + 4, rel=0.03)
    assert np.mean(drawn[:, 0, 0] * drawn[:, 0, 1]) == pytest.approx(9, rel=0.05)
    assert np.mean(drawn[:, 0, 0] * drawn[:, 1, 0]) == pytest.approx(16, rel=0.05)


def test_where_only_images_vary_the_t_interval_covers_exactly_its_level() -> None:
    found = simulated_coverage(4, 1, "t", rng(), spread=Spread(seed=0), level=0.8, simulations=20_000)
    assert found.coverage == pytest.approx(0.8, abs=4 * found.standard_error)
    assert found.standard_error == pytest.approx(np.sqrt(0.8 * 0.2 / 20_000), rel=0.05)


def test_the_percentile_bootstrap_over_four_images_covers_three_quarters() -> None:
    found = simulated_coverage(4, 1, "percentile", rng(), spread=Spread(seed=0))
    assert 0.72 < found.coverage < 0.82


def test_splits_that_share_no_image_would_need_no_correction() -> None:
    apart = Resplit(n_train=1, n_val=200, n_test=1, training=0.0)
    found = simulated_split_coverage(2, rng(), corrected=False, resplit=apart, simulations=1000)
    assert found.coverage == pytest.approx(0.95, abs=0.03)


def test_equal_generators_give_equal_coverages_and_others_do_not() -> None:
    first, again, other = (simulated_coverage(4, 3, "bca", rng(seed), simulations=300) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two images or two seeds"):
        simulated_coverage(1, 1, "t", rng())
    with pytest.raises(ValueError, match="take one of normal, skewed, difference"):
        simulate(Spread(shape="odd"), (1, 1, 1), rng())
    with pytest.raises(SystemExit):
        main(["--simulations", "0"])
