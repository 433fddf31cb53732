"""Seconds of one training step of each model of the sweeps, for `agent.lint` to foretell what a sweep costs.

`python -m bench.step_seconds` writes agent/lint/step_seconds.csv: it replaces the rows of the device that it runs on
and keeps those of others. On a CPU it takes one core and counts processor time, so that a busy machine does not show.
"""

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from agent import models, speed
from agent.lint.cost import TABLE, forward_macs
from agent.lint.models import known
from agent.loop import bce

BACKBONES = ("resnet18", "resnet34", "mobilenet_v2", "tu-tf_efficientnet_lite0")
MODELS = (
    ("unet_transposed", "none"),
    ("unet_bilinear", "none"),
    *((architecture, backbone) for architecture in ("unet", "deeplabv3plus") for backbone in BACKBONES),
)
WIDTH = 64
BATCH = 2
COLUMNS = (
    "device",
    "architecture",
    "backbone",
    "width",
    "image_size",
    "batch_size",
    "macs",
    "seconds",
    "deviation",
    "n",
)
HEAD = (
    "# python -m bench.step_seconds: macs of the forward pass of a training step; seconds: median of n steps in "
    "float32; deviation: standard, of one step\n"
)


def device_name(device: torch.device) -> str:
    """Without commas, as it is printed by agent.lint."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"one core of {_processor()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0].replace(",", "")


def measured(architecture: str, backbone: str, side: int, device: torch.device, n: int) -> dict[str, object]:
    """One row of the table."""
    taken = measure(architecture, backbone, side, device, n)
    macs = BATCH * forward_macs(known(architecture, backbone, WIDTH), side)
    seconds, deviation = f"{statistics.median(taken):.4f}", f"{statistics.stdev(taken):.4f}"
    values = (
        device_name(device),
        architecture,
        backbone,
        WIDTH,
        side,
        BATCH,
        round(macs),
        seconds,
        deviation,
        n,
    )
    return dict(zip(COLUMNS, values, strict=True))


def measure(architecture: str, backbone: str, side: int, device: torch.device, n: int) -> list[float]:
    """Seconds of each of n steps, after one that does not count."""
    model = speed.prepare(models.build(architecture, backbone, "none", WIDTH), device)
    optimizer = speed.adam(model, learning_rate=1e-3)
    images = torch.randn(BATCH, 3, side, side, device=device)
    masks = torch.randint(0, 2, (BATCH, side, side), device=device)
    clock: Callable[[], float] = time.perf_counter if device.type == "cuda" else time.process_time
    taken = []
    for _ in range(n + 1):
        started = clock()
        step(model, optimizer, images, masks)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(clock() - started)
    return taken[1:]


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, masks: torch.Tensor
) -> None:
    optimizer.zero_grad(set_to_none=True)
    bce(model(images), masks).backward()
    optimizer.step()


def write(rows: Sequence[dict[str, object]], device: str, table: Path) -> None:
    """The rows of `device` anew, those of other devices as they were."""
    kept: list[dict[str, object]] = []
    if table.exists():
        with table.open(newline="") as file:
            kept = [
                dict(row)
                for row in csv.DictReader(x for x in file if not x.startswith("#"))
                if row["device"] != device
            ]
    with table.open("w", newline="") as file:
        file.write(HEAD)
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.step_seconds", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="sides of the images, pixels (128 192; on a GPU 256 512)"
    )
    parser.add_argument("--steps", type=int, default=5, help="steps that count")
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for architecture, backbone in MODELS:
        for side in arguments.sizes or ([256, 512] if device.type == "cuda" else [128, 192]):
            rows.append(measured(architecture, backbone, side, device, arguments.steps))
            print(*rows[-1].values(), flush=True)
    write(rows, device_name(device), arguments.table)


if __name__ == "__main__":
    main()
