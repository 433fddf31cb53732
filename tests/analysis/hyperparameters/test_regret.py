"""What one learning rate for all costs, counted by hand."""

import pandas as pd
import pytest

from analysis.hyperparameters.regret import learning_rate_regret, sentence
from tests.analysis.studies import numbers


def runs(values: dict[str, dict[float, float]]) -> pd.DataFrame:
    rows = [
        {"architecture": "unet", "backbone": name, "weights": "none", "learning_rate": rate, "val/iou": iou}
        for name, of_rate in values.items()
        for rate, iou in of_rate.items()
    ]
    return pd.DataFrame(rows)


def test_regret_is_the_loss_against_each_models_own_best_rate() -> None:
    found = learning_rate_regret(runs({"a": {1e-3: 0.90, 1.1e-4: 0.86}, "b": {1e-3: 0.80, 9e-5: 0.82}}))
    assert found.index.tolist() == ["U-Net / a", "U-Net / b"]
    assert found.to_numpy().ravel().tolist() == pytest.approx([0.04, 0.0, 0.0, 0.02])
    text = sentence(found)
    assert numbers(text) == [2, 0.001, 0.01, 0.02]
    assert "U-Net / b" in str(text)


def test_models_tried_at_one_rate_and_rates_not_tried_by_all_say_nothing() -> None:
    assert sentence(learning_rate_regret(runs({"a": {1e-3: 0.9}, "b": {1e-3: 0.8}}))) is None
    apart = {"a": {1e-3: 0.9, 1e-2: 0.8}, "b": {1e-4: 0.9, 1e-5: 0.8}}
    assert sentence(learning_rate_regret(runs(apart))) is None
    assert learning_rate_regret(runs(apart).drop(columns="learning_rate")).empty
