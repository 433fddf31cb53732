"""Does every architecture of the study give the same probabilities as ONNX?

`python -m bench.onnx_parity` exports each model of sweeps/cpu.yaml untrained, `python -m bench.onnx_parity MODEL…`
those trained ones (as agent.predict names them). It prints the largest absolute difference of a probability between
onnxruntime and torch over 4 drawn photographs in batches of 1 and 3, beside the range of the probabilities
themselves, for a difference between saturated values would prove nothing. Exit code 1 when one is above the
tolerance of agent.export.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import torch
import yaml
from tabulate import tabulate
from torch import nn

from agent import export
from agent.config import parse
from agent.inference import load
from agent.inference.load import Saved
from agent.training import models

SWEEP = Path("sweeps/cpu.yaml")
HEADERS = ("model", "pixels", "difference", "probabilities", "MB")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.onnx_parity", description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="an Artifact or a checkpoint file")
    given = parser.parse_args().models
    names = given or yaml.safe_load(SWEEP.read_text())["parameters"]["model"]["values"]
    rows = []
    for name in names:
        rows.append(measure(load.find(name) if given else untrained(name)))
        print(f"{name}: {rows[-1][2]:.1e}", file=sys.stderr, flush=True)
    print(tabulate(rows, HEADERS, floatfmt=("", "", ".1e", "", ".1f")))
    return int(any(not row[2] <= export.TOLERANCE for row in rows))


def measure(model: Saved) -> tuple[str, int, float, str, float]:
    """Name, side in pixels, largest difference, range of the probabilities, size of the file in MB."""
    side = model.config.image_size
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        difference = export.export(model, path, tolerance=float("inf"))
        megabytes = path.stat().st_size / 1e6
    with torch.inference_mode():
        p = load.build(model, torch.device("cpu"))(torch.from_numpy(export.drawn(3, side)))
    return model.config.model, side, difference, f"{p.min():.3f} to {p.max():.3f}", megabytes


def untrained(name: str) -> Saved:
    """Random weights (ImageNet's where the name says so) with BatchNorm statistics of 4 drawn photographs."""
    config = parse([f"--model={name}", "--image_size=128", "--width=16"])
    torch.manual_seed(1)
    model = models.build(config.architecture, config.backbone, config.weights, config.width)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.from_numpy(export.drawn(4, config.image_size)))
    return Saved(model.state_dict(), config, name)


if __name__ == "__main__":
    sys.exit(main())
