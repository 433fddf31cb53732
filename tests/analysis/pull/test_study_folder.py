"""A study as a folder of data: the same tables and masks, no photograph, no server."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import AnalysisError, cli, export, table
from analysis.cli import default_folder
from analysis.comparison.comparison import compare
from analysis.figures import files
from analysis.notebooks import show
from analysis.pull.study import Study, from_folder, left_out_remark, pull
from analysis.pull.study_folder import WITHOUT
from tests.analysis.studies import noisy


@pytest.fixture(scope="module")
def made() -> Study:
    return noisy(seeds=2, models=3)


@pytest.fixture(scope="module")
def folder(made: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "study" / "lab"
    export.write(made, compare(made), folder, "python -m analysis.export a/b")
    return folder


def test_a_folder_is_read_as_a_server_is_to_the_last_digit(made: Study, folder: Path) -> None:
    found = pull([str(folder)])
    for name in ("runs", "history", "scores"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(made, name), check_exact=True)
    pd.testing.assert_frame_equal(compare(found).table, compare(made).table, check_exact=True)
    for run_id, predicted in made.predictions.items():
        again = found.predictions[run_id]
        assert all(np.array_equal(again.truth[stem], mask) for stem, mask in predicted.truth.items())
        for rule, masks in predicted.masks.items():
            assert all(np.array_equal(again.masks[rule][stem], mask) for stem, mask in masks.items())


def test_a_folder_of_studies_means_its_lab_and_results_go_beside_others(folder: Path) -> None:
    assert len(pull([str(folder.parent)]).runs) == len(pull([str(folder)]).runs)
    assert default_folder([str(folder.parent)]) == Path("results/study-lab")
    assert default_folder([str(folder), "a/b/c"]) == Path("results/study-lab-b-c")
    assert default_folder(["a/b/c", str(folder)]) == Path("results/b-c-study-lab")


def test_a_folder_that_is_named_twice_is_read_once(folder: Path) -> None:
    assert len(pull([str(folder), str(folder)]).runs) == len(pull([str(folder)]).runs)


def test_a_study_trained_in_parts_is_one_study_and_exports_as_one(made: Study, tmp_path: Path) -> None:
    """The second part took up a run that the first had left out, and ran one again."""
    first, second = made.runs["run_id"][:4], made.runs["run_id"][3:]

    def part(ids: pd.Series, left_out: pd.DataFrame) -> Study:
        tables = {
            name: table[table["run_id"].isin(ids)]
            for name in ("runs", "history", "scores")
            if len(table := getattr(made, name))
        }
        predictions = {run_id: made.predictions[run_id] for run_id in ids}
        return replace(made, **tables, predictions=predictions, left_out=left_out)

    cut_off = pd.DataFrame([{"run_id": run_id, "reason": "crashed"} for run_id in (second.iloc[-1], "other")])
    both = [part(first, cut_off), part(second, pd.DataFrame())]
    both = [replace(each, remarks=left_out_remark(each.runs, each.left_out)) for each in both]
    for name, of_part in zip(("one", "two"), both, strict=True):
        export.write(of_part, compare(of_part), tmp_path / name, "python -m analysis.export a/b")
    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert cli.main("export", "", [export.write], [*paths, "--out", paths[0]]) == 0
    for found in (pull(paths), pull(paths[:1])):
        pd.testing.assert_frame_equal(compare(found).table, compare(made).table, check_exact=True)
        assert sorted(found.predictions) == sorted(made.predictions)
        assert list(found.left_out["run_id"]) == ["other"]
        assert found.remarks == (f"1 of {len(made.runs) + 1} runs are left out: 1 crashed (other).", WITHOUT)


def test_an_export_in_place_of_its_source_names_what_that_came_from(made: Study, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    export.write(made, compare(made), folder, "python -m analysis.export a/b --margin=0.02")
    for given, command in (
        ([str(folder)], "python -m analysis.export a/b"),
        ([str(folder), str(folder.parent / "two")], f"python -m analysis.export a/b {tmp_path / 'two'}"),
    ):
        assert cli.main("python -m analysis.export", "", [export.write], [*given, "--out", str(folder)]) == 0
        assert json.loads((folder / "study.json").read_text())["command"] == command
        export.write(made, compare(made), tmp_path / "two", "python -m analysis.export c/d")


def test_an_export_that_ends_halfway_leaves_the_study_that_was_there(
    made: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export.write(made, compare(made), tmp_path, "python -m analysis.export a/b")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}
    half = noisy(seeds=1, models=2)
    monkeypatch.setattr(cli, "pull", lambda paths: half)
    monkeypatch.setattr("common.files.os.open", full_at("study.json", os.open))
    assert cli.main("p", "", [export.write], ["a/b", "--out", str(tmp_path)]) == 1
    monkeypatch.undo()
    assert before.items() <= {file: file.read_bytes() for file in tmp_path.rglob("*.*")}.items()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "comparing" not in line]
    assert line == f"p: {tmp_path / 'study.json'} cannot be written (No space left): make room or give another --out."


def full_at(name: str, opened: Callable[..., int]) -> Callable[..., int]:
    """`os.open` on a disk that is full when it comes to the file of this name."""

    def open_or_fail(path: Path, *flags: int) -> int:
        if name in str(path):
            raise OSError(errno.ENOSPC, "No space left", str(path))
        return opened(path, *flags)

    return open_or_fail


def test_a_mask_that_was_cut_off_is_not_taken_for_written(
    made: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(file: int, *_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("common.files.os.fdopen", cut_off)
    with pytest.raises(KeyboardInterrupt):
        export.write(made, compare(made), tmp_path, "")
    assert not list(tmp_path.rglob("*.tif"))


def test_a_run_without_a_score_is_left_out_of_a_folder_as_of_a_server(made: Study, tmp_path: Path) -> None:
    runs = made.runs.assign(**{"test/iou": [None, *made.runs["test/iou"][1:]]})
    export.write(replace(made, runs=runs), compare(made), tmp_path, "")
    found = pull([str(tmp_path)])
    lost = runs["run_id"][0]
    assert list(found.runs["run_id"]) == list(runs["run_id"][1:])
    assert found.remarks[0] == f"1 of {len(runs)} runs are left out: 1 without test/iou ({lost})."
    assert list(found.left_out["run_id"]) == [lost]


def test_figures_of_a_joined_study_name_all_its_parts(folder: Path) -> None:
    both = [str(folder), str(folder.parent)]
    joined = show.part(pull(both))
    assert joined
    assert joined.command == f"make notebooks STUDY='{' '.join(both)}'"
    alone = show.part(from_folder(folder))
    assert alone
    assert alone.command == f"make notebooks STUDY={folder}"


def test_equal_masks_are_kept_once_and_there_is_no_photograph(made: Study, folder: Path) -> None:
    masks = [
        mask.tobytes()
        for predicted in made.predictions.values()
        for group in (predicted.truth, *predicted.masks.values())
        for mask in group.values()
    ]
    assert len(list((folder / "masks").iterdir())) == len(set(masks)) < len(masks)
    images = [image for p in pull([str(folder)]).predictions.values() for image in p.images.values()]
    assert {len(np.unique(image)) for image in images} == {1}


def test_a_folder_of_photographs_is_named_and_not_located(tmp_path: Path) -> None:
    study = noisy(seeds=1, models=2)
    study.runs["data"] = "/home/anna/pieces"
    files = export.write(study, compare(study), tmp_path, "python -m analysis.export a/b")
    assert not [file.name for file in files if file.is_file() and b"/home/anna" in file.read_bytes()]
    assert set(pull([str(tmp_path)]).runs["data"]) == {"pieces"}


def test_a_second_export_leaves_no_mask_of_the_first(made: Study, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "old.tif").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    files = export.write(made, compare(made), tmp_path, "")
    assert {file.name for file in files} | {"notes.txt"} == {file.name for file in tmp_path.iterdir()}
    assert "notes.txt" not in {file.name for file in files}
    assert not (tmp_path / "masks" / "old.tif").exists()


def test_what_people_look_at_is_written_from_a_folder(folder: Path, tmp_path: Path) -> None:
    found = pull([str(folder)])
    comparison = compare(found)
    for writer in (table.write, files.write):
        writer(found, comparison, tmp_path, "python -m analysis docs/study")
    assert "The photographs themselves are not part" in (tmp_path / "comparison.md").read_text()


@pytest.mark.parametrize(("file", "text"), [("runs.json", None), ("study.json", '{"version": 0}'), ("masks.json", "{")])
def test_a_folder_that_is_not_whole_is_one_sentence(made: Study, file: str, text: str | None, tmp_path: Path) -> None:
    export.write(made, compare(made), tmp_path, "")
    assert json.loads((tmp_path / "study.json").read_text())["version"] == 2
    (tmp_path / file).unlink() if text is None else (tmp_path / file).write_text(text)
    with pytest.raises(AnalysisError, match=r"export (it|the study) again"):
        pull([str(tmp_path)])
