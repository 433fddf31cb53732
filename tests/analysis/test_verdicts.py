"""What table, report and command conclude where they once concluded something false; each with its own input."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from analysis import cli, table
from analysis.comparison.answer import answers, keep_in_mind
from analysis.comparison.comparison import Comparison, compare, pairs_within
from analysis.evidence.__main__ import main as command
from analysis.evidence.claims import CLAIMS
from analysis.evidence.planner import SampleSizes
from analysis.evidence.result import Evidence, evidence
from analysis.evidence.score_table import Row, arrange
from analysis.evidence.sentences import cautions, next_steps, silent_claims
from analysis.report import __main__ as report
from analysis.tables.sheets import proof_sheets
from tests.analysis.studies import noisy, scored

Cells = dict[tuple[int, int, int], npt.NDArray[np.float64]]
RNG = np.random.default_rng


def cells(
    means: Sequence[float], seeds: int, images: int, folds: Sequence[int] = (0,), *, spread: float = 0.005, rng: int = 0
) -> Cells:
    """Scores with deviations `spread` of seeds, of models on images and of the rest, and of images 0.01."""
    draw = RNG(rng).normal
    made: Cells = {}
    for fold in folds:
        common = draw(0, 0.01, images)
        for number, mean in enumerate(means):
            own = mean + common + draw(0, spread, images)
            for seed in range(seeds):
                made[number, fold, seed] = own + draw(0, spread) + draw(0, spread, images)
    return made


def judged(values: Cells, studies: int = 0) -> Evidence:
    """The evidence of scores, as the command and the table have it."""
    rows = [
        Row(f"m{number}", str(fold), str(seed), f"{fold}-{i}", float(score))
        for (number, fold, seed), scores in values.items()
        for i, score in enumerate(scores)
    ]
    return evidence(arrange(rows), studies=studies)


def by(comparison: Comparison, number: int) -> dict[Any, Any]:
    """The row of one model."""
    (row,) = comparison.table[comparison.table["backbone"] == f"backbone{number:02d}"].to_dict("records")
    return row


@pytest.mark.parametrize(("models", "seeds", "images", "studies"), [(2, 5, 30, 120), (8, 5, 12, 60)])
def test_identical_procedures_are_seldom_told_apart(models: int, seeds: int, images: int, studies: int) -> None:
    """A sign-flip test over images that ignored seeds told 0.56 and 0.72 of such studies a bold winner."""
    won = sum(
        any(model.verdict == "worse" for model in judged(cells([0.9] * models, seeds, images, rng=k)).models.values())
        for k in range(studies)
    )
    assert won <= 0.05 * studies + 2 * (0.05 * 0.95 * studies) ** 0.5


def test_the_model_that_is_better_on_every_shared_fold_is_never_the_worse_one() -> None:
    """A on folds 0 to 2, B on folds 0 to 5, which are harder; B is better by 0.02 on each shared one."""
    own = cells([0.90, 0.92], 3, 4, range(6), spread=0.001)
    values = {key: np.asarray(v) - 0.2 * (key[1] > 2) for key, v in own.items() if key[0] == 1 or key[1] < 3}
    comparison = compare(scored(values))
    assert by(comparison, 0)["verdict"] != "best"
    assert by(comparison, 0)["difference"] < 0
    assert answers(comparison)[0].startswith("U-Net / backbone01 ")


def test_five_seeds_against_one_never_make_the_lower_one_better() -> None:
    values = {key: v for key, v in cells([0.90, 0.921], 5, 8).items() if key[0] == 0 or key[2] == 0}
    comparison = compare(scored(values))
    assert set(comparison.table["verdict"]) == {"cannot_tell"}
    told = " ".join(answers(comparison))
    assert "better" not in told
    assert "backbone01 has the highest mean" in told


def test_a_model_with_one_run_is_not_the_one_that_the_others_are_compared_with() -> None:
    """It headed the answer, and plans and luck beside it were those of the next model."""
    made = cells([0.95, 0.92, 0.91, 0.80], 3, 8, spread=0.008)
    values = {key: v for key, v in made.items() if key[0] or not key[2]}
    comparison = compare(scored(values))
    found = comparison.evidence
    assert found
    assert list(comparison.table["backbone"])[:2] == ["backbone00", "backbone01"]
    assert found.highest == "U-Net / backbone01"
    first, second = answers(comparison)[:2]
    assert first.startswith("U-Net / backbone01 has the highest mean of the 3 models that can be compared, ")
    assert "U-Net / backbone00 is higher but not judged, for it has one run" in second
    steps = list(next_steps(found))
    assert steps[0].startswith("To tell U-Net / backbone01 from those too close to it")
    assert any("train U-Net / backbone00 with at least 3 seeds" in step for step in steps)
    assert "Being the highest of 3 flatters a mean: U-Net / backbone01 " in " ".join(keep_in_mind(comparison))
    assert [sheet.columns["verdicts"][1] for sheet in proof_sheets(comparison)] == ["1 worse, 1 cannot tell"]


def test_intervals_that_hold_less_often_than_promised_say_so() -> None:
    found = judged(cells([0.9, 0.9, 0.8], 3, 4))
    for rate, told in ((0.07, "In 95 of 100 such studies the"), (0.08, "In about 92 of 100 such studies, ")):
        assert any(line.startswith(told) for line in cautions(replace(found, false_claim_rate=rate)))


def test_a_lower_model_with_one_run_is_told_apart_from_a_higher_one() -> None:
    made = cells([0.95, 0.92, 0.91, 0.80], 3, 8, spread=0.008)
    alone = {key: v for key, v in made.items() if key[0] in (1, 2) or not key[2]}
    second = answers(compare(scored(alone)))[1]
    assert "backbone00 is higher but not judged, for it has one run. " in second
    assert "backbone03 is not judged, for it has one run." in second


def test_equal_means_are_led_by_the_first_row_of_the_table() -> None:
    made = cells([0.9], 3, 6)
    values = made | {(1, fold, seed): ious[::-1] for (_, fold, seed), ious in made.items()}
    comparison = compare(scored(values))
    assert comparison.evidence
    assert str(comparison.table["model"].iloc[0]) == comparison.evidence.highest


def test_equivalence_among_those_that_can_be_compared_is_not_said_of_the_best_of_all() -> None:
    made = cells([0.99, 0.95, 0.95], 8, 40, spread=0.001)
    first = answers(compare(scored({key: v for key, v in made.items() if key[0] or not key[2]})))[0]
    assert "highest mean of the 2 models that can be compared, " in first
    assert "at most 0.01 below the best of them on " in first


def test_a_plan_for_a_study_of_this_size_is_a_borderline_case() -> None:
    found = judged(cells([0.93, 0.9], 3, 4, spread=0.01))
    name = next(name for name in found.models if name != found.highest)
    claim = replace(found.models[name].claims[found.claim], needed=SampleSizes(seeds=3, images=4))
    model = replace(found.models[name], verdict="cannot_tell", claims={found.claim: claim})
    steps = list(next_steps(replace(found, models={**found.models, name: model}), lambda n: f": {n} asked for"))
    assert "is a borderline case: another study of this size would decide." in steps[0]
    assert not any("asked for" in step for step in steps)


def test_models_beyond_those_that_are_named_are_counted_and_nothing_is_said_of_them() -> None:
    for n, told in ((6, " 1 more is undecided."), (7, " 2 more are undecided.")):
        found = judged(cells([0.9] * n, 3, 4, spread=0.02))
        (step,) = [each for each in next_steps(found) if each.startswith("To tell")]
        assert step.endswith(f"may be the best.{told}")


def test_sets_that_models_do_not_share_are_not_called_one_set() -> None:
    """Two of three models lack one of two folds, each another one."""
    made = cells([0.95, 0.9, 0.85], 3, 6, (1, 2))
    values = {key: v for key, v in made.items() if key[:2] not in ((0, 2), (1, 1))}
    reasons = dict(silent_claims(judged(values)))
    assert list(reasons.values()) == [
        "models share one training set at most, which cannot show how much another would differ"
    ]


def test_with_several_splits_rows_are_in_the_order_of_the_answer() -> None:
    """The own split has another order than all splits together, of which the answer speaks."""
    own = cells([0.95, 0.90], 2, 8, spread=0.002)
    more = cells([0.85, 0.95], 2, 8, (1, 2, 3), spread=0.002, rng=9)
    comparison = compare(scored({**own, **more}))
    assert list(comparison.table["backbone"]) == ["backbone01", "backbone00"]
    assert by(comparison, 0)["test_iou"] > by(comparison, 1)["test_iou"]
    assert "backbone01" in answers(comparison)[0]


def test_a_model_that_saw_the_easy_split_alone_does_not_lead() -> None:
    """Its mean is the highest of the rows, and lower than the other's where both were tested."""
    values = cells([0.90, 0.88, 0.86], 3, 6, (1, 2, 3))
    values = {key: v + 0.06 * (key[1] == 1) for key, v in values.items() if key[0] != 1 or key[1] == 1}
    comparison = compare(scored(values))
    assert by(comparison, 1)["test_iou"] > by(comparison, 0)["test_iou"]
    assert list(comparison.table["backbone"]) == ["backbone00", "backbone01", "backbone02"]
    assert by(comparison, 1)["resplit_iou"] < by(comparison, 0)["resplit_iou"]
    assert (by(comparison, 1)["n_resplits"], by(comparison, 0)["n_resplits"]) == (1, 3)
    assert any(note.startswith("Rows are means over 1 to 3 splits") for note in comparison.notes)


