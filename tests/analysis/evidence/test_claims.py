"""What `analysis.evidence` concludes: against formulas of textbooks, and against simulated truth."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.evidence.claims import BEST, CANNOT_TELL, CLAIMS, EQUIVALENT, WORSE, Claim, judge, selection_bias
from analysis.evidence.components import estimate, solve
from analysis.evidence.design import Design, ScoresError
from analysis.evidence.simulate import Truth, draw

USUAL = Truth(seed=0.005, image=0.005, training=0.0, rest=0.005, common=0.01)
THESE, OTHER, SETS = CLAIMS


def layout(models: int, seeds: int, images: int, splits: int = 1, train: int | None = 0) -> Design:
    """Every model with as many seeds on splits that share no image."""
    numbers = np.arange(splits * images).reshape(splits, images)
    return Design(np.ones((models, splits, seeds), bool), numbers, train)


def simulated(design: Design, true: Truth, means: Sequence[float], studies: int = 400) -> dict[str, Claim]:
    rng = np.random.default_rng(7)
    scores, _ = draw(design, true, np.array(means), studies, rng)
    return dict(judge(design, scores, rng, draws=500).claims)


def share_with(claim: Claim, verdict: int) -> float:
    """Share of studies in which at least one model has the verdict."""
    return float((claim.verdict == verdict).any(axis=1).mean())


RUNS = np.array([[0.90, 0.91, 0.95], [0.86, 0.90, 0.87]])


def on_their_images(runs: NDArray[np.float64]) -> Claim:
    """The claim on two images, which are alike for all models: (M, S) means of runs."""
    scores = (runs[:, None, :, None] + np.array([-0.01, 0.01]))[None]
    return judge(layout(len(runs), 3, 2), scores, np.random.default_rng(0), draws=40_000).claims[THESE]


def test_two_models_on_their_images_are_compared_by_students_t() -> None:
    claim = on_their_images(RUNS)
    expected = stats.ttest_ind(RUNS[1], RUNS[0])
    interval = expected.confidence_interval()
    assert claim.p[0, 1] == pytest.approx(expected.pvalue, abs=0.004)
    assert (claim.low[0, 1], claim.high[0, 1]) == pytest.approx((interval.low, interval.high), abs=0.0015)


def test_several_models_on_their_images_are_compared_by_tukeys_range() -> None:
    runs = np.array([*RUNS, [0.88, 0.83, 0.85]])
    assert on_their_images(runs).p[0, 2] == pytest.approx(stats.tukey_hsd(*runs).pvalue[0, 2], abs=0.004)


def test_a_model_that_is_worse_beyond_doubt_does_not_make_the_rest_harder_to_tell() -> None:
    runs = np.array([*RUNS, [0.38, 0.33, 0.35]])
    t = (runs[0].mean() - runs[1].mean()) / np.sqrt(runs.var(axis=1, ddof=1).mean() * 2 / 3)
    assert on_their_images(runs).p[0, 1] == pytest.approx(2 * stats.t.sf(t, 6), abs=0.004)


def test_with_splits_of_their_own_photographs_two_models_are_compared_by_the_paired_t() -> None:
    cells = np.array([[0.90, 0.91, 0.95, 0.93], [0.86, 0.90, 0.87, 0.91]])
    scores = cells[None, :, :, None, None] + np.zeros((1, 1, 1, 1, 3))
    design = Design(np.ones((2, 4, 1), bool), np.arange(12).reshape(4, 3), 0)
    claim = judge(design, scores, np.random.default_rng(0), draws=40_000).claims[SETS]
    assert claim.p[0, 1] == pytest.approx(stats.ttest_rel(*cells).pvalue, abs=0.004)


@pytest.mark.parametrize(("models", "seeds", "images"), [(2, 5, 30), (2, 5, 8), (8, 5, 12), (8, 3, 4)])
def test_equal_models_are_seldom_told_apart(models: int, seeds: int, images: int) -> None:
    claim = simulated(layout(models, seeds, images), USUAL, [0.9] * models)[OTHER]
    assert share_with(claim, WORSE) <= 0.05 + 2 * 0.011
    assert share_with(claim, BEST) <= 0.05


def test_a_model_that_misses_the_margin_is_seldom_called_equivalent() -> None:
    claim = simulated(layout(3, 5, 8), USUAL, [0.90, 0.89, 0.89])[OTHER]
    assert float((claim.verdict[:, 1:] == EQUIVALENT).any(axis=1).mean()) <= 0.05 + 2 * 0.011


@pytest.mark.parametrize(
    ("seeds", "images", "means", "verdict", "share"),
    [(10, 30, [0.9, 0.9], [EQUIVALENT] * 2, 0.9), (5, 4, [0.9, 0.85], [BEST, WORSE], 0.95)],
)
def test_enough_seeds_and_images_show_what_is_there(
    seeds: int, images: int, means: list[float], verdict: list[int], share: float
) -> None:
    """Ten seeds and 30 images that equal models are equivalent, five and four a difference of five points."""
    claim = simulated(layout(2, seeds, images), USUAL, means)[OTHER]
    assert float((claim.verdict == verdict).mean()) > share


@pytest.mark.parametrize("claim", [THESE, OTHER])
def test_one_seed_never_makes_a_model_worse(claim: str) -> None:
    found = simulated(layout(2, 1, 30), USUAL, [0.9, 0.5], studies=5)[claim]
    assert (found.verdict == CANNOT_TELL).all()
    assert np.isnan(found.p).all()


def test_a_model_with_one_seed_is_not_judged_among_models_with_five() -> None:
    runs = np.ones((3, 1, 5), bool)
    runs[2, 0, 1:] = False
    claim = simulated(Design(runs, np.arange(8)[None]), USUAL, [0.9, 0.8, 0.7], studies=50)[OTHER]
    assert (claim.verdict[:, 2] == CANNOT_TELL).all()
    assert (claim.verdict[:, 1] == WORSE).mean() > 0.9
    assert (claim.verdict[:, 0] != BEST).all()


def folds(presence: NDArray[np.int64]) -> Design:
    """(M, K) of how many runs."""
    runs = np.arange(presence.max()) < presence[:, :, None]
    return Design(runs, np.arange(presence.shape[1] * 4).reshape(-1, 4), 0)


def test_the_better_model_is_preferred_where_the_other_has_only_the_easy_splits() -> None:
    """A on folds 0 to 2, B on all six; folds 3 to 5 are harder, B is better by 0.02 on each shared one."""
    design = folds(np.array([[3, 3, 3, 0, 0, 0], [3] * 6]))
    scores, _ = draw(design, USUAL, np.array([0.90, 0.92]), 40, np.random.default_rng(1))
    scores[:, :, 3:] -= 0.2
    claim = judge(design, scores, np.random.default_rng(2), draws=500).claims[OTHER]
    assert (claim.top == 1).mean() > 0.9
    assert (claim.verdict[:, 0] != BEST).all()


def test_unpaired_seeds_all_count() -> None:
    """5 runs against 3: with labels paired, two of the five would be thrown away."""
    runs = np.ones((2, 1, 5), bool)
    runs[1, 0, 3:] = False
    scores = np.full((1, 2, 1, 5, 2), np.nan)
    scores[0, 0, 0] = np.array([0.90, 0.92, 0.94, 0.80, 0.79])[:, None] + np.array([-0.01, 0.01])
    scores[0, 1, 0, :3] = np.array([0.85, 0.88, 0.86])[:, None] + np.array([-0.01, 0.01])
    judgement = judge(Design(runs, np.arange(2)[None]), scores, np.random.default_rng(0))
    assert judgement.means[0] == pytest.approx([0.87, 0.8633333])


def test_more_splits_never_take_a_verdict_on_the_first_away() -> None:
    """What holds on these images is still said when one model has other splits as well."""
    design = folds(np.array([[5, 1, 1, 1], [5, 0, 0, 0]]))
    claim = simulated(design, USUAL, [0.9, 0.8], studies=20)
    assert (claim[OTHER].verdict == [BEST, WORSE]).all()


def test_models_on_splits_that_no_other_shares_are_refused() -> None:
    with pytest.raises(ScoresError, match="share no split"):
        _ = folds(np.array([[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]])).weights


def test_a_noisy_model_does_not_hide_a_difference_between_quiet_ones() -> None:
    noisy = Truth(np.array([0.002] * 4 + [0.03] * 2), np.array([0.002] * 4 + [0.03] * 2), 0.0, 0.002)
    claim = simulated(layout(6, 5, 8), noisy, [0.9, 0.89, 0.9, 0.9, 0.7, 0.7], studies=100)[OTHER]
    assert float((claim.p[:, 1] < 0.05).mean()) > 0.7


@pytest.mark.parametrize(("models", "most"), [(8, 1.15), (40, 1.25)])
def test_deviations_that_differ_by_chance_alone_cost_little_beyond_tukeys_range(models: int, most: float) -> None:
    claim = simulated(layout(models, 3, 4), USUAL, [0.9] * models, studies=100)[THESE]
    tukey = stats.studentized_range.ppf(0.95, models, models * 2) / np.sqrt(2)
    assert tukey < claim.critical.mean() < most * tukey


def test_a_model_of_restless_seeds_gains_as_much_from_a_training_set_as_others() -> None:
    """What all models share is estimated from all: nothing of one model alone is taken off it."""
    design = Design(np.ones((3, 4, 2), bool), np.arange(8).reshape(4, 2), 0)
    squares = {
        "run": np.array([[1.0, 1.0, 4.0]]),
        "rest": np.zeros((1, 3)),
        "image": np.full((1, 3), 2.0),
        "training": np.full((1, 3), 5.0),
    }
    common = {name: np.array([[name != "run"]]) for name in squares}
    assert solve(design, squares, common)["training"] == pytest.approx(np.full((1, 3), 5 - 2 / 2 - 2 / 2))


@pytest.mark.parametrize(("models", "normal"), [(2, 0.5642), (8, 1.4236), (40, 2.1608)])
def test_the_highest_of_equal_models_is_flattered_by_the_expected_highest_of_normals(
    models: int, normal: float
) -> None:
    design = layout(models, 10, 8)
    true = Truth(seed=0.01, image=0.01, training=0.0, rest=0.0)
    scores, _ = draw(design, true, np.zeros(models), 200, np.random.default_rng(0))
    judgement = judge(design, scores, np.random.default_rng(1), draws=300)
    luck = selection_bias(judgement, OTHER, np.random.default_rng(2), draws=300).mean()
    assert 0.75 < luck / (normal * np.sqrt(0.01**2 / 10 + 0.01**2 / 8)) < 1.15


def test_how_lucky_the_highest_of_single_runs_is_remains_unknown() -> None:
    design = layout(3, 1, 8)
    scores, _ = draw(design, USUAL, np.zeros(3), 2, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    assert np.isnan(selection_bias(judge(design, scores, rng), OTHER, rng)).all()


@pytest.mark.parametrize("splits", ["1", "6 random", "6-fold"])
def test_components_are_estimated_without_bias(splits: str) -> None:
    """Also where random splits test some images again."""
    rng = np.random.default_rng(0)
    numbers = {
        "1": np.arange(8)[None],
        "6 random": np.stack([rng.permutation(36)[:8] for _ in range(6)]),
        "6-fold": np.arange(48).reshape(6, 8),
    }[splits]
    design = Design(np.ones((8, len(numbers), 4), bool), numbers)
    true = Truth(seed=0.01, image=0.02, training=0.03, rest=0.01)
    scores, _ = draw(design, true, np.zeros(8), 300, rng)
    found = {name: float(value.mean()) for name, value in estimate(design, scores).values.items()}
    assert found["run"] == pytest.approx(0.01**2 + 0.01**2 / 8, rel=0.1)
    assert found["image"] == pytest.approx(0.02**2, rel=0.1)
    assert found["training"] == pytest.approx(0.03**2 if splits != "1" else 0, rel=0.1)


def test_an_interval_never_reaches_beyond_zero_where_there_is_a_difference() -> None:
    """Models found worse once others are out of the way have p below 0.05 and wide intervals of the first step."""
    claim = simulated(layout(5, 4, 4), USUAL, [0.95, 0.94, 0.93, 0.92, 0.90], studies=200)[OTHER]
    assert (claim.high[claim.verdict == WORSE] <= 0).all()
    assert (claim.low[claim.verdict == BEST] >= 0).all()
    assert ((claim.verdict == WORSE).sum(axis=1) > 1).any()
