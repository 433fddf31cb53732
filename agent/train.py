"""Train, test and record one configuration as one W&B run. This is what `wandb agent` starts.

By hand: `python -m agent.train --model=unet/resnet18 --learning_rate=1e-3`; WANDB_MODE=offline needs no server.
`--resume RUN_ID` goes on with a run that was cut off; so does an agent that is handed it again. What the run writes is
listed in docs/runs.md.
"""

import dataclasses
import functools
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
import wandb
from torch import Tensor, nn

from agent import (
    batchnorm,
    budget,
    checkpoint,
    failures,
    feed,
    models,
    predictions,
    report,
    resume,
    speed,
    state,
)
from agent.budget import BudgetError
from agent.checkpoint import Keeper, Rule
from agent.config import Config, ConfigError
from agent.failures import Failed
from agent.loop import Evaluation, evaluate, n_steps, to_tensors, train_epoch
from agent.models.smp import CombinationError
from agent.models.weights import WeightsError
from agent.resume import STOP, Interrupted, Interruption, Plan
from agent.state import Progress, State
from data import puzzle, synthetic
from data.augment import Augmenter
from data.puzzle import DataError, Dataset

PROJECT = "puzzle"
REFUSALS = (BudgetError, ConfigError, DataError, CombinationError, WeightsError, Failed)
"""What a person can mend: told in one sentence, without a traceback."""

INTERRUPTED = {"SIGINT": 130, "SIGTERM": 143}
"""Exit codes of a run that can be resumed, as a shell gives them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when the run is finished or its server ended it, 1 when it was refused, 2 when a setting is wrong,
    130 or 143 when a signal interrupted it."""
    try:
        plan = resume.plan(sys.argv[1:] if arguments is None else arguments, PROJECT)
    except ConfigError as error:
        print(f"agent.train: {error}", file=sys.stderr)
        return 2
    with resume.tidied(plan), resume.listening() as interruption:
        with opened(plan, interruption) as run:
            try:
                print(result(plan, run, interruption), flush=True)
            except Interrupted as reason:
                return end_early(plan, run, str(reason))
            except REFUSALS as error:
                print(f"agent.train: {error}", file=sys.stderr)
                run.summary["error"] = str(error)
                run.finish(exit_code=1)
                return 1
            except Exception as error:
                run.summary["error"] = f"{type(error).__name__}: {error}"
                raise
        resume.settle(plan, run)
    return 0


def result(plan: Plan, run: wandb.Run, interruption: Interruption) -> str:
    """What the run found, in one line; it is only trained if it is not finished yet."""
    if resume.is_finished(run):
        return f"run {run.id} is finished: test IoU {run.summary['test/iou']:.6f}"
    return train(plan, run, interruption)


def opened(plan: Plan, interruption: Interruption) -> wandb.Run:
    """The run on the server, made or found again by its id."""
    return wandb.init(
        entity=plan.entity,
        project=plan.project,
        id=plan.run_id,
        resume=None if resume.is_offline() else "allow",
        name=f"{plan.config.model}, seed {plan.config.seed}"
        + f", fold {plan.config.fold}" * (plan.config.fold > 0),
        job_type="train",
        config=dataclasses.asdict(plan.config),
        settings=wandb.Settings(stop_fn=lambda: interruption.ask(STOP)),
    )


def end_early(plan: Plan, run: wandb.Run, reason: str) -> int:
    """After a signal, leave what it takes to go on and have the run handed out again; after a stop, leave nothing."""
    if reason == STOP:
        print("agent.train: ended because the server asked for it", flush=True)
        run.finish(exit_code=1)
        resume.settle(plan, run)
        return 0
    resume.hand_over(run, plan)
    print(f"agent.train: {reason}; go on with python -m agent.train --resume {run.id}", flush=True)
    run.finish(exit_code=INTERRUPTED[reason])
    return INTERRUPTED[reason]


