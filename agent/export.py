"""A trained model as ONNX: `python -m agent.export MODEL -o model.onnx`.

MODEL is named as for agent.predict. The file takes `images`, RGB (B, 3, S, S) float32 from 0 to 1, any B, with S the
`image_size` of the configuration, and gives `probability` of foreground (B, S, S); ImageNet's normalisation is inside.
It is written only after onnxruntime has given the same probabilities as torch.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from agent.inference import load
from agent.inference.load import ModelError, Predictor, TrainedModel
from common.cli import Parser, exit_code, number
from common.files import beside
from common.keys import RULES
from data import pixels, synthetic

PROBABILITY_TOLERANCE = 1e-3
"""Largest allowed difference of a probability; docs/predict.md has the measured ones."""

OPSET = 17
BATCHES = (1, 3)
"""Sizes that the parity check tries; the export itself sees a batch of 2."""


class ParityError(ValueError):
    """onnxruntime gives other probabilities than torch."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: written; 1: probabilities differ, or no file; 2: there is no model; 130: after Ctrl-C."""
    parser = Parser(prog="python -m agent.export", description="A trained model as ONNX.")
    parser.add_argument("model", help="ENTITY/PROJECT/model-RUN_ID:best, or a checkpoint file")
    parser.add_argument("-o", "--out", type=Path, default=Path("model.onnx"), help="(default: model.onnx)")
    parser.add_argument("--rule", choices=RULES, help="rule that chose the weights in an Artifact")
    parser.add_argument(
        "--tolerance",
        type=number(above=0),
        default=PROBABILITY_TOLERANCE,
        help=f"largest difference let pass (default: {PROBABILITY_TOLERANCE:g})",
    )
    options = parser.parse_args(arguments)
    refusals = {ModelError: 2, ParityError: 1, OSError: 1}
    return exit_code("agent.export", lambda: _run(options), refusals, f"interrupted; {options.out} is not written")


def _run(options: argparse.Namespace) -> int:
    model = load.find(options.model, options.rule)
    try:
        if options.out.is_dir():
            raise OSError("it is a folder")
        if options.out.exists() and Path(options.model).exists() and options.out.samefile(options.model):
            raise OSError("it is the model itself")
        difference = export(model, options.out, options.tolerance)
    except ParityError as error:
        raise ParityError(f"{error}; {options.out} is not written") from None
    except OSError as error:
        raise OSError(f"{options.out} cannot be written: {error.strerror or error}") from None
    print(
        f"{options.out}: {model.config.model} at {model.config.image_size} pixels; probabilities of onnxruntime and "
        f"torch differ by at most {difference:.1e} (n = {sum(BATCHES)} drawn photographs; {options.tolerance:g} passes)"
    )
    return 0


def export(model: TrainedModel, path: Path, tolerance: float = PROBABILITY_TOLERANCE) -> float:
    """Write `path` in one step; returns the largest absolute difference of a probability.

    Raises:
        ParityError: it is above `tolerance`, or not a number; nothing is written.
        ModelError: the weights do not fit.
        OSError: the file cannot be written.
    """
    predictor = load.build(model, torch.device("cpu"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as unfinished:
        try:
            to_onnx(predictor, model, unfinished)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise ModelError(f"{model.config.model} cannot be written as ONNX: {reason}") from None
        difference = parity(predictor, unfinished, model.config.image_size)
        if not difference <= tolerance:
            raise ParityError(
                f"a probability differs by {difference:.1e} between onnxruntime and torch, {tolerance:g} is let pass"
            )
    return difference


def to_onnx(predictor: Predictor, model: TrainedModel, path: Path) -> None:
    """Trace the model and write it with its configuration; nothing is compared yet."""
    side = model.config.image_size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            predictor,
            (torch.rand(2, 3, side, side),),
            str(path),
            input_names=["images"],
            output_names=["probability"],
            dynamic_axes={"images": {0: "batch"}, "probability": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    about = {"model": model.config.model, "source": model.source, "config": json.dumps(asdict(model.config))}
    if model.pixel_range:
        about["pixel_range"] = json.dumps(model.pixel_range)
    onnx.helper.set_model_props(proto, about)
    onnx.save(proto, path)


@torch.inference_mode()
def parity(predictor: Predictor, path: Path, side: int) -> float:
    """Largest absolute difference of a probability, torch against onnxruntime on the CPU, over drawn photographs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    largest = []
    for n in BATCHES:
        images = sample_images(n, side)
        (probability,) = session.run(["probability"], {"images": images})
        largest.append(np.abs(probability - predictor(torch.from_numpy(images)).numpy()).max())
    return float(np.max(largest))


def sample_images(n: int, side: int) -> np.ndarray:
    """n drawn photographs as the model takes them: (n, 3, side, side) float32 from 0 to 1."""
    photographs = [synthetic.draw(np.random.default_rng((n, i)), 192, 256)[0] for i in range(n)]
    squares = np.stack([pixels.to_square(photograph, side) for photograph in photographs])
    return (squares.transpose(0, 3, 1, 2) / 255).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
