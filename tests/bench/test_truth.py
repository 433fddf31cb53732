"""bench.truth: stored scores, and verdicts on them whose truth is known here because it was drawn."""

from pathlib import Path

import numpy as np
import pytest

from bench.truth.report import cube, equal_models, four_models
from bench.truth.scores import FURTHER, MODELS, Run, read_runs, write_runs


def runs(sets: int, seeds: int, gap: float = 0.0) -> list[Run]:
    rng = np.random.default_rng(0)
    return [
        Run(model, group, seed, 0.7 - gap * m + rng.normal(0, 0.02) + rng.normal(0, 0.03, 8 + FURTHER))
        for group in range(1, sets + 1)
        for m, model in enumerate(MODELS)
        for seed in range(1, seeds + 1)
    ]


def test_scores_are_kept_to_four_decimals_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "runs.txt"
    made = runs(1, 1)
    write_runs(path, made)
    assert [run.key for run in read_runs(path)] == [run.key for run in made]
    assert read_runs(path)[3].iou == pytest.approx(made[3].iou, abs=5.1e-5)
    path.write_text(path.read_text()[:-20])
    assert len(read_runs(path)) == len(made) - 1
    write_runs(path, made[-1:])
    assert len(read_runs(path)) == len(made)


def test_only_sets_with_all_seeds_of_all_networks_count() -> None:
    some = [run for run in runs(3, 2) if run.key != (MODELS[1], 2, 2)]
    assert cube(some, 2).shape == (2, 4, 2, 4 + FURTHER)
    assert cube(some, 1).shape == (3, 4, 1, 4 + FURTHER)


def test_a_network_is_seldom_told_from_itself() -> None:
    rows = list(equal_models(cube(runs(8, 4), 4), 6, 2, 4, np.random.default_rng(1)))
    assert len(rows) == 3
    assert all(row.false <= 0.05 + 2 * 0.011 for row in rows)


def test_networks_that_differ_are_told_apart_truly() -> None:
    (row,) = four_models(cube(runs(12, 4, gap=0.1), 4), 6, 3, 4, np.random.default_rng(1))
    assert row.found == 1
    assert row.false == 0