def test_all_seeds_of_both_count_whatever_they_are_called() -> None:
    values = {key: v for key, v in cells([0.95, 0.90], 5, 8).items() if key[0] == 0 or key[2] < 3}
    renamed = {(number, fold, seed + 100 * number): v for (number, fold, seed), v in values.items()}
    one, other = judged(values), judged(renamed)
    assert [one.models[name].claims[CLAIMS[1]].n_seeds for name in ("m0", "m1")] == [5, 3]
    assert one.models["m1"].claims == other.models["m1"].claims
    assert one.models["m1"].verdict == "worse"


def test_nothing_is_surer_than_its_verdict_and_one_seed_has_no_correction_for_luck(tmp_path: Path) -> None:
    """P(best) stood at 1.00 beside p = 0.29; luck found a third of the truth with one seed."""
    comparison = compare(scored(cells([0.9, 0.9], 1, 4, range(6))))
    text = table.terminal(comparison) + table.markdown(comparison, "c") + table.latex(comparison, "c")
    assert not re.search(r"P\(best\)|probability of being|hold the true mean in", text)
    one_seed = judged(cells([0.9, 0.91], 1, 8))
    assert one_seed.luck is None
    assert "flatters" not in table.terminal(compare(scored(cells([0.9, 0.91], 1, 8))))


