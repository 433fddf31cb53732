"""Runs, seconds and bytes are those that are counted by hand."""

import re
from pathlib import Path

import pytest

from agent.config import from_settings
from agent.lifecycle import disk
from agent.lint import main, model_facts, price
from agent.training import step_times
from agent.training.models import build
from agent.training.step_times import COLUMNS, ONE_CORE, WITHOUT_BFLOAT16, Step
from common import cores
from tests.agent.lint.sweep_text import CLEAN, lint

GRID = """\
program: agent/train.py
command: [python, -m, agent.train, "${args}"]
method: grid
parameters:
  architecture: {values: [unet_transposed, unet_bilinear]}
  seed: {min: 1, max: 3}
  width: {distribution: q_uniform, min: 8, max: 16, q: 4}
  image_size: {value: 64}
"""


def test_a_grid_has_the_product_of_its_values_at_most_run_cap(tmp_path: Path) -> None:
    for text, n_runs in ((GRID, 2 * 3 * 3), (GRID + "run_cap: 5\n", 5), (CLEAN, 8)):
        report = lint(tmp_path, text)
        assert report.cost is not None, report.text()
        assert report.cost.n_runs == n_runs


HEAD = ",".join(COLUMNS) + "\n"
SMALL, LARGE = (from_settings({"architecture": "unet_bilinear", "width": width, "image_size": 64}) for width in (8, 16))


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """One core in the project's table, a GPU in that of the machine."""
    ours, machine = tmp_path / "ours.csv", tmp_path / "machine.csv"
    ours.write_text(f"# a comment\n{HEAD}{ONE_CORE}CPU,unet,resnet18,64,64,2,float32,1000000000,20,0,5\n")
    machine.write_text(f"{HEAD}H100,unet_bilinear,none,64,64,4,float32,1000000000,1,0,5\n")
    monkeypatch.setattr(price, "STEP_TIMES", ours)
    monkeypatch.setenv("PUZZLE_STEP_SECONDS", str(machine))
    return ours, machine


def test_the_price_of_a_sweep_is_the_mean_run_times_the_number_of_runs_on_every_recorded_device(
    tables: tuple[Path, Path],
) -> None:
    priced = price.estimate([SMALL, LARGE], 10)
    assert [each.device for each in priced.prices] == [ONE_CORE + "CPU", "H100"]
    for of_device, table in zip(priced.prices, tables, strict=True):
        each = [price.seconds(config, step_times.read(table)) for config in (SMALL, LARGE)]
        assert of_device.hours == pytest.approx(10 * sum(each) / 2 / 3600)
    assert priced.memory == model_facts.look_up("unet_bilinear", "none", 16).training_bytes(64, 2)


