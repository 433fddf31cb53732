"""All pairs on demand: Tukey's range where errors are equal."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.evidence.__main__ import main
from analysis.evidence.design import Scores
from analysis.evidence.pairs import all_pairs

RUNS = np.array([[0.90, 0.91, 0.95], [0.86, 0.90, 0.87], [0.88, 0.83, 0.85]])


def test_all_pairs_on_their_images_are_tukeys() -> None:
    """Images that are alike for all models leave the spread between runs."""
    scores = RUNS[:, None, :, None] + np.array([-0.01, 0.01])
    found = all_pairs(Scores(("a", "b", "c"), ("",), scores, np.arange(2)[None]))
    expected = stats.tukey_hsd(*RUNS).pvalue
    assert [(pair.a, pair.b) for pair in found] == [("a", "c"), ("a", "b"), ("b", "c")]
    assert [pair.p for pair in found] == pytest.approx([expected[0, 2], expected[0, 1], expected[1, 2]], abs=0.02)
    assert all(pair.low < pair.estimate < pair.high for pair in found)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_command_prints_them_where_it_is_asked_to(
    seeds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{m},{s},{i},{0.9 - 0.1 * k + rng.normal(0, 0.005):.4f}"
        for k, m in enumerate("abc")
        for s in range(seeds)
        for i in "xyz"
    ]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["model,seed,image,score", *rows]))
    assert main([str(path), "--pairs", "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert len(pairs) == (3 if seeds > 1 else 0)
    assert main([str(path), "--pairs"]) == 0
    assert ("a − c  " in capsys.readouterr().out) == (seeds > 1)