def test_models_within_one_pixel_of_each_other_are_told_apart_where_scores_do() -> None:
    """Five seeds on four images find a difference of 0.05, though no exact test over four images can."""
    comparison = compare(scored(cells([0.90, 0.85], 5, 4)))
    assert by(comparison, 1)["verdict"] == "worse"
    assert "two-sided p below" not in " ".join(keep_in_mind(comparison))
    assert answers(comparison)[1] == "The other one is worse."


def test_more_splits_leave_the_conclusions_of_the_own_one() -> None:
    own = cells([0.95, 0.90], 5, 8, spread=0.002)
    more = cells([0.9, 0.9], 1, 8, (1, 2, 3), rng=9)
    comparison = compare(scored({**own, **more}))
    assert comparison.own_evidence is not None
    assert comparison.own_evidence.best == "U-Net / backbone00"
    both = proof_sheets(comparison)
    assert len(both) == 2
    assert "own split alone" in both[1].caption
    samples = ["1 seed, 32 images, 4 training sets", "5 seeds, 8 images, 1 training set"]
    assert all(f"With {sample}." in sheet.caption for sheet, sample in zip(both, samples, strict=True))
    assert all("sample" not in sheet.columns for sheet in both)
    assert both[1].columns["verdicts"][1] == "1 best, 1 worse"
    page = table.markdown(comparison, "c")
    assert "over 4 splits." in page
    assert all(sample in page for sample in samples)