@pytest.mark.usefixtures("tables")
def test_gpu_hours_are_printed_beside_core_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.yaml").write_text(CLEAN)
    assert main([str(tmp_path / "sweep.yaml")]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert re.search(
        r"sweep\.yaml: 8 runs: \S+ core-hours on CPU, \S+ GPU-(minutes|hours) on H100, \S+ MB of Art", line
    ), line


def test_where_a_long_sweep_has_no_gpu_hours_one_line_says_how_to_get_them(
    tables: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, machine = tables
    machine.unlink()
    file = tmp_path / "sweep.yaml"
    file.write_text(CLEAN)
    assert main([str(file), str(file)]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "GPU" in line] == [price.NO_GPU]
    ours.write_text(ours.read_text().replace(",20,", ",0.001,"))
    assert main([str(file)]) == 0
    assert price.NO_GPU not in capsys.readouterr().out, "a sweep of minutes needs none"


def test_step_times_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUZZLE_STEP_SECONDS", str(tmp_path))
    (tmp_path / "sweep.yaml").write_text(CLEAN)
    assert main([str(tmp_path / "sweep.yaml")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"agent.lint: {tmp_path} cannot be read ")
    assert line.endswith(" PUZZLE_STEP_SECONDS")


def step(model: str, macs: int, seconds: float, precision: str = "float32", width: int = 64) -> Step:
    architecture, _, backbone = model.partition("/")
    return Step("GPU", architecture, backbone or "none", width, 64, 2, precision, macs, seconds, 0.0, 1)


@pytest.fixture
def thousand_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model makes 1000 multiply-accumulates of an image of 128 pixels."""
    monkeypatch.setattr(model_facts, "look_up", lambda *_, **__: model_facts.Facts(macs=1000))


@pytest.mark.usefixtures("thousand_macs")
@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 1.37 * 5 * 3.0),
        ({"epochs": 7, "repeats": 3}, 7 * 3.37 * 5 * 3.0),
        ({"batch_size": 4}, 1.37 * 3 * 3.0 * (10 / 3) / 2),
        ({"image_size": 256}, 1.37 * 5 * 3.0 * 4),
    ],
)
def test_a_run_takes_the_seconds_of_a_step_as_often_as_it_makes_one_in_proportion_to_the_work(
    settings: dict[str, int], seconds: float
) -> None:
    """Ten images, in steps of two: 2000 multiply-accumulates, which take three seconds."""
    config = from_settings({"model": "unet_bilinear", "epochs": 1, "image_size": 128, **settings})
    assert price.seconds(config, [step("unet_bilinear", 2000, 3.0)]) == pytest.approx(seconds)


STEPS = [
    *(step("unet_bilinear", macs, 0.0, width=width) for macs in (100, 900) for width in (16, 64)),
    *(step("unet/a", 100, 2.0), step("unet/a", 100, 1.0, "bfloat16"), step("unet/b", 800, 0.0)),
]


@pytest.mark.parametrize(
    ("settings", "macs", "index"),
    [
        ({"model": "unet_bilinear", "width": 24}, 100, 0),
        ({"model": "unet_bilinear", "width": 40}, 100, 1),
        ({"model": "unet_bilinear"}, 1000, 3),
        ({"model": "unet/a"}, 100, 4),
        ({"model": "unet/a", "precision": "auto"}, 100, 5),
        ({"model": "unet/b", "precision": "bfloat16"}, 800, 5),
        ({"model": "unet/c"}, 1000, 6),
        ({"model": "deeplabv3plus/a", "precision": "bfloat16"}, 100, 5),
    ],
)
def test_the_step_most_like_a_runs_is_chosen_by_precision_model_width_and_work(
    settings: dict[str, object], macs: float, index: int
) -> None:
    """By the ratio, 24 is nearer to 16 than to 64, and 40 to 64; `auto` takes the faster precision."""
    assert price.most_similar(from_settings(settings), macs, STEPS) is STEPS[index]


def test_a_sweep_is_priced_on_processors_that_have_bfloat16_as_this_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, other = f"{ONE_CORE}A{WITHOUT_BFLOAT16}", f"{ONE_CORE}A", f"{ONE_CORE}B"
    for flags, devices, expected in (
        (set(), [old, new, "GPU"], [old, "GPU"]),
        ({"avx512_bf16"}, [old, new, other, "GPU"], [new, other, "GPU"]),
        ({"avx512_bf16"}, [old, "GPU"], [old, "GPU"]),
    ):
        monkeypatch.setattr(cores, "flags", lambda flags=flags: flags)
        assert list(price.with_cpus_like_this({device: [] for device in devices})) == expected


@pytest.mark.parametrize("model", ["unet_bilinear", "unet/resnet18"])
def test_bytes_are_those_that_a_run_is_given(model: str) -> None:
    config = from_settings({"model": model, "image_size": 96})
    built = build(config.architecture, config.backbone, width=config.width)
    assert price.server_bytes(config) == disk.bytes_on_server(built, disk.N_TEST * 768 * 1024)


@pytest.mark.usefixtures("thousand_macs")
@pytest.mark.parametrize(
    ("data", "score_size", "n_pixels"),
    [
        *(("drawn", 512, 4 * 384 * 512), ("drawn:3", 100_000, 4 * 768 * 1024), ("drawn:3:40", 1024, 4 * 384 * 512)),
        ("photographs", 1024, 4 * 1024 * 1024),
    ],
)
def test_pictures_are_priced_at_the_size_of_the_drawings_if_that_is_smaller(
    data: str, score_size: int, n_pixels: int
) -> None:
    config = from_settings({"data": data, "score_size": score_size})
    assert price.server_bytes(config) == disk.artifact_bytes(0, n_pixels)


@pytest.mark.parametrize(
    ("hours", "text"), [(0, "1 GPU-minute"), (0.5, "30 GPU-minutes"), (1.0, "1.0 GPU-hours"), (60.4, "60 GPU-hours")]
)
def test_hours_are_words(hours: float, text: str) -> None:
    assert price.hours(hours, "GPU") == text


def test_the_recorded_steps_name_their_command_and_cover_every_architecture() -> None:
    assert price.STEP_TIMES.read_text().startswith("# python -m bench.step_seconds")
    n_rows = len(price.STEP_TIMES.read_text().splitlines()) - 2
    by_device = price.steps_by_device([price.STEP_TIMES])
    assert sum(map(len, by_device.values())) == n_rows, "a row is broken, or stands twice"
    bfloat16 = {
        name.endswith(WITHOUT_BFLOAT16): {step.precision for step in steps} for name, steps in by_device.items()
    }
    assert bfloat16 == {False: {"float32", "bfloat16"}, True: {"float32"}}
    for steps in by_device.values():
        assert {step.architecture for step in steps} == {"unet_transposed", "unet_bilinear", "unet", "deeplabv3plus"}
