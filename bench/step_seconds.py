"""Seconds of one training step of each model of the sweeps, for the price of a sweep in `agent.lint`.

`python -m bench.step_seconds` writes agent/lint/step_seconds.csv: it replaces the rows of the device that it runs on
and keeps those of others. On a CPU it takes one core and counts processor time, so that a busy machine does not show;
on a GPU, which it wants for itself, it takes the time until the GPU is idle again, copies from pinned memory included.
"""

import argparse
import csv
import dataclasses
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from agent.config import SCRATCH_ARCHITECTURES, SMP_ARCHITECTURES, Config
from agent.lint.model_facts import look_up
from agent.lint.price import STEP_TIMES
from agent.training import models, performance, step_times
from agent.training.loop import Precision, train_epoch
from agent.training.step_times import COLUMNS, GPU, ONE_CORE, WITHOUT_BFLOAT16, Step
from common.files import beside

BACKBONES = ("resnet18", "resnet34", "mobilenet_v2", "tu-tf_efficientnet_lite0")
Model = tuple[str, str, int]
MODELS: tuple[Model, ...] = (
    *((architecture, "none", width) for architecture in SCRATCH_ARCHITECTURES for width in (64, 16)),
    *((architecture, backbone, Config.width) for architecture in SMP_ARCHITECTURES for backbone in BACKBONES),
)
"""Architecture, backbone and width of each model."""

HEAD = (
    "# python -m bench.step_seconds: macs of the forward pass of a training step; seconds: median of n measurements; "
    "deviation: their standard deviation\n"
)


@dataclass(frozen=True)
class Meter:
    """The measurement of steps on one device.

    `finish` returns when the device is idle. A measurement is the mean of `steps` steps, which follow on each other as
    in training; as many go before the first measurement. `points` are side (pixels) and images of a step: two amounts
    of work for each model.
    """

    name: str
    device: torch.device
    points: tuple[tuple[int, int], ...]
    precisions: tuple[Precision, ...]
    steps: int = 1
    clock: Callable[[], float] = time.process_time
    finish: Callable[[], object] = lambda: None


def meter(device: torch.device) -> Meter:
    """A meter of one core's processor time, or a GPU's time by the clock; in bfloat16 too if the processor has it."""
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    if not performance.has_bfloat16(device):
        precisions = ("float32",)
    if device.type == "cpu":
        lack = "" if "bfloat16" in precisions else WITHOUT_BFLOAT16
        return Meter(f"{ONE_CORE}{_processor()}{lack}", device, ((128, 2), (192, 2)), precisions)
    return Meter(
        performance.device_name(device).removeprefix(GPU),
        device,
        ((256, 2), (512, 4)),
        precisions,
        steps=20,
        clock=time.perf_counter,
        finish=torch.cuda.synchronize,
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def rows(chosen: Sequence[Model], by: Meter, n: int) -> Iterator[Step]:
    """A row for each model, point and precision; steps beyond the device's memory are reported and left out."""
    for model in chosen:
        for side, images in by.points:
            for precision in by.precisions:
                macs = round(images * look_up(*model).macs_at(side))
                settings = (by.name, *model, side, images, precision, macs)
                try:
                    times = measure(model, side, images, precision, by, n)
                except torch.OutOfMemoryError:
                    print(f"left out, for it does not fit: {' '.join(map(str, settings))}", file=sys.stderr)
                else:
                    yield step_times.summarize(settings, times)


def measure(model: Model, side: int, images: int, precision: Precision, by: Meter, n: int) -> list[float]:
    """Seconds per step, measured n times, as `agent.train` takes its steps."""
    architecture, backbone, width = model
    network = performance.to_device(models.build(architecture, backbone, width=width), by.device)
    optimizer = performance.adam(network, learning_rate=1e-3)
    batches = [_batch(side, images, by.device)] * by.steps
    times = []
    for _ in range(n + 1):
        by.finish()
        started = by.clock()
        train_epoch(network, optimizer, batches, precision)
        by.finish()
        times.append((by.clock() - started) / by.steps)
    return times[1:]


def _batch(side: int, images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images (B, H, W, 3) and masks (B, H, W), uint8, as `agent.training.loader` gives them."""
    pixels = torch.randint(0, 256, (images, side, side, 3), dtype=torch.uint8)
    masks = torch.randint(0, 2, (images, side, side), dtype=torch.uint8)
    return (pixels.pin_memory(), masks.pin_memory()) if device.type == "cuda" else (pixels, masks)


def write(steps: Sequence[Step], table: Path) -> None:
    """Write the rows of their devices anew, and keep those of other devices."""
    devices = {step.device for step in steps}
    kept = [step for step in step_times.read(table) if step.device not in devices]
    with beside(table) as unfinished, unfinished.open("w", newline="") as file:
        file.write(HEAD)
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(step) for step in [*kept, *steps])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.step_seconds", description=__doc__.splitlines()[0])
    parser.add_argument("--measurements", type=int, default=5, help="of each step, after one that does not count")
    parser.add_argument("--table", type=Path, default=STEP_TIMES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    measured = []
    for step in rows(MODELS, meter(performance.best_device()), arguments.measurements):
        measured.append(step)
        print(*dataclasses.astuple(step), flush=True)
    write(measured, arguments.table)


if __name__ == "__main__":
    main()