def test_splits_are_not_advised_where_no_number_of_them_can_help() -> None:
    """Two models that are equal but for 0.0099, with a margin of 0.01: neither worse nor equivalent can be shown."""
    noise = cells([0.0, 0.0], 3, 4, range(6), spread=0.02)
    steps = " ".join(next_steps(judged({key: np.asarray(v) + 0.9 - 0.0101 * key[0] for key, v in noise.items()})))
    assert not re.search(r"More splits", steps)
    assert re.search(r" takes | never", steps)


def test_runs_of_other_test_pictures_are_left_out_and_named() -> None:
    made = scored(cells([0.95, 0.90], 4, 8))
    odd = made.runs["run_id"] == "m1f0s3"
    runs = made.runs.assign(test_digest=np.where(odd, "other", "usual"))
    comparison = compare(replace(made, runs=runs))
    assert by(comparison, 1)["n_runs"] == 3
    assert comparison.evidence is not None
    assert comparison.evidence.models["U-Net / backbone01"].claims[CLAIMS[1]].n_seeds == 3
    assert comparison.notes[0].startswith("WARNING: 1 of 8 runs ")
    assert comparison.notes[0].endswith(": m1f0s3 of U-Net / backbone01.")


def test_other_splits_have_other_test_pictures_and_nothing_is_said() -> None:
    made = scored(cells([0.95, 0.90], 2, 4, (0, 1)))
    comparison = compare(replace(made, runs=made.runs.assign(test_digest=made.runs["fold"].astype(str))))
    assert "test_digest" not in " ".join(comparison.notes)


def test_runs_without_artifacts_are_named_where_they_count_and_where_not() -> None:
    made = scored(cells([0.95, 0.90], 4, 8))
    comparison = compare(replace(made, scores=made.scores[made.scores["run_id"] != "m1f0s3"]))
    assert "1 without a predictions artifact" in comparison.check
    assert "(m1f0s3)" in comparison.check


def test_a_model_without_any_artifact_is_named_beside_the_answer() -> None:
    made = scored(cells([0.95, 0.90, 0.80], 4, 8))
    comparison = compare(replace(made, scores=made.scores[~made.scores["run_id"].str.startswith("m0")]))
    first, second = answers(comparison)
    assert first.startswith("U-Net / backbone01 is the best of the 2 models that can be compared on other images")
    assert second.endswith("Not compared: U-Net / backbone00.")
    assert pd.isna(by(comparison, 0)["verdict"])


def test_several_image_sizes_are_said() -> None:
    made = scored(cells([0.95, 0.90], 3, 4))
    comparison = compare(replace(made, runs=made.runs.assign(image_size=[128] * 3 + [256] * 3)))
    assert "2 image sizes (128, 256 pixels)" in " ".join(comparison.notes)
    alike = made.runs.assign(image_size=[128] * 3 + [256] * 3, score_size=1024)
    assert "image sizes" not in " ".join(compare(replace(made, runs=alike)).notes)


def test_forty_models_leave_the_terminal_whole() -> None:
    text = table.terminal(compare(scored(cells(list(np.linspace(0.8, 0.95, 40)), 3, 4))))
    assert max(map(len, text.splitlines())) <= 100
    assert len(re.findall(r"^[ *]U-Net / backbone\d\d ", text, re.MULTILINE)) == 40
    assert text.startswith("U-Net / backbone39 ")


