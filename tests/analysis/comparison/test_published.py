from functools import cache

import pandas as pd
import pytest

from analysis import AnalysisError, cli, table
from analysis.comparison.comparison import Comparison, compare
from analysis.comparison.published import candidates, sentence
from tests.analysis.studies import MODELS, noisy, study


@cache
def compared() -> Comparison:
    return compare(noisy(seeds=2, models=2))


def test_the_definition_that_gives_the_number_is_found() -> None:
    runs = compared().scores.query("checkpoint == 'best_loss' and model == 'U-Net / resnet18'")
    total = runs.groupby("run_id")[["tp", "fp", "fn", "tn"]].sum()
    right, wrong = total["tp"] + total["tn"], total["fp"] + total["fn"]
    value = float((right / (right + 2 * wrong)).mean())
    best = candidates(compared().scores, value).iloc[0]
    assert (best["definition"], best["model"]) == ("two-class-micro", "U-Net / resnet18")
    assert best["distance"] == pytest.approx(0, abs=1e-12)
    assert best["pooled"] == pytest.approx((total["tp"] / (total["tp"] + wrong)).mean())
    text = sentence(candidates(compared().scores, value), value)
    assert "two-class-micro IoU of U-Net / resnet18 by best_" in text
    assert "where pooled foreground IoU is 0.9" in text


def found(*rows: tuple[str, float, float]) -> pd.DataFrame:
    """Candidates: definition, lowest, highest; their mean in the middle."""
    return pd.DataFrame(
        [
            {"model": "A", "checkpoint": "best_loss", "definition": name, "iou": (low + high) / 2}
            | {"lowest": low, "highest": high, "n_runs": 2, "pooled": 0.9}
            for name, low, high in rows
        ]
    )


def test_a_number_that_several_definitions_give_tells_none() -> None:
    text = sentence(found(("pooled", 0.97, 0.99), ("image", 0.975, 0.985)), 0.98)
    assert "under 2 definitions (pooled, image)" in text


def test_a_number_that_one_definition_gives_tells_it() -> None:
    text = sentence(found(("two-class", 0.97, 0.99), ("pooled", 0.95, 0.96)), 0.98)
    assert text.endswith("under one definition only, two-class.")


def test_a_number_out_of_reach_is_said_to_be() -> None:
    assert "under any definition" in sentence(found(("pooled", 0.95, 0.96)), 0.99)


def test_without_masks_nothing_is_told() -> None:
    with pytest.raises(AnalysisError, match="no definition can be told"):
        candidates(compared().scores.iloc[:0], 0.9)


def test_the_option_prints_the_sentence_and_writes_all_candidates(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "pull", lambda paths: study(models=MODELS[:1]))
    assert table.main(["lab/puzzle", "--out", str(tmp_path), "--published", "0.88"]) == 0
    assert "0.88 comes closest to pooled IoU of U-Net, transposed by best_iou, 0.8824 (n = 1 run)" in " ".join(
        capsys.readouterr().out.split()
    )
    # Two checkpoints, five definitions.
    assert len(pd.read_csv(f"{tmp_path}/published.csv")) == 10
