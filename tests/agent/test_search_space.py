"""The search space of sweeps/everything.yaml: every suggestion can be trained, and none comes twice."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import optuna
import pytest

from agent import search_space
from agent.config import Config, from_settings
from agent.lint import model_facts

optuna.logging.set_verbosity(optuna.logging.WARNING)


LEARNING = 120


@dataclass
class Sweep:
    config: dict[str, Any] = field(default_factory=lambda: {"metric": {"name": "val/iou", "goal": "maximize"}})


def suggested(n: int, seed: int) -> tuple[optuna.Study, list[dict[str, Any]]]:
    """A search of n trials; a third of them end, with a made-up value that likes large images and small steps.

    After `LEARNING` trials it goes on at random, which is cheaper and meets more of the space.
    """
    study = search_space.study(Sweep(), seed)
    given = []
    for number in range(n):
        if number == LEARNING:
            study.sampler = optuna.samplers.RandomSampler(seed)
        trial = study.ask()
        given.append(search_space.space(trial))
        if number % 3 == 0:
            study.tell(trial, given[-1]["image_size"] / 512 - given[-1]["learning_rate"])
    return study, given


@pytest.fixture(scope="module")
def thousand() -> list[dict[str, Any]]:
    return suggested(1000, seed=1)[1]


def test_a_thousand_suggestions_are_valid_and_none_is_repeated(thousand: list[dict[str, Any]]) -> None:
    configs = [from_settings(settings) for settings in thousand]
    assert len(set(configs)) == 1000
    assert all(each.batch_size >= 2 for each in configs)
    assert not any(model_facts.look_up(each.architecture, each.backbone, each.width).reason for each in configs)


def test_every_model_is_suggested_and_only_unets_from_scratch_have_a_width(thousand: list[dict[str, Any]]) -> None:
    assert {each["model"] for each in thousand} == set(search_space.KEPT_MB)
    assert all(("width" in each) == ("/" not in each["model"]) for each in thousand)


def test_what_is_suggested_fits_into_the_memory_that_is_named(thousand: list[dict[str, Any]]) -> None:
    for settings in thousand:
        config = from_settings(settings)
        facts = model_facts.look_up(config.architecture, config.backbone, config.width)
        assert facts.training_bytes(config.image_size, config.batch_size) <= search_space.MEMORY_GB * 1e9, config


@pytest.mark.parametrize("model", search_space.KEPT_MB)
def test_the_memory_of_a_model_is_what_the_linter_counts(model: str) -> None:
    config: Config = from_settings({"model": model})
    counted = model_facts.look_up(config.architecture, config.backbone).kept_bytes / 1e6
    assert search_space.KEPT_MB[model] == pytest.approx(counted, rel=0.01)


def test_images_per_step_are_counted_by_hand() -> None:
    """100 MB at 128², 1.6 GB at 512²: four fit into 7.4 GB. At 256² the lab's ten do."""
    assert search_space.most_images(100, 512) == 4
    assert search_space.most_images(100, 256) == 10
    assert search_space.most_images(400, 512) == 2


def test_where_all_is_equal_the_seed_is_the_next_one() -> None:
    study, (first,) = suggested(1, seed=1)
    again = {name: first[name] for name in study.trials[0].params}
    for _ in range(2):
        study.enqueue_trial(again)
    seeds = [search_space.space(study.ask())["seed"] for _ in range(2)]
    assert [first["seed"], *seeds] == [1, 2, 3]


def test_a_finished_run_is_found_again_by_the_keys_of_its_config() -> None:
    """After a restart the scheduler enqueues the config of a run, facts included, and asks."""
    _, given = suggested(40, seed=2)
    for settings in given:
        config = from_settings(settings)
        study = search_space.study(Sweep(), seed=3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            study.enqueue_trial({**vars(config), "n_parameters": 7, "data_digest": "x"})
            replayed = search_space.space(study.ask())
        assert {**replayed, "seed": settings["seed"]} == settings


def test_equal_seeds_give_equal_searches_and_no_seed_another() -> None:
    assert suggested(30, seed=4)[1] == suggested(30, seed=4)[1]
    assert search_space.space(search_space.study(Sweep()).ask()) != search_space.space(
        search_space.study(Sweep()).ask()
    )
