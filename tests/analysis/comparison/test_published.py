from decimal import Decimal
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
    text = sentence(candidates(compared().scores, value), Decimal(value))
    assert "two-class-micro IoU of U-Net / resnet18" in text
    assert f"{best['pooled']:.4f}"[:5] in text


def found(*rows: tuple[str, float, float]) -> pd.DataFrame:
    """Candidates: definition, lowest, highest; their mean in the middle."""
    return pd.DataFrame(
        [
            {"model": "A", "checkpoint": "best_loss", "definition": name, "iou": (low + high) / 2}
            | {"lowest": low, "highest": high, "n_runs": 2, "pooled": 0.9}
            for name, low, high in rows
        ]
    )


@pytest.mark.parametrize(
    ("rows", "value", "words"),
    [
        ([("pooled", 0.97, 0.99), ("image", 0.975, 0.985)], "0.98", "under 2 definitions (pooled, image)"),
        ([("two-class", 0.97, 0.99), ("pooled", 0.95, 0.96)], "0.98", "one definition only, two-class."),
        ([("pooled", 0.98915, 0.98915), ("image", 0.991, 0.991)], "0.989", "one definition only, pooled."),
        ([("pooled", 0.98915, 0.98915)], "0.9890", "All models here lie above it"),
        ([("pooled", 0.9894, 0.9894)], "0.990", "All models here lie below it"),
        ([("pooled", 0.9894, 0.9894)], "0.99", "To 2 decimals it lies among the runs under one definition only"),
        ([("pooled", 0.95, 0.96), ("image", 0.94, 0.95)], "0.99", "All models here lie below it under every "),
        ([("pooled", 0.95, 0.96), ("image", 0.94, 0.95)], "0.5", "All models here lie above it under every "),
        ([("pooled", 0.95, 0.96), ("image", 0.90, 0.91)], "0.93", "No run here lies at it (models above it under at"),
    ],
)
def test_the_sentence_says_how_many_definitions_give_the_number(
    rows: list[tuple[str, float, float]], value: str, words: str
) -> None:
    assert words in sentence(found(*rows), Decimal(value))


def test_without_masks_nothing_is_told() -> None:
    with pytest.raises(AnalysisError, match="no definition can be told"):
        candidates(compared().scores.iloc[:0], 0.9)


def test_the_option_prints_the_sentence_and_writes_all_candidates(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "pull", lambda paths: study(models=MODELS[:1]))
    assert table.main(["lab/puzzle", "--out", str(tmp_path), "--published", "0.88"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "pooled IoU of U-Net, transposed" in printed
    assert ", 0.8824 (n = 1 run)" in printed
    # Two checkpoints, five definitions.
    assert len(pd.read_csv(f"{tmp_path}/published.csv")) == 10


@pytest.mark.parametrize("word", ["1.01", "-0.1", "nan", "word"])
def test_a_number_that_is_no_iou_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        table.main(["lab/puzzle", "--published", word])
    assert "is not a number from 0 to 1" in capsys.readouterr().err
