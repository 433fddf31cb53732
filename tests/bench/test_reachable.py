"""The bound of power: against the noncentral t, and against what an oracle has."""

from math import sqrt

import pytest
from scipy import stats

from analysis.evidence.claims import CLAIMS
from bench.evidence import MIXES, Cell, design, read
from bench.evidence import TABLE as STORED
from bench.reachable import Source, power, reachable


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_two_models_on_their_images_have_the_power_of_students_t(seeds: int) -> None:
    gap = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    freedom = 2 * (seeds - 1)
    expected = stats.nct.sf(stats.t.ppf(0.975, freedom), freedom, gap)
    cell = Cell(2, "1", seeds, 8, "usual")
    assert reachable(design(cell), MIXES["usual"], CLAIMS[0]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("models", [2, 8])
def test_who_knows_the_variance_or_has_many_degrees_of_freedom_is_the_oracle(models: int) -> None:
    assert power(models, Source(share=0, pure=1, freedom=4)) == pytest.approx(0.8, abs=0.005)
    assert power(models, Source(share=1, pure=1, freedom=1e6)) == pytest.approx(0.8, abs=0.005)


def test_a_variance_that_shows_only_beside_others_leaves_less_power() -> None:
    alone, beside = (power(2, Source(share=0.5, pure=pure, freedom=5)) for pure in (1.0, 0.2))
    assert beside < alone - 0.1


def test_power_is_not_beyond_what_is_reachable_but_for_the_error_of_the_simulation() -> None:
    """Where all effects are normal; even the luckiest of hundreds of cells is within three and a half errors."""
    rows = [row for row in read(STORED) if row.cell.mix != "skewed images" and row.cell.seeds > 1]
    assert len(rows) > 900
    for row in rows:
        assert row.power < row.reachable + 0.02 + 3.5 * sqrt(0.25 / row.studies), row
