"""The simulated coverages: what they simulate, and that docs/statistics.md tells them as they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from analysis.stats import simulated_coverage, simulated_split_coverage
from analysis.stats.__main__ import main
from analysis.stats.coverage import SPREADS, Resplit, Spread, image_effects, simulate

PAGE = Path(__file__).resolve().parents[3] / "docs" / "statistics.md"


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


def tables(text: str) -> list[list[list[float]]]:
    """The numbers of every Markdown table."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    rows = [[re.findall(r"[\d.]+", line) for line in block.splitlines()[2:]] for block in blocks]
    return [[[float(cell) for cell in line] for line in block] for block in rows]


@pytest.mark.slow
def test_the_page_tells_the_coverages_that_the_command_simulates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--simulations", "1000", "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{printed}")
    told, found = tables(PAGE.read_text()), tables(printed)
    assert [len(table) for table in told] == [len(table) for table in found] == [12, 12, 12, 5]
    counts = [2, 2, 2, 1]
    for old, new, head in zip(told, found, counts, strict=True):
        a, b = np.array(old), np.array(new)
        assert (a[:, :head] == b[:, :head]).all()
        error = np.sqrt(a[:, head:] * (1 - a[:, head:]) * (1 / 2000 + 1 / 1000))
        assert (np.abs(a - b)[:, head:] < 4.5 * error).all()
    of_t = np.array(told[0])
    several = of_t[:, 1] > 1
    normal = 2 + list(SPREADS).index("normal")
    assert of_t[several, normal].min() > 0.93
