"""How close a run comes to what its processor can do; three questions, each a command.

    python -m bench.throughput feed        images/s of training, over the same loop on one fixed batch in memory
    python -m bench.throughput precision   images/s in bfloat16 over float32
    python -m bench.throughput accuracy    what bfloat16 does to the test IoU, beside what the seed does

On a CPU, times are CPU seconds of the process with one thread, which other work on the machine changes little; on a
GPU they are seconds of a clock. What is compared alternates, and the median ratio counts.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from agent import batchnorm, models, speed
from agent.config import Config, parse
from agent.feed import cores, feed, workers_for
from agent.loop import Precision, evaluate, n_steps, train_epoch
from data import puzzle, synthetic
from data.augment import Augmenter
from data.puzzle import Dataset

STUDY = Path(__file__).parents[1] / "sweeps" / "cpu.yaml"
Batch = tuple[Tensor, Tensor]


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
        device = speed.best_device()
        torch.manual_seed(config.seed)
        model = models.build(config.architecture, config.backbone, config.weights, config.width)
        model = speed.prepare(model, device)
        return cls(config, dataset, device, model, speed.adam(model, config.learning_rate))

    @property
    def steps(self) -> int:
        return n_steps(len(self.dataset.train), self.config.batch_size)

    def batches(self, epochs: int) -> Iterator[Batch]:
        """All batches of so many epochs, as `agent.train` gets them."""
        augment = Augmenter(self.config.augmentation, self.config.image_size, self.config.seed)
        size, seed, epochs_ = self.config.batch_size, self.config.seed, range(1, epochs + 1)
        workers = workers_for(self.device, cores())
        return feed(self.dataset.train, augment, size, seed, epochs_, self.device, workers)

    def train(self, batches: Iterable[Batch], precision: Precision | None = None) -> None:
        chosen = precision or speed.precision_of(self.config.precision, self.model)
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
    """Images/s of an epoch with its data path over those of an epoch on batches that lie ready, one per repetition."""
    stream = trial.batches(repeats + 1)
    ready = list(islice(stream, trial.steps))
    trial.train(ready)
    ratios = []
    for _ in range(repeats):
        fixed = trial.seconds(lambda: trial.train(ready))
        ratios.append(fixed / trial.seconds(lambda: trial.train(islice(stream, trial.steps))))
    return ratios


def faster(trial: Trial, repeats: int) -> list[float]:
    """Images/s in bfloat16 over float32, one per repetition."""
    ready = list(islice(trial.batches(1), trial.steps))
    precisions: tuple[Precision, Precision] = ("float32", "bfloat16")
    for each in precisions:
        trial.train(ready, each)
    ratios = []
    for _ in range(repeats):
        single, half = (trial.seconds(partial(trial.train, ready, each)) for each in precisions)
        ratios.append(single / half)
    return ratios


def test_iou(config: Config) -> float:
    """Of the last epoch's weights: no checkpoint is chosen."""
    trial = Trial.of(config)
    stream = trial.batches(config.epochs)
    for _ in range(config.epochs):
        trial.train(islice(stream, trial.steps))
    statistics_of = batchnorm.recomputed(trial.model, batchnorm.in_order(trial.model, trial.dataset.train, 2))
    with batchnorm.using(trial.model, statistics_of):
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
    "feed": "| model | images/s over those of ready batches, median | range | epochs |",
    "precision": "| model | images/s in bfloat16 over float32, median | range | epochs |",
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
    parser.add_argument("--repeats", type=int, default=5, help="epochs that are measured")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30, help="of training, for accuracy")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    configs = [
        replace(each, batch_size=options.batch_size)
        for each in studied(options.image_size, options.augmentation, options.models)
    ]
    rows: dict[str, Callable[[], Iterator[str]]] = {
        "feed": partial(ratios, configs, fed, options.repeats),
        "precision": partial(ratios, configs, faster, options.repeats),
        "accuracy": partial(accuracies, configs, options.seeds, options.epochs),
    }
    print(
        f"{speed.device_name(speed.best_device())}, {options.image_size} pixels, batch {options.batch_size}, "
        f"augmentation {options.augmentation}\n\n{HEADS[options.question]}",
        flush=True,
    )
    print("|" + "---|" * (HEADS[options.question].count("|") - 1), flush=True)
    for row in rows[options.question]():
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
