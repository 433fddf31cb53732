"""bench.evidence: a cell through the functions of the command, kept so that a run goes on where it stopped."""

from pathlib import Path

import pytest

from analysis.evidence.claims import CLAIMS
from bench import evidence
from bench.evidence import FALSE_CLAIMS, Cell, beyond, cells, design, read, run, simulate


def test_every_combination_of_the_promise_is_a_cell() -> None:
    assert len(list(cells())) == 3 * 4 * 4 * 3 * 5


def test_random_splits_share_images_and_folds_do_not() -> None:
    assert design(Cell(2, "6 random", 3, 4, "usual")).distinct < 24
    assert design(Cell(2, "6-fold", 3, 4, "usual")).distinct == 24


@pytest.mark.parametrize("cell", [Cell(2, "1", 3, 8, "usual"), Cell(8, "6-fold", 3, 4, "even")])
def test_a_cell_keeps_its_promise(cell: Cell) -> None:
    rows = simulate(cell, 300)
    assert [row.claim for row in rows] == list(CLAIMS[:2] if cell.splits == "1" else CLAIMS)
    assert not beyond(rows)[FALSE_CLAIMS]
    assert all(row.power > 0.3 for row in rows)


def test_one_seed_on_one_split_claims_nothing() -> None:
    assert simulate(Cell(2, "1", 1, 30, "even"), 10) == []


def test_a_run_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evidence.csv"
    monkeypatch.setattr(evidence, "MODELS", (2,))
    monkeypatch.setattr(evidence, "SEEDS", (3,))
    monkeypatch.setattr(evidence, "IMAGES", (4, 8))
    monkeypatch.setattr(evidence, "SPLITS", ("1",))
    monkeypatch.setattr(evidence, "STUDIES", {2: 5})
    run(path, [2])
    whole = path.read_text()
    assert len(read(path)) == 2 * 5 * 2
    path.write_text(whole[: whole.rindex("2,1,3,8,skewed images,other")])
    assert len(read(path)) == 2 * 5 * 2 - 1
    run(path, [2])
    assert {row.cell for row in read(path)} == set(cells())
