"""How close a run comes to what its processor can do; four questions, each a command.

    python -m bench.throughput feed        images/s of training, over the same loop on one fixed batch in memory
    python -m bench.throughput augment     images/s that one process augments, by strength
    python -m bench.throughput precision   images/s in bfloat16 over float32
    python -m bench.throughput accuracy    what bfloat16 does to the test IoU, beside what the seed does

On a CPU, times are CPU seconds of the process with one thread, which other work on the machine changes little; on a
GPU they are seconds of a clock, over 50 visits to the images instead of one. What is compared alternates, and the
median ratio counts.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from agent.config import PRECISIONS, Config, parse
from agent.training import batchnorm, models, performance
from agent.training.loader import AHEAD, MOST_WORKERS, feed, workers_for
from agent.training.loop import Precision, evaluate, n_steps, train_epoch
from common import cores
from common.keys import STRENGTHS
from data import puzzle, synthetic
from data.augment import Augmenter
from data.puzzle import Dataset

STUDY = Path(__file__).parents[1] / "sweeps" / "cpu.yaml"
Batch = tuple[Tensor, Tensor]

VISITS = {"cpu": 1, "cuda": 50}
"""To the images in one measurement: a GPU is done with one visit in milliseconds."""


@dataclass
class Trial:
    """A model about to be trained."""

    config: Config
    dataset: Dataset
    device: torch.device
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, config: Config) -> "Trial":
        dataset = puzzle.load(synthetic.resolve(config.data), config.split_seed, config.image_size)
        device = performance.best_device()
        torch.manual_seed(config.seed)
        model = models.build(config.architecture, config.backbone, config.weights, config.width)
        model = performance.prepare(model, device)
        return cls(config, dataset, device, model, performance.adam(model, config.learning_rate))

    @property
    def steps(self) -> int:
        return n_steps(len(self.dataset.train), self.config.batch_size)

    @property
    def measured(self) -> int:
        """Steps in one measurement."""
        return VISITS[self.device.type] * self.steps

    def batches(self, epochs: int) -> Iterator[Batch]:
        """All batches of so many epochs, as `agent.train` gets them."""
        augment = Augmenter(self.config.augmentation, self.config.image_size, self.config.seed)
        size, seed, epochs_ = self.config.batch_size, self.config.seed, range(1, epochs + 1)
        workers = workers_for(self.device, cores.threads(os.environ))
        return feed(self.dataset.train, augment, size, seed, epochs_, self.device, workers)

    def train(self, batches: Iterable[Batch], precision: Precision | None = None) -> None:
        chosen = precision or performance.precision_of(self.config.precision, self.model)
        train_epoch(self.model, self.optimizer, batches, chosen)

    def seconds(self, work: Callable[[], object]) -> float:
        """CPU seconds of this process, or on a GPU seconds until it is idle again."""
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        started = clock()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return clock() - started


def fed(trial: Trial, repeats: int) -> list[float]:
    """Images/s with the data path over those on batches that lie ready, one per repetition.

    What workers had ready when a measurement began would flatter them: so many batches go first and do not count.
    """
    waiting = MOST_WORKERS * AHEAD if trial.device.type == "cuda" else 0
    stream = trial.batches(1 + -(-repeats * (waiting + trial.measured) // trial.steps))
    ready = list(islice(stream, trial.steps))
    trial.train(ready)
    ratios = []
    for _ in range(repeats):
        fixed = trial.seconds(partial(again, trial, ready))
        if waiting:
            trial.train(islice(stream, waiting))
        ratios.append(fixed / trial.seconds(lambda: trial.train(islice(stream, trial.measured))))
    return ratios


def faster(trial: Trial, repeats: int) -> list[float]:
    """Images/s in bfloat16 over float32, one per repetition."""
    ready = list(islice(trial.batches(1), trial.steps))
    precisions: tuple[Precision, Precision] = ("float32", "bfloat16")
    for each in precisions:
        trial.train(ready, each)
    ratios = []
    for _ in range(repeats):
        single, half = (trial.seconds(partial(again, trial, ready, each)) for each in precisions)
        ratios.append(single / half)
    return ratios


def again(trial: Trial, ready: Sequence[Batch], precision: Precision | None = None) -> None:
    """Train for one measurement on batches that lie ready."""
    trial.train(islice(cycle(ready), trial.measured), precision)


def augmented(image_size: int, batch_size: int, repeats: int) -> Iterator[str]:
    """What one process that augments can deliver; the photographs are drawn ones."""
    pairs = puzzle.load(synthetic.resolve("drawn"), image_size=image_size).train
    for strength in STRENGTHS:
        stream = feed(pairs, Augmenter(strength, image_size, 1), batch_size, 1, range(1, repeats + 2))
        rates = []
        for _ in range(repeats + 1):
            started = time.process_time()
            for _ in islice(stream, n_steps(len(pairs), batch_size)):
                pass
            rates.append(len(pairs) / (time.process_time() - started))
        low, middle, high = min(rates[1:]), statistics.median(rates[1:]), max(rates[1:])
        yield f"| {strength} | {middle:.0f} | {low:.0f} to {high:.0f} | {repeats} |"


def test_iou(config: Config) -> float:
    """Of the last epoch's weights: no checkpoint is chosen."""
    trial = Trial.of(config)
    stream = trial.batches(config.epochs)
    for _ in range(config.epochs):
        trial.train(islice(stream, trial.steps))
    statistics_of = batchnorm.recomputed_statistics(trial.model, trial.dataset.train)
    with batchnorm.with_statistics(trial.model, statistics_of):
        return evaluate(trial.model, trial.dataset.test, config.batch_size).pooled.iou


