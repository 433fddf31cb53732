"""Train, test and record one configuration as one W&B run. This is what `wandb agent` starts.

By hand: `python -m agent.train --model=unet/resnet18 --learning_rate=1e-3`; WANDB_MODE=offline needs no server.
What the run writes is listed in docs/runs.md.
"""

import dataclasses
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import wandb
from torch import nn

from agent import checkpoint, models, predictions, report
from agent.checkpoint import Keeper, Rule
from agent.config import Config, ConfigError, parse
from agent.loop import Evaluation, evaluate, train_epoch
from agent.models.smp import CombinationError
from agent.models.weights import WeightsError
from data import puzzle, synthetic
from data.augment import Augmenter
from data.puzzle import DataError, Dataset

PROJECT = "puzzle"
REFUSALS = (ConfigError, DataError, CombinationError, WeightsError)
"""What a person can mend: told in one sentence, without a traceback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when the run is finished, 1 when it was refused, 2 when a setting is wrong."""
    try:
        config = parse(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        print(f"agent.train: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=f"{config.model}, seed {config.seed}",
        job_type="train",
        config=dataclasses.asdict(config),
    ) as run:
        try:
            result = train(config, run)
        except REFUSALS as error:
            print(f"agent.train: {error}", file=sys.stderr)
            run.summary["error"] = str(error)
            run.finish(exit_code=1)
            return 1
    print(result, flush=True)
    return 0


def train(config: Config, run: wandb.Run) -> str:
    """The whole run: data, model, epochs, test, Artifacts. Returns its result in one line."""
    started = time.monotonic()
    dataset = puzzle.load(synthetic.resolve(config.data), config.split_seed, config.image_size)
    device = best_device()
    torch.manual_seed(config.seed)
    model = models.build(config.architecture, config.backbone, config.weights, config.width).to(device)
    known = report.facts(dataset, model)
    run.config.update(known)
    print(report.start_line(run.name, known, config, device), flush=True)

    keeper = Keeper(Path(run.dir).parent / "checkpoints", config)
    fitting = time.monotonic()
    fit(config, run, dataset, model, keeper)
    run.summary["seconds/train"] = time.monotonic() - fitting

    tested = test(config, model, dataset, keeper)
    rule = checkpoint.lab_rule(config.architecture)
    run.summary.update(report.test_summary(tested, rule))
    run.log({"test/predictions": predictions.media(dataset.test, tested[rule])})

    about = {"config": dataclasses.asdict(config), "data_digest": dataset.digest, "rule": rule}
    folder = Path(run.dir).parent / "predictions"
    predictions.write(folder, dataset.test, tested)
    predictions.upload(run, folder, about)
    checkpoint.upload(run, keeper, about | report.model_metadata(keeper, tested))
    if not run.offline:
        shutil.rmtree(folder)
        shutil.rmtree(keeper.folder)
    run.summary["seconds/total"] = time.monotonic() - started
    return f"test IoU {tested[rule].pooled.iou:.6f} ({rule} checkpoint, epoch {keeper.kept[rule].epoch})"


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(config: Config, run: wandb.Run, dataset: Dataset, model: nn.Module, keeper: Keeper) -> None:
    """Train for `epochs` epochs; after each, validate, log one history row and keep the best weights."""
    report.define_metrics(run)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    augment = Augmenter(config.augmentation, config.image_size, config.seed)
    for epoch in range(1, config.epochs + 1):
        started = time.monotonic()
        train_loss, train_counts = train_epoch(
            model, optimizer, dataset.train, augment, epoch, config.batch_size, config.seed
        )
        val = evaluate(model, dataset.val, config.batch_size)
        keeper.consider(model, epoch, val.loss, val.pooled.iou)
        row = report.history_row(epoch, train_loss, train_counts, val, time.monotonic() - started)
        run.log(row)
        run.summary.update(report.best_so_far(keeper))
        print(report.epoch_line(row, config.epochs), flush=True)


def test(config: Config, model: nn.Module, dataset: Dataset, keeper: Keeper) -> dict[Rule, Evaluation]:
    """Each kept checkpoint on the test images, once; the only place that looks at them."""
    by_file: dict[Path, Evaluation] = {}
    for kept in keeper.kept.values():
        if kept.path not in by_file:
            state, _ = checkpoint.load(kept.path)
            model.load_state_dict(state)
            by_file[kept.path] = evaluate(model, dataset.test, config.batch_size)
    return {rule: by_file[kept.path] for rule, kept in keeper.kept.items()}


if __name__ == "__main__":
    sys.exit(main())
