"""`python -m analysis.evidence`: files in, sentences or JSON out."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.evidence.__main__ import main
from analysis.evidence.design import Scores
from analysis.evidence.result import evidence
from analysis.evidence.score_table import arrange, read
from analysis.evidence.sentences import next_steps


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def study(path: Path, means: dict[str, float], seeds: int, images: int, *, spread: float = 0.005) -> str:
    rng = np.random.default_rng(3)
    difficulty = rng.normal(0, 0.01, images)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["model", "seed", "image", "score"])
        for model, mean in means.items():
            own = rng.normal(0, spread, images)
            for seed in range(seeds):
                values = mean + rng.normal(0, spread) + difficulty + own + rng.normal(0, spread, images)
                rows.writerows([model, seed, f"photo-{k}", f"{v:.5f}"] for k, v in enumerate(values))
    return str(path)


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_the_best_model_and_the_worse_ones_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study(tmp_path / "s.csv", {"a": 0.95, "b": 0.85, "c": 0.80}, 5, 8)
    found = as_json(capsys, path)
    assert found["best"] == "a"
    models = found["models"]
    assert isinstance(models, dict)
    assert [models[name]["verdict"] for name in "abc"] == ["best", "worse", "worse"]
    claim = models["b"]["claims"]["other_images"]
    assert claim["low"] < -0.1 < claim["high"] < 0
    assert (claim["n_seeds"], claim["n_images"], claim["n_splits"]) == (5, 8, 1)
    assert claim["false_claim_rate"] < 0.2
    assert claim["power"] > 0.9


def test_one_seed_speaks_of_these_runs_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study(tmp_path / "s.csv", {"a": 0.95, "b": 0.5}, 1, 8)
    found = as_json(capsys, path)
    assert found["best"] is None
    models = found["models"]
    assert isinstance(models, dict)
    assert models["b"]["verdict"] == "cannot_tell"
    assert models["b"]["these_runs"]["high"] < 0
    assert models["b"]["these_runs"]["higher_on"] == 0


def test_too_little_data_says_what_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study(tmp_path / "s.csv", {"a": 0.90, "b": 0.89}, 3, 4)
    claim = as_json(capsys, path)["models"]["b"]["claims"]["other_images"]  # type: ignore[index]
    assert claim["verdict"] == "cannot_tell"
    needed = claim["needed"]
    assert needed["images"] is None or needed["images"] > 4
    assert needed["seeds_and_images"][0] > 3


def test_names_that_differ_at_their_end_stay_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"deeplabv3plus/tu-tf_efficientnet_lite0/{weights}" for weights in ("drawn", "imagenet", "none")]
    scores = study(tmp_path / "s.csv", dict(zip(names, (0.95, 0.94, 0.9), strict=True)), seeds=3, images=4)
    assert main([scores, "--pairs"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("deeplabv3plus/tu-…")]
    assert len({line.split("  ")[0] for line in rows}) == len(rows) == 6


def test_the_answer_stands_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([study(tmp_path / "s.csv", {"a": 0.95, "b": 0.85}, 5, 8)]) == 0
    page = capsys.readouterr().out
    assert page.startswith("a is the best")
    assert page.index("Would the best model win again?") < page.index("Cautions")
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.slow
def test_forty_models_fit_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {f"deeplabv3plus with a very long name of a backbone {k}": 0.9 - k / 1000 for k in range(40)}
    assert main([study(tmp_path / "s.csv", names, 3, 4)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 120


def test_wide_tables_and_excels_separators_are_read(tmp_path: Path) -> None:
    wide = write(tmp_path / "w.csv", "\ufeffcase_id;a;b\nx;0.9;0.8\ny;0.7;0.6\n\n")
    long = write(tmp_path / "l.csv", "score,image,model\n0.9,x,a\n0.8,x,b\n0.7,y,a\n0.6,y,b\n")
    one, other = arrange(read(Path(wide))), arrange(read(Path(long)))
    assert one.models == other.models == ("a", "b")
    assert np.array_equal(one.values, other.values)


BAD = {
    "": "is empty",
    "model,image,score\n": "no scores",
    "model,picture,score\na,x,1\n": "lacks the column 'image'",
    "model,image,score,fold\na,x,1,2\n": "unknown column 'fold'",
    "model,image,score\na,x,good\nb,x,1\n": "line 2: score is 'good'",
    "model,image,score\na,x,nan\nb,x,1\n": "must be a number",
    "model,image,score\na,x,inf\nb,x,1\n": "must be a number",
    "model,image,score\na,x,\nb,x,1\n": "must be a number",
    "model,image,score\na,x,1e300\nb,x,1\n": "must be a number",
    "model,image,score\na,x,1\na,x,2\nb,x,1\n": "twice",
    "model,image,score\na,x,1\na,y,2\n": "one model",
    "model,image,score\na,x,1\nb,x,2\n": "one image",
    "model,image,score\na,x,1\nb,x,1\na,y,1\nb,y,1\n": "same score everywhere",
    "model,image,score\na,x,1\na,y,2\nb,z,1\nb,w,1\n": "no image in common",
    "model,image,score\na,x,1,7\n": "line 2 has 4 cells",
    "model,model,score\na,x,1\n": "two columns 'model'",
    "case_id,a,b\nx,1,2\ny,1,-\n": "line 3: b is '-'",
    "case_id,a\nx,1\ny,2\n": "one model",
}


@pytest.mark.parametrize("text", BAD, ids=BAD.values())
def test_bad_input_is_one_sentence(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([write(tmp_path / "s.csv", text)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert BAD[text] in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"model,image,score\n\xff\xfe", None], ids=["not text", "not there"])
def test_unreadable_files_are_one_sentence(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.csv"
    if content is not None:
        path.write_bytes(content)
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def arranged(path: Path, *lines: str) -> Scores:
    return arrange(read(Path(write(path, "\n".join(lines)))))


def test_copies_of_a_run_are_no_seeds(tmp_path: Path) -> None:
    rows = [f"{m},{s},{i},0.{v}{i}" for m, v in (("a", 9), ("b", 8)) for s in "12" for i in "45"]
    found = arranged(tmp_path / "s.csv", "model,seed,image,score", *rows, "b,3,4,0.7", "b,3,5,0.6")
    assert found.design.seeds.tolist() == [[1], [2]]
    assert [note.split(":")[0] for note in found.notes] == ["a", "b"]
    assert all("counts as a copy" in note for note in found.notes)


@pytest.mark.parametrize("score", ["0.0", "1.0"])
def test_a_model_that_fails_or_succeeds_everywhere_has_all_its_seeds(score: str, tmp_path: Path) -> None:
    rows = [row for s in "123" for i in "4567" for row in (f"a,{s},{i},0.9{s}{i}", f"b,{s},{i},{score}")]
    scores = arranged(tmp_path / "s.csv", "model,seed,image,score", *rows)
    assert scores.design.seeds.tolist() == [[3], [3]]
    found = evidence(scores, studies=0)
    assert found.best == ("a" if score == "0.0" else "b")


def test_a_run_without_all_images_is_left_out_and_named(tmp_path: Path) -> None:
    rows = [f"{m},{s},{i},0.{m}{s}{i}" for m in "12" for s in "123" for i in "4567" if (m, s, i) != ("2", "3", "4")]
    found = arranged(tmp_path / "s.csv", "model,seed,image,score", *rows)
    assert found.design.seeds.tolist() == [[3], [2]]
    assert ", 2, seed 3" in found.notes[0]


def test_splits_of_one_model_alone_are_left_out_and_named_together(tmp_path: Path) -> None:
    rows = [f"{m},{k},{i},0.{m}{k}{i}" for m in "12" for k in "345" for i in "67" if m == "2" or k == "3"]
    found = arranged(tmp_path / "s.csv", "model,split,image,score", *rows)
    assert found.splits == ("3",)
    (note,) = found.notes
    assert note.endswith(" splits 4, 5.")


def test_only_models_with_one_run_are_to_be_trained_again(tmp_path: Path) -> None:
    scores = {"a": [0.90, 0.91, 0.93], "b": [0.85]}
    rows = [f"{m},{s},{i},{v + i / 100}" for m, runs in scores.items() for s, v in enumerate(runs) for i in (1, 2)]
    found = arranged(tmp_path / "s.csv", "model,seed,image,score", *rows)
    assert "train b with at least 3 seeds" in next(next_steps(evidence(found, studies=0)))


def test_an_image_that_most_runs_lack_is_left_out_and_named(tmp_path: Path) -> None:
    rows = [f"{m},{i},0.{m}{i}" for m in "12" for i in "4567"]
    found = arranged(tmp_path / "s.csv", "model,image,score", *rows, "1,9,0.5")
    assert found.design.n_images.tolist() == [4]
    (note,) = found.notes
    assert note.startswith("Image 9 is left out: 1 run ")


def test_the_command_needs_neither_torch_nor_pandas(tmp_path: Path) -> None:
    path = study(tmp_path / "s.csv", {"a": 0.95, "b": 0.85}, 3, 4)
    code = (
        "import sys; from analysis.evidence.__main__ import main; main(sys.argv[1:]); "
        "print(sorted({'torch', 'wandb', 'pandas', 'statsmodels', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")