def studied(image_size: int, augmentation: str, names: Sequence[str]) -> list[Config]:
    """The models of the study at another size and augmentation."""
    parameters = yaml.safe_load(STUDY.read_text())["parameters"]
    flags = {name: each["value"] for name, each in parameters.items() if "value" in each}
    flags |= {"image_size": image_size, "augmentation": augmentation}
    chosen = names or parameters["model"]["values"]
    return [parse([f"--model={model}", *(f"--{k}={v}" for k, v in flags.items())]) for model in chosen]


def ratios(
    configs: Sequence[Config], measure: Callable[[Trial, int], list[float]], repeats: int
) -> Iterator[str]:
    for config in configs:
        found = measure(Trial.of(config), repeats)
        low, middle, high = min(found), statistics.median(found), max(found)
        yield f"| {config.model} | {middle:.3f} | {low:.3f} to {high:.3f} | {repeats} |"


def accuracies(configs: Sequence[Config], seeds: int, epochs: int) -> Iterator[str]:
    precisions: tuple[Precision, Precision] = ("float32", "bfloat16")
    for config in configs:
        cells = []
        for precision in precisions:
            each = [
                test_iou(replace(config, precision=precision, seed=seed, epochs=epochs))
                for seed in range(1, seeds + 1)
            ]
            cells.append(f"{statistics.mean(each):.4f} ± {statistics.stdev(each):.4f}")
        yield f"| {config.model} | {' | '.join(cells)} | {seeds} |"


HEADS = {
    "feed": "| model | images/s over those of ready batches, median | range | measurements |",
    "augment": "| augmentation | images/s, median | range | visits to 10 images |",
    "precision": "| model | images/s in bfloat16 over float32, median | range | measurements |",
    "accuracy": "| model | test IoU float32, mean ± deviation | bfloat16 | seeds |",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("question", choices=HEADS)
    parser.add_argument("--models", nargs="*", default=[], help="default: the eight of the study")
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--augmentation", default="light")
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="for feed")
    parser.add_argument("--repeats", type=int, default=5, help="measurements")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30, help="of training, for accuracy")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    configs = [
        replace(each, batch_size=options.batch_size, precision=options.precision)
        for each in studied(options.image_size, options.augmentation, options.models)
    ]
    rows: dict[str, Callable[[], Iterator[str]]] = {
        "feed": partial(ratios, configs, fed, options.repeats),
        "augment": partial(augmented, options.image_size, options.batch_size, options.repeats),
        "precision": partial(ratios, configs, faster, options.repeats),
        "accuracy": partial(accuracies, configs, options.seeds, options.epochs),
    }
    print(
        f"{performance.device_name(performance.best_device())}, {options.image_size} pixels, "
        f"batch {options.batch_size}, "
        f"augmentation {options.augmentation}\n\n{HEADS[options.question]}",
        flush=True,
    )
    print("|" + "---|" * (HEADS[options.question].count("|") - 1), flush=True)
    for row in rows[options.question]():
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
