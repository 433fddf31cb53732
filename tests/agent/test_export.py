"""A model as ONNX gives the masks that torch gives, or is not written."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agent import export
from agent.config import parse
from agent.inference import load
from agent.inference.load import TrainedModel
from agent.lifecycle import checkpoints
from agent.training import models


def made(name: str, side: int) -> TrainedModel:
    torch.manual_seed(1)
    config = parse([f"--model={name}", "--width=4", f"--image_size={side}"])
    model = models.build(config.architecture, config.backbone, "none", config.width)
    return TrainedModel(model.state_dict(), config, "a test")


@pytest.mark.parametrize(
    ("name", "side"),
    [("unet_transposed", 32), ("unet_bilinear", 32), ("unet/mobilenet_v2", 64), ("deeplabv3plus/resnet18", 64)],
)
def test_onnxruntime_gives_the_probabilities_of_torch_for_any_number_of_images(
    name: str, side: int, tmp_path: Path
) -> None:
    model = made(name, side)
    assert export.export(model, tmp_path / "m.onnx") <= export.PROBABILITY_TOLERANCE
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert taken.shape == ["batch", 3, side, side]
    for n in (1, 5):
        images = np.random.default_rng(n).random((n, 3, side, side), dtype=np.float32)
        (probability,) = session.run(None, {"images": images})
        with torch.inference_mode():
            expected = load.build(model, torch.device("cpu"))(torch.from_numpy(images)).numpy()
        assert probability.shape == (n, side, side)
        np.testing.assert_allclose(probability, expected, atol=1e-4)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    model = made("unet_bilinear", 32)
    export.export(model, tmp_path / "m.onnx")
    written = {each.key: each.value for each in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert written["model"] == "unet_bilinear"
    assert json.loads(written["config"]) == asdict(model.config)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_a_file_whose_probabilities_differ_does_not_replace_the_old_one(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = made("unet_bilinear", 32)
    checkpoints.save(tmp_path / "a.pt", model.state, model.config)
    (tmp_path / "m.onnx").write_text("old")
    honest = load.Predictor.forward
    exported = export.to_onnx

    def then_differ(*given: object) -> None:
        exported(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(load.Predictor, "forward", lambda self, images: honest(self, images) + wrong)

    monkeypatch.setattr(export, "to_onnx", then_differ)
    assert export.main([str(tmp_path / "a.pt"), "-o", str(tmp_path / "m.onnx")]) == 1
    assert "is not written" in capsys.readouterr().err
    assert (tmp_path / "m.onnx").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "m.onnx"]


def test_the_command_states_the_largest_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = made("unet_bilinear", 32)
    checkpoints.save(tmp_path / "a.pt", model.state, model.config)
    assert export.main([str(tmp_path / "a.pt"), "-o", str(tmp_path / "m.onnx")]) == 0
    assert "torch differ by at most" in capsys.readouterr().out


def test_no_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main([str(tmp_path / "nothing.pt"), "-o", str(tmp_path / "m.onnx")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "word"), [(".", "it is a folder"), ("", "it is a folder"), ("a.pt", "it is the model itself")]
)
def test_a_folder_and_the_model_itself_are_refused_as_the_file_to_write(
    out: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = made("unet_bilinear", 32)
    checkpoints.save(Path("a.pt"), model.state, model.config)
    before = Path("a.pt").read_bytes()
    assert export.main([str(tmp_path / "a.pt"), "-o", out]) == 1
    said = capsys.readouterr().err
    assert word in said
    assert said.count("\n") == 1
    assert Path("a.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_model_without_a_name_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["", "-o", str(tmp_path / "m.onnx")]) == 2
    assert capsys.readouterr().err == "agent.export: '' is no name of a file\n"
