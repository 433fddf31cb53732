"""docs/statistics.md tells what the benches print."""

from pathlib import Path

import numpy as np
import pytest

from bench import evidence, rise
from bench.truth.__main__ import RUNS, networks
from bench.truth.scores import read_runs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text()


def test_the_simulated_studies_are_those_of_the_stored_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert evidence.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 30
    assert [line for line in lines if line not in PAGE] == []


def test_the_real_networks_are_those_of_the_stored_scores() -> None:
    lines = "\n".join(networks(read_runs(RUNS))).splitlines()
    assert len(lines) > 6
    assert [line for line in lines if line not in PAGE] == []


def test_the_first_row_on_overfitting_is_what_the_bench_simulates() -> None:
    rng = np.random.default_rng(0)
    shares = [rise.told(rise.curves(4000, 3, 25, 0.0, height, rng)) for height in (0.0, *rise.RISES)]
    assert f"| 3 | 25 | 0.0 | {' | '.join(f'{share:.3f}' for share in shares)} |" in PAGE


def test_every_cell_of_the_promise_is_in_the_table_or_claims_nothing() -> None:
    done = {row.cell for row in evidence.read(evidence.TABLE)}
    silent = {cell for cell in evidence.cells() if cell.seeds == 1 and cell.splits == "1"}
    assert set(evidence.cells()) - silent == done


def test_no_cell_has_more_false_claims_than_promised() -> None:
    assert evidence.beyond(evidence.read(evidence.TABLE))[evidence.FALSE] == []
