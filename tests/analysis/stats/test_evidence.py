"""Everything at once: what `evidence` says of scores whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.stats import (
    corrected_bounds,
    corrected_t_test,
    crossed_t_test,
    evidence,
    holm,
    interval,
    sign_flip_test,
)
from analysis.stats.evidence import Evidence

MEANS = {"A": 0.97, "B": 0.966, "C": 0.90}


def scores(folds: int = 1, seeds: int = 3, images: int = 4, **means: float) -> pd.DataFrame:
    """Tidy scores of models with these true means; images differ more than models, seeds and the rest little."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for fold in range(folds):
        of_image = 0.01 * rng.normal(size=images)
        for model, mean in (means or MEANS).items():
            noise = 0.003 * (rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, images)))
            values = mean + of_image + noise
            rows += [
                {"model": model, "fold": fold, "seed": s, "image": f"image-{i}", "iou": values[s, i]}
                for s in range(seeds)
                for i in range(images)
            ]
    return pd.DataFrame(rows)


def judged(table: pd.DataFrame, seed: int = 0, **options: Any) -> Evidence:
    return evidence(table, np.random.default_rng(seed), **options)


def array(table: pd.DataFrame, model: str, fold: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    own = table[(table["model"] == model) & (table["fold"] == fold)]
    return own.pivot(index="seed", columns="image", values="iou").to_numpy(dtype=float)


def pair(found: Evidence, a: str, b: str) -> dict[Any, Any]:
    """The row of `pairs` that compares `a` with `b`."""
    pairs = found.pairs
    return pairs[(pairs["a"] == a) & (pairs["b"] == b)].to_dict("records")[0]


def test_on_one_split_means_intervals_and_worst_images_are_those_of_the_scores() -> None:
    table = scores()
    found = judged(table)
    row = found.models.iloc[0]
    values = array(table, "A")
    bounds = interval(values, np.random.default_rng(0))
    assert list(found.models["model"]) == ["A", "B", "C"]
    assert row["mean"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx((bounds.low, min(1, bounds.high)))
    assert row["worst"] == values.min()
    assert row["worst_image"] == f"image-{int(values.min(axis=0).argmin())}"
    assert tuple(row[["n_seeds", "n_splits", "n_images"]]) == (3, 1, 4)
    assert found.coverage == pytest.approx(0.95, abs=0.04)


def test_four_images_are_judged_by_t_because_no_exact_test_could_tell() -> None:
    table = scores()
    found = judged(table)
    pairs = found.pairs.set_index(["a", "b"])
    expected = [crossed_t_test(array(table, a) - array(table, b)).p for a, b in pairs.index]
    assert found.test == "t over seeds × images"
    assert found.smallest_p == 0.125
    assert pairs["p"].tolist() == pytest.approx(expected)
    assert pairs["p_holm"].tolist() == pytest.approx(holm(expected))


def test_twelve_images_are_judged_by_exact_sign_flips() -> None:
    table = scores(images=12)
    found = judged(table)
    expected = sign_flip_test(array(table, "A") - array(table, "C"), np.random.default_rng(0)).p
    assert found.test == "sign flips over 12 images"
    assert pair(found, "A", "C")["p"] == pytest.approx(expected)
    assert expected == 2 / 2**12


def test_forced_to_be_exact_four_images_tell_no_two_models_apart() -> None:
    found = judged(scores(), test="exact")
    assert set(found.models["letters"]) == {"a"}
    assert not found.models["stands_out"].any()


def test_models_that_cannot_be_told_apart_share_a_letter_and_none_stands_out() -> None:
    models = judged(scores()).models.set_index("model")
    assert models["letters"].to_dict() == {"A": "a", "B": "a", "C": "b"}
    assert not models["stands_out"].any()


def test_a_model_that_beats_each_other_stands_out() -> None:
    models = judged(scores(A=0.97, B=0.90, C=0.90)).models.set_index("model")
    assert models["stands_out"].to_dict() == {"A": True, "B": False, "C": False}
    assert models.loc["A", "p_best"] == 1


def test_over_several_splits_the_corrected_resampled_t_judges() -> None:
    table = scores(folds=5, seeds=1)
    found = judged(table, n_train=10)
    a, c = ([array(table, model, fold).mean() for fold in range(5)] for model in "AC")
    row = pair(found, "A", "C")
    assert found.test == found.interval_method == "corrected resampled t over splits"
    assert row["p"] == pytest.approx(corrected_t_test(np.subtract(a, c), n_train=10, n_test=4).p)
    assert found.models.iloc[0]["low"] == pytest.approx(corrected_bounds(a, n_train=10, n_test=4)[0])
    assert found.stability is not None
    assert found.stability.kendall_w > 0.5
    assert (found.n_splits, found.n_images) == (5, 4)


def test_models_are_compared_on_the_seeds_images_and_splits_they_share() -> None:
    table = scores(folds=2, seeds=3)
    a, b = table["model"] == "A", table["model"] == "B"
    table = table[~(a & (table["fold"] == 1)) & ~(b & (table["seed"] == 0))]
    row = pair(judged(table), "A", "B")
    shared = array(table, "A")[1:] - array(table, "B")
    assert row["difference"] == pytest.approx(shared.mean())
    assert (row["n_seeds"], row["n_images"], row["n_splits"]) == (2, 4, 1)
    assert row["p"] == pytest.approx(crossed_t_test(shared).p)


def test_models_without_a_common_seed_are_compared_by_their_means_over_seeds() -> None:
    table = scores(A=0.97, B=0.95)
    table.loc[table["model"] == "B", "seed"] += 10
    row = judged(table).pairs.iloc[0]
    assert row["n_seeds"] == 1
    assert row["difference"] == pytest.approx(array(table, "A").mean() - array(table, "B").mean())


def test_models_that_share_no_image_or_split_cannot_be_told_apart() -> None:
    table = scores(A=0.97, B=0.5)
    for apart in (table.assign(image=table["image"] + table["model"]), table.assign(fold=table["model"])):
        found = judged(apart)
        assert set(found.models["letters"]) == {"a"}
        assert found.pairs["p"].isna().all()
        assert found.models["p_best"].isna().all()
        assert (found.optimism, found.stability) == (None, None)


def test_the_winners_luck_is_told_and_taken_off() -> None:
    found = judged(scores(A=0.95, B=0.95, C=0.95, D=0.95))
    assert found.optimism is not None
    assert found.optimism.winner == found.models.iloc[0]["model"]
    assert 0 < found.optimism.optimism < 0.01
    assert found.optimism.corrected < found.models.iloc[0]["mean"]


def test_one_model_has_an_interval_and_nothing_to_be_compared_with() -> None:
    found = judged(scores(A=0.95))
    assert found.pairs.empty
    assert found.optimism is None
    assert found.models["letters"].tolist() == ["a"]
    assert not found.models["stands_out"].any()


def test_one_score_per_model_proves_nothing_and_says_so() -> None:
    found = judged(scores(seeds=1, images=1))
    assert (found.coverage, found.optimism) == (None, None)
    assert found.models[["low", "high", "p_best"]].isna().all(axis=None)
    assert set(found.models["letters"]) == {"a"}


def test_intervals_end_where_the_metric_does() -> None:
    table = scores(A=0.995, B=0.9)
    assert judged(table).models.iloc[0]["high"] == 1
    assert judged(table, limits=(0, np.inf)).models.iloc[0]["high"] > 1


def test_equal_generators_give_equal_evidence_and_others_do_not() -> None:
    first, again, other = (judged(scores(), seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.models, again.models)
    assert first.optimism == again.optimism
    assert first.optimism != other.optimism


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="fold"), "lack the columns fold"),
        (lambda t: t.assign(iou=np.nan), "36 scores have no iou"),
        (lambda t: pd.concat([t, t[:1]]), "A has image image-0 of fold 0 twice with seed 0"),
        (lambda t: t[:0], "no scores"),
        (lambda t: t.assign(image=t["image"] + t["seed"].astype(str)), "no seed of A has all test images"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused_with_the_reason(change: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        judged(change(scores()))


def test_an_unknown_test_is_refused() -> None:
    with pytest.raises(ValueError, match="take one of auto, exact, t"):
        judged(scores(), test="bold")


@pytest.mark.slow
def test_equal_models_rarely_stand_out() -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = scores(A=0.95, B=0.95, C=0.95)
        table["iou"] += 0.003 * rng.normal(size=len(table))
        alarms += len(set(judged(table, seed).models["letters"])) > 1
    assert alarms <= 3  # of 20 at 0.05: more than 3 has a chance below 0.02
