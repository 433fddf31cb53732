"""Masks of photographs from a saved model: their size, their orientation, and what is refused."""

import dataclasses
import errno
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from agent import predict
from agent.config import parse
from agent.inference import average, load
from agent.inference.average import Member
from agent.lifecycle import checkpoints
from agent.training import models
from agent.training.loop import IMAGENET_MEAN, IMAGENET_STD, evaluate, resize
from data import synthetic
from data.dataset import Pair, read_image
from tests.server.running import ROOT, Client

CONFIG = parse(["--model=unet_bilinear", "--width=4", "--image_size=32"])
ROTATED = 6
"""The EXIF orientation of a phone held upright: turn by 90° clockwise to see it."""


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose masks are neither empty nor full."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("model") / "epoch-0001.pt"
    built = models.build(CONFIG.architecture, width=CONFIG.width)
    image = torch.from_numpy(np.array(photograph(3, 32, 32))).permute(2, 0, 1)[None] / 255
    normalised = (image - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    with torch.no_grad():
        logits = built.eval()(normalised)
        built.get_parameter("head.bias").sub_(logits.mean(dim=(0, 2, 3)))
    checkpoints.save(path, built.state_dict(), CONFIG)
    return path


def photograph(seed: int, height: int = 48, width: int = 64) -> Image.Image:
    return Image.fromarray(synthetic.draw(np.random.default_rng(seed), height, width)[0])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_masks_and_overlays_have_the_size_of_each_photograph(
    model: Path,
    device: torch.device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("agent.training.performance.best_device", lambda: device)
    sizes = {"wide.png": (40, 120), "tall.jpg": (90, 30), "square.webp": (32, 32)}
    for name, (height, width) in sizes.items():
        photograph(1, height, width).save(tmp_path / name)
    out = tmp_path / "out" / "masks"
    assert predict.main([str(model), *(str(tmp_path / name) for name in sizes), "-o", str(out)]) == 0
    assert f"on {device}; photographs: 3" in capsys.readouterr().out
    for name, size in sizes.items():
        mask = pixels(out / f"{Path(name).stem}.png")
        assert mask.shape == size
        assert set(np.unique(mask)) <= {0, 255}
        assert pixels(out / f"{Path(name).stem}-overlay.jpg").shape == (*size, 3)
    assert len(names(out)) == 6


def test_photographs_that_the_model_is_least_sure_of_are_named_first(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sure = iter([0.9, 0.2, 0.5])
    monkeypatch.setattr(predict, "expected_iou", lambda logits, mask: next(sure))
    for name in "abc":
        photograph(1).save(tmp_path / f"{name}.png")
    a, b, c = (str(tmp_path / f"{name}.png") for name in "abc")
    assert predict.main([str(model), a, b, c, "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(f": {b}, {c}, {a}")
    assert "foreground, expected IoU 0.20)" in next(line for line in lines if line.startswith(b))


def test_a_photograph_with_an_orientation_gets_the_mask_of_the_upright_one(model: Path, tmp_path: Path) -> None:
    upright = photograph(2)
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.png", exif=exif)
    assert pixels(tmp_path / "phone.png").shape == (64, 48, 3)
    predict.main([str(model), str(tmp_path / "upright.png"), str(tmp_path / "phone.png"), "-o", str(tmp_path / "out")])
    masks = [pixels(tmp_path / "out" / f"{name}.png") for name in ("upright", "phone")]
    assert masks[0].shape == (48, 64)
    assert 0 < masks[0].mean() < 255
    assert np.array_equal(masks[0], masks[1])


def test_the_mask_of_a_square_is_the_one_that_the_run_tested(model: Path, tmp_path: Path) -> None:
    photograph(3, 32, 32).save(tmp_path / "a.png")
    predict.main([str(model), str(tmp_path / "a.png"), "-o", str(tmp_path / "out")])
    found = load.find(str(model))
    built = models.build(CONFIG.architecture, width=CONFIG.width)
    built.load_state_dict(found.state)
    image = np.array(photograph(3, 32, 32))
    tested = evaluate(built, [Pair("a", image, np.zeros((32, 32), np.uint8))], 1).predictions[0]
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), tested * 255)
    assert 0 < tested.mean() < 1


def test_logits_are_brought_to_the_size_of_the_photograph_before_they_are_cut() -> None:
    """Of two columns, 2 and -1, whose centres lie at 3 and 9 of 12 pixels, 0 lies two thirds of the way, at 7."""

    class Columns(load.Predictor):
        def logits(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([2.0, -1.0]).expand(len(images), 2, 2)

    columns = Member(Columns(torch.nn.Identity()), 2)
    (logits,) = average.logits_of([columns], [np.zeros((12, 12, 3), np.uint8)])
    assert average.binarize(logits).tolist() == [[1] * 7 + [0] * 5] * 12


def test_photographs_in_batches_get_the_masks_they_get_alone(model: Path, tmp_path: Path) -> None:
    for seed in range(5):
        photograph(seed, 40 + seed, 50).save(tmp_path / f"{seed}.png")
    for size in ("1", "3"):
        predict.main([str(model), str(tmp_path), "-o", str(tmp_path / size), "--batch-size", size])
    alone, together = ([pixels(tmp_path / size / f"{n}.png") for n in range(5)] for size in ("1", "3"))
    differing = [float((a != b).mean()) for a, b in zip(alone, together, strict=True)]
    assert max(differing) < 0.001


def test_photographs_of_one_stem_are_refused_before_anything_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph(1).save(tmp_path / "a.png")
    photograph(1).save(tmp_path / "A.jpg")
    assert predict.main([str(model), str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "a.png" in (told := capsys.readouterr().err)
    assert "A.jpg" in told
    assert not (tmp_path / "out").exists()


def test_a_mask_never_overwrites_a_photograph(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph(1).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    assert predict.main([str(model), str(tmp_path / "a.png"), "-o", str(tmp_path)]) == 2
    assert "would overwrite a photograph" in capsys.readouterr().err
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_file_is_no_folder_for_masks_and_no_model_no_reason_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph(0).save(tmp_path / "a.png")
    arguments = ["no.pt", str(tmp_path / "a.png"), "-o"]
    assert predict.main([*arguments, str(tmp_path / "a.png")]) == 1
    assert "a.png cannot be written: Not a directory" in capsys.readouterr().err
    assert predict.main([*arguments, str(tmp_path / "out")]) == 2
    assert names(tmp_path) == ["a.png"]


def test_folders_patterns_and_files_name_each_photograph_once(tmp_path: Path) -> None:
    for name in ("image-10.png", "image-2.png", "note.txt", ".hidden.png"):
        (tmp_path / name).touch()
    given = [str(tmp_path), str(tmp_path / "image-*.png"), str(tmp_path / "image-2.png")]
    tasks, problems, _ = predict.make_tasks(given, Path("out"))
    assert problems == []
    assert [task.photograph.name for task in tasks] == ["image-2.png", "image-10.png"]
    assert tasks[0].mask == Path("out/image-2.png")
    assert tasks[0].overlay == Path("out/image-2-overlay.jpg")


@pytest.mark.parametrize("size", [1, 4])
def test_whatever_one_photograph_does_the_others_are_done(
    size: int, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the bad ones fails at another place: name, folder, file, content, decoder, model, writer."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "decoder.png", "model.png", f"{'x' * 250}.png", "z.png"):
        photograph(1).save(source / name)
    Image.new("RGB", (1, 1)).save(source / "one.png")
    (source / "folder.png").mkdir()
    (source / "loop.png").symlink_to("loop.png")
    (source / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(source / "pipe.png")
    (source / "cut.png").write_bytes((source / "a.png").read_bytes()[:200])
    (source / "text.jpg").write_text("no picture")
    Image.new("RGB", (77, 33)).save(source / "model.png")
    read = read_image

    def broken_decoder(path: Path, pixel_range: object) -> np.ndarray:
        if path.name == "decoder.png":
            raise IndexError("no such table\nin it")
        return np.asarray(read(path))

    def little_memory(values: torch.Tensor, height: int, width: int) -> torch.Tensor:
        if (width, height) == (77, 33):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return resize(values, height, width)

    monkeypatch.setattr(predict, "read_image", broken_decoder)
    monkeypatch.setattr(average, "resize", little_memory)
    given = [*sorted(str(each) for each in source.iterdir()), str(source / "none.png"), "a\0b"]
    assert predict.main([str(model), *given, "-o", str(out), "--batch-size", str(size)]) == 1
    assert names(out) == [f"{name}{end}" for name in ("a", "one", "z") for end in ("-overlay.jpg", ".png")]
    printed = capsys.readouterr()
    bad = [
        *("folder.png", "loop.png", "none.png", "a\\x00b", "decoder.png", "gone.png", "model.png", "pipe.png"),
        *("x" * 250, "cut.png", "text.jpg"),
    ]
    assert [sum(name in line for line in printed.err.splitlines()) for name in bad] == [1] * len(bad)
    assert len(printed.err.splitlines()) == len(bad)
    assert "3 of 10 photographs" in printed.out


def test_what_is_passed_over_in_a_folder_is_named_and_any_name_gets_its_mask(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of the masks is not named, and a folder that is given twice is told of once."""
    (tmp_path / "evening").mkdir()
    (tmp_path / "notes.pdf").touch()
    photograph(1).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "\udcfc.png")
    for _ in range(2):
        assert predict.main([str(model), str(tmp_path), f"{tmp_path}/.", "-o", str(tmp_path / "masks")]) == 0
        said = capsys.readouterr()
        passed = f"ignored, being no picture files: {tmp_path}/evening/, {tmp_path}/notes.pdf"
        assert said.err.splitlines() == [f"agent.predict: {passed}"]
        assert "\\udcfc.png → " in said.out
    assert names(tmp_path / "masks") == ["\udcfc-overlay.jpg", "\udcfc.png"]


def test_a_photograph_too_long_for_a_jpeg_has_a_smaller_overlay() -> None:
    picture = predict.overlay(np.zeros((2, 70_000, 3), np.uint8), np.zeros((2, 70_000), np.uint8))
    assert picture.shape == (2, 65_500, 3)


def test_a_disk_that_is_full_ends_at_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a.png")

    for seed in range(3):
        photograph(seed).save(tmp_path / f"{seed}.png")
    monkeypatch.setattr(predict, "save_picture", full)
    assert predict.main([str(model), str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.predict: a.png ")


@pytest.mark.parametrize("name", ["missing.jpg", "none-*.jpg", "empty"])
def test_a_name_that_finds_no_photograph_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(predict.UsageError, match=re.escape(name)):
        predict.make_tasks([str(tmp_path / name)], Path("out"))


def test_ctrl_c_leaves_only_whole_files(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        photograph(1).save(tmp_path / f"{name}.png")
    written = []
    save = Image.Image.save

    def interrupted(picture: Image.Image, file: object, *arguments: object, **options: object) -> None:
        written.append(file)
        if len(written) == 4:
            file.write(b"half")  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        save(picture, file, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", interrupted)
    assert predict.main([str(model), str(tmp_path), "-o", str(tmp_path / "out")]) == 130
    assert names(tmp_path / "out") == ["a-overlay.jpg", "a.png", "b-overlay.jpg"]
    assert all(pixels(path).size for path in (tmp_path / "out").iterdir())
    assert "interrupted" in capsys.readouterr().err


SETTINGS = dataclasses.asdict(CONFIG)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no checkpoint", r"is no file of torch\.save"),
        ({"state_dict": re.compile("x"), "config": {}}, "more in it than tensors"),
        (torch.nn.Linear(1, 1), "more in it than tensors"),
        ({"conv.weight": torch.zeros(1)}, "it has no state_dict"),
        ([torch.zeros(1)], "it has no state_dict"),
        ({"state_dict": {}, "epoch": 1, "hyper_parameters": {}}, "it has no state_dict"),
        ({"state_dict": {"a": 1}, "config": SETTINGS}, "its state_dict holds more than tensors"),
        ({"state_dict": [torch.zeros(1)], "config": SETTINGS}, "its state_dict holds more than tensors"),
        ({"state_dict": {}, "config": {"depth": 3}}, "config of another version"),
        ({"state_dict": {}, "config": SETTINGS | {"width": "4"}}, "config of another version"),
        ({"state_dict": {}, "config": [1]}, "config of another version"),
        ({"state_dict": {"a": torch.tensor([1, torch.nan])}, "config": SETTINGS}, "NaN or infinite .1 of 1"),
        ({"state_dict": {"a": torch.tensor([torch.inf])}, "config": SETTINGS}, "its training diverged"),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_told_in_one_sentence(content: object, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(load.ModelError, match=sentence) as refusal:
        load.find(str(path))
    assert "\n" not in str(refusal.value)
    assert "weights_only" not in str(refusal.value), "no advice to run foreign code"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("head.bias"), "1 tensors are missing, first head.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 tensors are left over, first extra"),
        (
            lambda w: w.update({"head.weight": torch.zeros(5, 4, 1, 1), "head.bias": torch.zeros(5)}),
            r"2 tensors are of another shape, first head.weight: \(5, 4, 1, 1\), not \(2, 4, 1, 1\)",
        ),
        (lambda w: w.update({"head.bias": torch.zeros(2, device="meta")}), "cannot be loaded as unet_bilinear"),
        (lambda w: w.update({"head.bias": torch.zeros(2).to_sparse()}), "cannot be loaded as unet_bilinear"),
    ],
)
def test_weights_that_do_not_fit_are_told_in_one_sentence(
    change: Callable[[dict[str, torch.Tensor]], object], sentence: str, model: Path, tmp_path: Path
) -> None:
    weights = dict(load.find(str(model)).state)
    change(weights)
    checkpoints.save(tmp_path / "a.pt", weights, CONFIG)
    with pytest.raises(load.ModelError, match=sentence) as refusal:
        load.build(load.find(str(tmp_path / "a.pt")), torch.device("cpu"))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "environ", "sentence"),
    [
        ("nothing.pt", {}, "is no file, and no Artifact either"),
        ("../../x", {"WANDB_API_KEY": "k"}, "entity '..' is no name"),
        ("e/p/..", {"WANDB_API_KEY": "k"}, "Artifact '..' is no name"),
        ("e/p/model-x", {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "127.0.0.1:9"}, "write http://HOST:PORT"),
        ("entity/project/model-x:best", {}, "set WANDB_API_KEY"),
        ("e/p/model-x", {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://127.0.0.1:9"}, "no server answers at"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_in_one_sentence(name: str, environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(load.ModelError, match=sentence):
        load.find(name, environ=environ)


FETCH = """
import json, sys, wandb
from agent.inference import load as models
from agent.lifecycle.checkpoints import load
run = wandb.init(project="puzzle", id="abc")
artifact = wandb.Artifact("model-abc", type="model", metadata={{
    "rule": "best_iou", "files": {{"best_loss": "epoch-0001.pt", "best_iou": "epoch-0002.pt"}}}})
artifact.add_dir({folder!r})
run.log_artifact(artifact, aliases=["best", "best-loss", "best-iou"])
other = wandb.Artifact("other", type="model")
other.add_dir({folder!r})
run.log_artifact(other, aliases=["best"])
run.finish()
found = {{}}
for alias, rule in [("best", None), ("best-loss", None), ("best-iou", None), ("best", "best_loss")]:
    found[f"{{alias}} {{rule}}"] = models.find("local/puzzle/model-abc:" + alias, rule).source
for name in ("model-nobody", "other"):
    try:
        models.find(f"local/puzzle/{{name}}:best")
    except models.ModelError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_an_artifact_gives_the_weights_of_its_rule_its_alias_or_the_rule_asked_for(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for epoch in (1, 2):
        checkpoints.save(
            folder / f"epoch-{epoch:04d}.pt", models.build(CONFIG.architecture, width=4).state_dict(), CONFIG
        )
    found = client.run(FETCH.format(folder=str(folder)), PYTHONPATH=str(ROOT))
    one, two = (
        "local/puzzle/model-abc:v0/epoch-0001.pt (best_loss)",
        "local/puzzle/model-abc:v0/epoch-0002.pt (best_iou)",
    )
    assert {key: value for key, value in found.items() if " " in key} == {
        "best None": two,
        "best-loss None": one,
        "best-iou None": two,
        "best best_loss": one,
    }
    assert found["model-nobody"].startswith("local/puzzle/model-nobody:best cannot be fetched ")
    assert found["other"].startswith("local/puzzle/other:best is no model Artifact")
    assert json.dumps(found).count("\\n") == 0
