"""Which models give most for their cost."""

import pandas as pd

from analysis.comparison.pareto import pareto_front, sentence
from analysis.figures.pareto import pareto_figure

TABLE = pd.DataFrame(
    {
        "model": ["good", "beaten", "fast", "twin"],
        "test_iou": [0.95, 0.90, 0.85, 0.85],
        "seconds_per_image": [0.02, 0.02, 0.01, 0.01],
        "n_parameters": [5e6, 6e6, 1e6, 1e6],
    }
)


def test_a_model_is_off_the_front_only_if_another_is_as_good_in_all_and_better_in_one() -> None:
    assert pareto_front(TABLE)["model"].tolist() == ["good", "fast", "twin"]
    assert pareto_front(TABLE.assign(n_parameters=[5e6, 4e6, 1e6, 1e6]))["model"].tolist() == list(TABLE["model"])


def test_the_sentence_names_the_front_and_the_costs_that_are_known() -> None:
    assert "good; fast; twin" in str(sentence(TABLE))
    assert "time per image and parameters" in str(sentence(TABLE))
    assert "for their parameters" in str(sentence(TABLE.assign(seconds_per_image=None)))


def test_without_costs_there_is_no_front() -> None:
    assert sentence(TABLE.assign(seconds_per_image=None, n_parameters=None)) is None
    assert pareto_figure(TABLE.assign(seconds_per_image=None)) is None
    assert pareto_figure(TABLE) is not None