@pytest.mark.parametrize("seeds", [1, 5])
def test_every_entry_point_says_the_same(
    seeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = cells([0.95, 0.90, 0.949], seeds, 6)
    made = scored(values)
    monkeypatch.setattr(cli, "pull", lambda paths: made)
    assert cli.main("python -m analysis", "words", [table.write], ["a/b", "--out", str(tmp_path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert report.main(["a/b", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    lines = ["model,seed,image,score"]
    names = made.scores[made.scores["checkpoint"] == "best_loss"].merge(made.runs[["run_id", "seed", "backbone"]])
    lines += [f"U-Net / {r.backbone},{r.seed},{r.image},{r.iou}" for r in names.itertuples()]
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    assert command([str(tmp_path / "scores.csv"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    saved = pd.read_csv(tmp_path / "comparison.csv").set_index("model")
    for name, model in found["models"].items():
        assert saved.loc[name, "verdict"] == model["verdict"]
        claim = model["claims"]["other_images"]
        if seeds > 1:
            assert saved.loc[name, "difference"] == pytest.approx(claim["estimate"], abs=1e-6)
            assert saved.loc[name, "difference_low"] == pytest.approx(claim["low"], abs=2e-4)
    answer = " ".join(answers(compare(made)))
    assert printed.startswith(answer)
    for name in ("comparison.md", "comparison.html", "comparison.tex", "report.html"):
        text = " ".join((tmp_path / name).read_text().replace("\n% ", " ").split())
        assert answers(compare(made))[1] in text.replace("</p> <p>", " "), name


def test_the_margin_is_an_option_of_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = scored(cells([0.95, 0.945], 10, 12, spread=0.002))
    monkeypatch.setattr(cli, "pull", lambda paths: made)
    out = ["--out", str(tmp_path)]
    assert cli.main("p", "words", [table.write], ["a/b", "--margin", "0.02", *out]) == 0
    assert "equivalent" in capsys.readouterr().out
    assert "p a/b --margin=0.02" in (tmp_path / "comparison.md").read_text()
    with pytest.raises(SystemExit):
        cli.main("p", "words", [table.write], ["a/b", "--margin", "0", *out])
    assert capsys.readouterr().err.startswith("p: argument --margin: '0' ")


def test_notes_of_the_table_survive_in_the_paper() -> None:
    text = table.latex(compare(scored(cells([0.95, 0.90], 3, 4))), "c")
    first = text.split(r"\end{table}")[0]
    assert r"\usepackage{booktabs,threeparttable}" in text
    assert first.index(r"\begin{tablenotes}") > first.index(r"\end{tabular}")
    assert r"\item Rule: models of segmentation\_models\_pytorch" in first
    assert text.count(r"\begin{threeparttable}") == text.count(r"\end{threeparttable}") == text.count(r"\begin{table}")


def test_pairs_within_a_setting_are_those_of_its_models_alone() -> None:
    """Three U-Nets and two DeepLabV3+; what the others do changes nothing."""
    made = noisy(models=5)
    comparison = compare(made)
    found = pairs_within(comparison, "architecture")
    assert {value: len(pairs) for value, pairs in found.items()} == {"unet": 3, "deeplabv3plus": 1}
    means = comparison.table.set_index("model")["test_iou"]
    for pair in [*found["unet"], *found["deeplabv3plus"]]:
        assert pair.estimate == pytest.approx(means[pair.a] - means[pair.b])
        assert pair.low < pair.estimate < pair.high
    assert pairs_within(compare(noisy(models=4)), "architecture")["unet"] == found["unet"]


def test_one_model_of_a_setting_has_no_pair() -> None:
    assert list(pairs_within(compare(noisy(models=4)), "architecture")) == ["unet"]
