"""A study's sweep and the name of its folder."""

from pathlib import Path

import pytest
import yaml

from study import plan
from study.plan import StudyError, StudyPlan

SWEEP = Path(__file__).parents[2] / "sweeps" / "cpu.yaml"


GRID = "method: grid\nparameters: {epochs: {value: 1}, "


def make(results: Path, data: str = "drawn", seeds: int | None = None, size: int | None = None) -> StudyPlan:
    return plan.make_plan(SWEEP, results, data, size, epochs=7, seeds=seeds)


def test_what_the_person_asks_for_is_filled_into_the_sweep(tmp_path: Path) -> None:
    made = make(tmp_path, data="/photos", seeds=3, size=256)
    parameters = yaml.safe_load(made.yaml)["parameters"]
    assert parameters["data"] == {"value": "/photos"}
    assert parameters["epochs"] == {"value": 7}
    assert parameters["image_size"] == {"value": 256}
    assert parameters["seed"] == {"values": [1, 2, 3]}
    assert (made.n_trials, made.epochs) == (24, 7)


def test_other_settings_or_other_photographs_are_another_study(tmp_path: Path) -> None:
    folders = {make(tmp_path, data, seeds).folder for data in ("/a/photos", "/b/photos") for seeds in (1, 2)}
    assert len(folders) == 4
    assert make(tmp_path, "/a/photos", 1).folder in folders
    assert make(tmp_path, "/a/photos").folder.name.startswith("cpu-photos-96px-7ep-")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("method: bayes\nparameters: {epochs: {value: 1}, image_size: {value: 32}}", "no grid"),
        ("method: grid\nparameters: {lr: {min: 0, max: 1}}", "no grid"),
        ("method: grid\nparameters: {epochs: {values: [1, 2]}}", "epochs and image_size"),
        ("method: grid", "is not a sweep"),
        ("method: grid\nparameters: [1]", "is not a sweep"),
        ("- 1", "is not a sweep"),
        (f"{GRID}image_size: {{value: abc}}}}", "does not set image_size to one whole number"),
        (f"{GRID}image_size: {{value: [1]}}}}", "does not set image_size to one whole number"),
        (f"{GRID}image_size: {{value: 0}}}}", "does not set image_size to one whole number"),
        (f"{GRID}image_size: {{value: 32}}, 1: {{value: 2}}}}", "mixes words and numbers"),
    ],
)
def test_a_sweep_that_is_no_study_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    epochs = 1 if "values: [1" not in text else None
    with pytest.raises(StudyError, match=sentence):
        plan.make_plan(file, tmp_path, "drawn", None, epochs, None)


def test_a_sweep_with_a_date_has_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    folders = set()
    for day in ("2026-01-01", "2026-01-02"):
        file.write_text(f"name: {day}\n{GRID}image_size: {{value: 32}}}}")
        folders.add(plan.make_plan(file, tmp_path, "drawn", None, None, None).folder)
    assert len(folders) == 2


def test_a_sweep_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read: Is a directory"):
        plan.make_plan(tmp_path, tmp_path, "drawn", None, 1, None)
