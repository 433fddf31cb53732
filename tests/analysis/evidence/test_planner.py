"""The planner: what it asks for decides, and it says when nothing does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.evidence.claims import CLAIMS, EQUIVALENT, judge
from analysis.evidence.components import Components, estimate
from analysis.evidence.design import Design
from analysis.evidence.planner import SampleSizes, main, normal_factors, plan
from analysis.evidence.simulate import Truth, draw

THESE, OTHER, SETS = CLAIMS


def layout(models: int, seeds: int, images: int, splits: int = 1) -> Design:
    return Design(np.ones((models, splits, seeds), bool), np.arange(splits * images).reshape(splits, images), 0)


def known(design: Design, true: Truth) -> Components:
    """Components as they are, known as surely as the design knows them."""
    scores, _ = draw(design, true, np.zeros(design.shape[0]), 1, np.random.default_rng(0))
    found, rest = estimate(design, scores), np.square(true.rest)
    values = {
        "run": np.square(true.seed) + rest / design.n_images.mean(),
        "image": np.square(true.image),
        "training": np.square(true.training),
    }
    squares = {**found.squares, "rest": replace(found.squares["rest"], value=np.full((1, len(design.runs)), rest))}
    shown = {name: np.full((1, len(design.runs)), value) for name, value in values.items()}
    return replace(found, squares=squares, values=shown)


def needed(now: Design, true: Truth, claim: str, gap: float) -> SampleSizes:
    return plan(known(now, true), claim, (0, 1), gap, normal_factors(2, np.random.default_rng(0)), 0.01)


def decided(design: Design, true: Truth, gap: float, claim: str) -> float:
    rng = np.random.default_rng(1)
    scores, targets = draw(design, true, np.array([0.0, gap]), 400, rng)
    handicaps = {name: target - [0.0, gap] for name, target in targets.items()}
    found = judge(design, scores, rng, draws=500, handicaps=handicaps).claims[claim]
    return float(((found.p[:, 0] < 0.05) | (found.verdict[:, 0] == EQUIVALENT)).mean())


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.03])
def test_as_many_images_as_asked_for_decide(gap: float) -> None:
    true = Truth(seed=0.003, image=0.02, training=0.0, rest=0.005)
    images = needed(layout(2, 5, 4), true, OTHER, gap).images
    assert images is not None
    assert images >= 8
    assert decided(layout(2, 5, images), true, gap, OTHER) == pytest.approx(0.85, abs=0.1)
    assert decided(layout(2, 5, images // 2), true, gap, OTHER) < 0.75


def test_as_many_seeds_as_asked_for_decide() -> None:
    true = Truth(seed=0.02, image=0.002, training=0.0, rest=0.002)
    seeds = needed(layout(2, 3, 8), true, OTHER, 0.02).seeds
    assert seeds is not None
    assert decided(layout(2, seeds, 8), true, 0.02, OTHER) == pytest.approx(0.85, abs=0.1)


def test_a_third_model_with_fewer_runs_changes_no_plan_of_the_two_others() -> None:
    """Its one run was taken for the number of seeds of all, and plans were too small by that factor."""
    true = Truth(seed=0.02, image=0.002, training=0.0, rest=0.002)
    all_six = layout(3, 6, 18)
    one = replace(all_six, runs=all_six.runs & ~((np.arange(3) == 2)[:, None, None] & (np.arange(6) > 0)))
    factors = normal_factors(3, np.random.default_rng(0))
    for claim in (THESE, OTHER):
        plans = [plan(known(design, true), claim, (0, 1), 0.02, factors, 0.01) for design in (all_six, one)]
        assert plans[0].seeds is not None
        assert plans[1].seeds == pytest.approx(plans[0].seeds, rel=0.1)


def test_two_models_of_unlike_numbers_of_runs_are_planned_with_as_many_for_both() -> None:
    true = Truth(seed=0.02, image=0.002, training=0.0, rest=0.002)
    both = layout(2, 6, 18)
    few = replace(both, runs=both.runs & ~((np.arange(2) == 1)[:, None, None] & (np.arange(6) > 2)))
    factors = normal_factors(2, np.random.default_rng(0))
    plans = [plan(known(design, true), OTHER, (0, 1), 0.02, factors, 0.01) for design in (layout(2, 3, 18), few)]
    assert plans[0].seeds is not None
    assert plans[1].seeds == pytest.approx(plans[0].seeds, rel=0.2)


def test_no_number_of_seeds_helps_where_images_differ() -> None:
    found = needed(layout(2, 3, 4), Truth(seed=0.001, image=0.05, training=0.0, rest=0.001), OTHER, 0.01)
    assert found.seeds is None
    assert found.images is not None


def test_as_many_training_sets_as_asked_for_decide() -> None:
    true = Truth(seed=0.005, image=0.005, training=0.02, rest=0.005)
    found = needed(layout(2, 3, 4, 3), true, SETS, 0.02)
    assert found.seeds is None
    assert found.images is None
    assert found.splits is not None
    assert decided(layout(2, 3, 4, found.splits), true, 0.02, SETS) == pytest.approx(0.85, abs=0.1)


def test_more_resplits_of_the_same_photographs_cannot_help_where_the_training_set_matters() -> None:
    """Only photographs of their own are counted as training sets; the floor of re-splits is their overlap."""
    rng = np.random.default_rng(0)
    numbers = np.stack([rng.permutation(18)[:4] for _ in range(40)])
    design = Design(np.ones((2, 40, 1), bool), numbers)
    assert design.covariances["training"][0, 0] > 0.5


def test_the_command_plans_from_a_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{model},{seed},{image},{0.9 + rng.normal(0, 0.01):.4f}" for model in "ab" for seed in "123" for image in "xyz"
    ]
    path = tmp_path / "pilot.csv"
    path.write_text("\n".join(["model,seed,image,score", *rows]))
    assert main([str(path), "--difference", "0.02"]) == 0
    page = capsys.readouterr().out
    assert "2 models, 3 seeds, 3 test images" in page
    assert "0.02 apart" in page
    path.write_text("\n".join(["model,seed,image,score", *rows[:-3]]))
    assert main([str(path)]) == 0
    assert "2 models, 2 to 3 seeds, 3 test images, 1 training set." in capsys.readouterr().out
    assert main([str(tmp_path / "none.csv")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