def train(plan: Plan, run: wandb.Run, interruption: Interruption) -> str:
    """The whole run: data, model, epochs, test, Artifacts. Returns its result in one line."""
    started = time.monotonic()
    config = plan.config
    dataset = puzzle.load(synthetic.resolve(config.data), config.split_seed, config.image_size, config.fold)
    failures.check_batches(config, len(dataset.train))
    device = speed.best_device()
    speed.make_deterministic(config.deterministic)
    torch.manual_seed(config.seed)
    model = models.build(config.architecture, config.backbone, config.weights, config.width)
    model = speed.prepare(model, device)
    known = report.facts(dataset, model, config, device)
    run.config.update(known, allow_val_change=True)
    print(report.start_line(run.name, known, config, device), flush=True)

    budget.reserve(plan.folder, budget.disk_of_run(config, len(dataset.test)))
    keeper = Keeper(plan.folder)
    found = resume.find_state(run, plan, dataset.digest)
    earlier = found.progress.seconds if found else 0.0
    with failures.told(config, model, len(dataset.train), plan.folder):
        progress = fit(plan, run, dataset, model, keeper, found, interruption)
        run.summary["seconds/train"] = progress.seconds
        tested = test(config, model, dataset, keeper)

    rule = checkpoint.lab_rule(config.architecture)
    run.summary.update(report.test_summary(tested, rule, keeper.kept[rule]))
    if repair := report.repair_line(rule, keeper.kept[rule], len(dataset.train)):
        print(repair, flush=True)
    run.summary["seconds/per_image"] = speed.seconds_per_image(model, first_image(dataset, device))
    if run.starting_step <= config.epochs:
        run.log(
            {"test/predictions": predictions.media(dataset.test, tested[rule])},
            step=config.epochs,
            commit=True,
        )

    about = {"config": dataclasses.asdict(config), "data_digest": dataset.digest, "rule": rule}
    predictions.write(plan.folder / "predictions", dataset.test, tested)
    logged = [
        checkpoint.log(run, keeper, about | report.model_metadata(keeper, tested)),
        predictions.log(run, plan.folder / "predictions", about),
    ]
    if not run.offline:
        for artifact in logged:
            artifact.wait()
    run.summary["seconds/total"] = earlier + time.monotonic() - started
    return f"test IoU {tested[rule].pooled.iou:.6f} ({rule} checkpoint, epoch {keeper.kept[rule].epoch})"


def fit(
    plan: Plan,
    run: wandb.Run,
    dataset: Dataset,
    model: nn.Module,
    keeper: Keeper,
    found: State | None,
    interruption: Interruption,
) -> Progress:
    """Train the epochs that are left; after each, validate, keep the best weights, save the state, log one row."""
    config, device = plan.config, next(model.parameters()).device
    report.define_metrics(run)
    optimizer = speed.adam(model, config.learning_rate)
    progress = Progress()
    if found:
        state.restore(found.tensors, model, optimizer)
        progress, keeper.kept = found.progress, found.kept
        print(f"going on after epoch {progress.epoch}", flush=True)
        resume.log_missing(run, progress.rows)
    batches = feed.feed(
        dataset.train,
        Augmenter(config.augmentation, config.image_size, config.seed),
        config.batch_size,
        config.seed,
        range(progress.epoch + 1, config.epochs + 1),
        device,
        feed.workers_for(device, feed.cores()),
    )
    steps = n_steps(len(dataset.train), config.batch_size)
    with state.Writer() as writer:
        for epoch in range(progress.epoch + 1, config.epochs + 1):
            started = time.monotonic()
            loss, counts = train_epoch(
                model,
                optimizer,
                islice(batches, steps),
                speed.precision_of(config.precision, device),
                interruption.check,
            )
            val = batchnorm.judge(
                model,
                dataset.train,
                dataset.val,
                config.batch_size,
                [row.get("val/bn_gap") for row in progress.rows],
                lambda running: bool(keeper.winning(running.loss, running.pooled.iou)),
            )
            scores = val.evaluation.loss, val.evaluation.pooled.iou
            failures.check_finite(config, epoch, loss, scores[0])
            best = keeper.consider(epoch, *scores, val.gap, val.repaired)
            seconds = time.monotonic() - started
            progress.epoch, progress.seconds = epoch, progress.seconds + seconds
            row = report.history_row(epoch, loss, counts, val, seconds)
            progress.rows.append(row)
            if best or epoch == config.epochs or not writer.busy:
                now = capture(plan, run, dataset, progress, keeper, model, optimizer)
                weights = now.tensors["model"] | state.copied(val.statistics)
                writer.submit(functools.partial(state.dump, now, plan.folder, best, weights))
            resume.log_missing(run, [row])
            run.summary.update(report.best_so_far(keeper))
            print(report.epoch_line(row, config.epochs), flush=True)
    return progress


def capture(
    plan: Plan,
    run: wandb.Run,
    dataset: Dataset,
    progress: Progress,
    keeper: Keeper,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> State:
    """This moment of the run; everything in it is a copy, so that it can be saved while training goes on."""
    return State(
        run=f"{run.entity}/{run.project}/{run.id}",
        config=plan.config,
        data_digest=dataset.digest,
        progress=dataclasses.replace(progress, rows=list(progress.rows)),
        kept=dict(keeper.kept),
        tensors=state.capture(model, optimizer),
    )


def first_image(dataset: Dataset, device: torch.device) -> Tensor:
    """One test image, (1, 3, H, W)."""
    pair = dataset.test[0]
    return to_tensors([pair.image], [pair.mask], device)[0]


def test(config: Config, model: nn.Module, dataset: Dataset, keeper: Keeper) -> dict[Rule, Evaluation]:
    """Each kept checkpoint on the test images, once; the only place that looks at them."""
    by_file: dict[Path, Evaluation] = {}
    for kept in keeper.kept.values():
        if kept.path not in by_file:
            weights, _ = checkpoint.load(kept.path)
            model.load_state_dict(weights)
            by_file[kept.path] = evaluate(model, dataset.test, config.batch_size)
    return {rule: by_file[kept.path] for rule, kept in keeper.kept.items()}


if __name__ == "__main__":
    sys.exit(main())
