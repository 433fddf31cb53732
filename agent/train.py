"""Train, test and record one configuration as one W&B run; `wandb agent` starts this command.

By hand: `python -m agent.train --model=unet/resnet18 --learning_rate=1e-3`; WANDB_MODE=offline needs no server.
`--resume RUN_ID` goes on with a run that was cut off; so does an agent that is handed it again. docs/runs.md lists
every key and file of a run.
"""

import dataclasses
import functools
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import wandb
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from wandb.errors import Error as ClientError

from agent import events, reporting
from agent.config import Config, ConfigError
from agent.inference import predictions
from agent.lifecycle import checkpoints, failures, preflight, resume, state, state_artifact
from agent.lifecycle.checkpoints import BestCheckpoints
from agent.lifecycle.disk import DiskError
from agent.lifecycle.failures import RunFailure
from agent.lifecycle.folder import PREDICTIONS, clear, exclusive_folder
from agent.lifecycle.interruption import EXIT_CODES, STOP, Interrupted, Interruption, catch_signals, on_client_death
from agent.lifecycle.plan import RunPlan, make_plan
from agent.lifecycle.state import Progress, State
from agent.training import batchnorm, loader, performance, pretrained, schedule, step_times
from agent.training.batchnorm import Validation
from agent.training.loop import Evaluation, evaluate, to_tensors, train_epoch
from agent.training.material import Material, prepare
from agent.training.models.smp import CombinationError
from agent.training.models.weights import WeightsError
from common import cores, keys
from common.cli import escape_unprintable
from common.keys import Rule
from data.augment import Augmenter
from data.dataset import Dataset, describe_range
from data.problems import DataError

PROJECT = "puzzle"
REFUSALS = (DiskError, ConfigError, DataError, CombinationError, WeightsError, RunFailure)
"""Errors that a person can mend: one sentence, no traceback."""


@dataclass
class TrainingRun:
    """One run with its state while it trains."""

    plan: RunPlan
    run: wandb.Run
    material: Material
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    best: BestCheckpoints
    progress: Progress = field(default_factory=Progress)

    @property
    def dataset(self) -> Dataset:
        return self.material.dataset

    @property
    def model(self) -> nn.Module:
        return self.material.model


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: finished, or ended by its server; 1: refused; 2: a wrong setting; 130 or 143: after a signal."""
    escape_unprintable()
    try:
        plan = make_plan(sys.argv[1:] if arguments is None else arguments, PROJECT)
        with exclusive_folder(plan.folder), catch_signals() as interruption:
            try:
                plan, local = resume.complete_plan(plan)
                if not plan.offline:
                    preflight.check_same_config(plan, interruption.check)
                # A sweep hands out again a run that its server never heard of: there the run begins, and fails.
                material = None if plan.in_sweep else prepare(plan.config, plan.folder)
                interruption.check()
                opening = open_run(plan, interruption)
            except (Interrupted, ClientError, *REFUSALS) as error:
                return refuse(error)
            return record(plan, opening, local, material, interruption)
    except ConfigError as error:
        return refuse(error)
    except KeyboardInterrupt:
        print("agent.train: ended", file=sys.stderr)
        return EXIT_CODES["SIGINT"]


def refuse(error: Exception) -> int:
    """Print one sentence, the reason why no run begins and its remedy; the exit code."""
    if isinstance(error, Interrupted):
        print(f"agent.train: {error} before the run began", file=sys.stderr)
        return EXIT_CODES[str(error)]
    reason = str(error)
    if isinstance(error, ClientError):
        reason = (
            f"the server did not take the run: {' '.join(reason.split()).rstrip('.')}; correct WANDB_BASE_URL and "
            "WANDB_API_KEY (`make serve` prints both), or do without: WANDB_MODE=offline"
        )
    print(f"agent.train: {reason}", file=sys.stderr)
    events.emit("error", reason=reason)
    return 2 if isinstance(error, ConfigError) else 1


def record(
    plan: RunPlan, opening: wandb.Run, local: State | None, material: Material | None, interruption: Interruption
) -> int:
    """The run on the server from its beginning to its end; the exit code."""
    with opening as run, on_client_death(plan.folder, interruption):
        try:
            print(train_unless_finished(plan, run, local, material, interruption), flush=True)
        except Interrupted as reason:
            # End the processes that augment now: one ended by a signal later would raise anywhere in the run.
            traceback.clear_frames(reason.__traceback__)
            if code := end_early(plan, run, str(reason)):
                return code
        except REFUSALS as error:
            refuse(error)
            run.summary["error"] = str(error)
            run.finish(exit_code=1)
            return 1
        except Exception as error:
            run.summary["error"] = f"{type(error).__name__}: {error}"
            raise
    clean_up(plan.folder, run)
    return 0


def train_unless_finished(
    plan: RunPlan, run: wandb.Run, local: State | None, material: Material | None, interruption: Interruption
) -> str:
    """The result of the run in one line; it is only trained if it is not finished yet."""
    if is_finished(run):
        events.emit("result", **{keys.TEST_IOU: run.summary[keys.TEST_IOU]})
        return f"run {run.id} is finished: test IoU {run.summary[keys.TEST_IOU]:.6f}"
    clear_failure(run)
    material = material or prepare(plan.config, plan.folder)
    earlier = resume.find_state(run, plan, local, material.dataset.digest, material.model)
    return train(plan, run, material, earlier, interruption)


def is_finished(run: wandb.Run) -> bool:
    """Whether the run was completed before: the last thing that it writes is there."""
    return bool(run.resumed) and run.summary.get(keys.SECONDS_TOTAL) is not None


def clear_failure(run: wandb.Run) -> None:
    """Remove the reason of an earlier failure from the summary of a run that is tried again."""
    if run.resumed and run.summary.get("error") is not None:
        del run.summary["error"]


def clean_up(folder: Path, run: wandb.Run) -> None:
    """Once the server has the whole run: delete its state, local and uploaded, and files of its earlier parts."""
    if run.offline:
        (folder / state.STATE_FILE).unlink(missing_ok=True)
        return
    clear(folder)
    if resume.was_cut_off(run):
        state_artifact.delete(run)


def open_run(plan: RunPlan, interruption: Interruption) -> wandb.Run:
    """The run on the server, made or found again by its id.

    In a sweep the client knows entity, project and id, and would warn of other arguments.
    """
    place: dict[str, Any] = {"entity": plan.entity, "project": plan.project, "id": plan.run_id}
    return wandb.init(
        **({} if plan.in_sweep else place),
        resume=None if plan.offline else "allow",
        name=run_name(plan.config),
        job_type="train",
        config=dataclasses.asdict(plan.config),
        settings=wandb.Settings(stop_fn=lambda: interruption.request(STOP)),
    )


def run_name(config: Config) -> str:
    """The name of a run in lists."""
    fold = f", fold {config.fold}" if config.fold else ""
    of_all = f" of {config.folds}" if config.folds else ""
    return f"{config.model}, seed {config.seed}{fold}{of_all}"


def end_early(plan: RunPlan, run: wandb.Run, reason: str) -> int:
    """After a signal, upload the state and have the run handed out again; after a stop, do neither."""
    if reason == STOP:
        print("agent.train: ended because the server asked for it", flush=True)
        events.emit("stopped")
        run.finish(exit_code=1)
        return 0
    run.mark_preempting()
    state_artifact.upload(run, plan.folder)
    way_on = f"go on with python -m agent.train --resume {run.id}"
    if run.offline and not (plan.folder / state.STATE_FILE).exists():
        way_on = "nothing was saved yet"
    print(f"agent.train: {reason}; {way_on}", flush=True)
    run.finish(exit_code=EXIT_CODES[reason])
    return EXIT_CODES[reason]


def train(plan: RunPlan, run: wandb.Run, material: Material, earlier: State | None, interruption: Interruption) -> str:
    """The whole run: epochs, test, Artifacts. Returns its result in one line."""
    started = time.monotonic() - material.seconds
    config, dataset, model, device = plan.config, material.dataset, material.model, material.device
    training = set_up(plan, run, material, resume.n_threads(run, earlier))
    with failures.explain_errors(config, device, plan.folder):
        reporting.define_metrics(run)
        seconds_before = restore(training, earlier) if earlier else 0.0
        fit(training, interruption)
        run.summary[keys.SECONDS_TRAIN] = training.progress.seconds
        run.summary[keys.SECONDS_STEPS] = sum(row.get(keys.SECONDS_OF_STEPS, 0.0) for row in training.progress.rows)
        tested = test(training)
        run.summary[keys.SECONDS_PER_IMAGE] = performance.seconds_per_image(model, first_image(dataset, device))
        publish(training, tested)
    run.summary[keys.SECONDS_TOTAL] = seconds_before + time.monotonic() - started

    rule = checkpoints.lab_rule(config.architecture)
    epoch, iou = training.best.kept[rule].epoch, tested[rule].pooled_counts.iou
    events.emit("result", epoch=epoch, **{keys.TEST_IOU: iou, keys.TEST_RULE: rule})
    return f"test IoU {iou:.6f} ({rule} checkpoint, epoch {epoch})"


def set_up(plan: RunPlan, run: wandb.Run, material: Material, n_threads: int | None) -> TrainingRun:
    """The run before its first epoch, its facts on the server and on the console.

    `n_threads`: threads of torch that a resumed run keeps; None for a new one.
    """
    config, model = plan.config, material.model
    if n_threads:
        torch.set_num_threads(n_threads)
    facts = reporting.facts(material, config, pretrained.load_initial_weights(run, model, config))
    run.config.update(facts, allow_val_change=True)
    print(reporting.start_line(run.name, facts, material, n_threads), flush=True)
    events.emit("start", name=run.name, epochs=config.epochs, n_parameters=facts["n_parameters"])
    show_data(material.dataset, run)
    optimizer = performance.adam(model, config.learning_rate, config.weight_decay)
    rate = schedule.build(config.schedule, optimizer, config.epochs * config.repeats * material.steps)
    return TrainingRun(plan, run, material, optimizer, rate, BestCheckpoints(plan.folder))


def show_data(dataset: Dataset, run: wandb.Run) -> None:
    """Print warnings about the photographs, and write them into the summary."""
    if dataset.pixel_range:
        print(describe_range(dataset.pixel_range), flush=True)
    for warning in dataset.warnings:
        print(f"warning: {warning}", flush=True)
    if dataset.warnings:
        run.summary[keys.DATA_WARNINGS] = "\n".join(dataset.warnings)


def restore(training: TrainingRun, earlier: State) -> float:
    """Put the last state back into the run; returns the seconds trained before."""
    state.restore(earlier.tensors, training.model, training.optimizer, training.schedule)
    training.progress, training.best.kept = earlier.progress, earlier.kept
    print(f"going on after epoch {earlier.progress.epoch}", flush=True)
    resume.log_missing_rows(training.run, earlier.progress.rows)
    return training.progress.seconds


def fit(training: TrainingRun, interruption: Interruption) -> None:
    """Train the epochs that are left; after each, validate, keep the best weights, save the state, log one row."""
    config, model, best, progress = training.plan.config, training.model, training.best, training.progress
    device, precision = training.material.device, training.material.precision
    steps = config.repeats * training.material.steps
    epochs = range(progress.epoch + 1, config.epochs + 1)
    batches = training_batches(training, epochs, device)
    network = model
    with state.StateWriter() as writer, interruption.translate_worker_exit():
        for epoch in epochs:
            if should_stop(training):
                print(f"early stopping: no better validation in {config.patience} epochs", flush=True)
                break
            started = time.monotonic()
            loss, counts = train_epoch(
                network,
                training.optimizer,
                events.tell_steps(islice(batches, steps), epoch, config.epochs, steps),
                precision,
                interruption.check,
                training.schedule.step,
            )
            trained = time.monotonic() - started
            val = validate(training)
            failures.check_finite(config, epoch, loss, val.evaluation.loss)
            path = best.update(epoch, val.evaluation.loss, val.evaluation.pooled_counts.iou, val.gap, val.is_repaired)
            seconds = time.monotonic() - started
            progress.add(reporting.history_row(epoch, loss, counts, val, seconds, trained))
            if path or epoch == config.epochs or not writer.busy:
                now = capture(training)
                weights = now.tensors["model"] | state.clone(val.statistics)
                writer.submit(functools.partial(state.dump, now, training.plan.folder, path, weights))
            resume.log_missing_rows(training.run, progress.rows[-1:])
            training.run.summary.update(reporting.best_values(best))
            print(reporting.epoch_line(progress.rows[-1], config.epochs), flush=True)
            events.emit("epoch", epochs=config.epochs, steps=epoch * steps, **progress.rows[-1])
            # The first epoch of a process warms up; the second tells the time of a step.
            if epoch == epochs.start + 1 and performance.should_compile(
                (epochs.stop - 1 - epoch) * steps, trained / steps, device.type, config.deterministic
            ):
                network = performance.compile_model(model)
    record_step_times(training, epochs.start)


def should_stop(training: TrainingRun) -> bool:
    """Whether the last `patience` epochs were the best by no rule."""
    best = max((kept.epoch for kept in training.best.kept.values()), default=0)
    return 0 < training.plan.config.patience <= training.progress.epoch - best


def record_step_times(training: TrainingRun, first: int) -> None:
    """For `agent.lint`: record the times of steps after epoch `first`, the warm-up of this process."""
    config, material = training.plan.config, training.material
    macs = material.n_macs * len(material.dataset.train) / material.steps
    epochs = [row[keys.SECONDS_OF_STEPS] for row in training.progress.rows[first:]]
    step_seconds = [seconds / (config.repeats * material.steps) for seconds in epochs]
    step_times.record(config, performance.device_name(material.device), material.precision, macs, step_seconds)


def training_batches(training: TrainingRun, epochs: range, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of these epochs, augmented ahead where that pays."""
    config = training.plan.config
    augment = Augmenter(config.augmentation, config.image_size, config.seed)
    visits = range(1 + (epochs.start - 1) * config.repeats, 1 + (epochs.stop - 1) * config.repeats)
    workers = loader.n_workers(device, cores.threads(os.environ))
    return loader.make_loader(training.dataset.train, augment, config.batch_size, config.seed, visits, device, workers)


def validate(training: TrainingRun) -> Validation:
    """Scores on the validation images, with the better BatchNorm statistics."""
    return batchnorm.validate(
        training.model,
        training.dataset.train,
        training.dataset.val,
        training.plan.config.batch_size,
        [row[keys.VAL_IOU] for row in training.progress.rows],
        [row.get(keys.BN_GAP) for row in training.progress.rows],
        lambda running: bool(training.best.improved_rules(running.loss, running.pooled_counts.iou)),
    )


def capture(training: TrainingRun) -> State:
    """State of the run at this moment, all of it copies, so that it can be saved while training goes on."""
    run, progress = training.run, training.progress
    return State(
        run=f"{run.entity}/{run.project}/{run.id}",
        config=training.plan.config,
        data_digest=training.dataset.digest,
        progress=dataclasses.replace(progress, rows=list(progress.rows)),
        kept=dict(training.best.kept),
        tensors=state.capture(training.model, training.optimizer, training.schedule),
        n_threads=torch.get_num_threads(),
        pixel_range=training.dataset.pixel_range,
    )


def first_image(dataset: Dataset, device: torch.device) -> Tensor:
    """One test image, (1, 3, H, W)."""
    pair = dataset.test[0]
    return to_tensors([pair.image], [pair.mask], device)[0]


def test(training: TrainingRun) -> dict[Rule, Evaluation]:
    """Each kept checkpoint on the test images, once; the only place that looks at them."""
    by_file: dict[Path, Evaluation] = {}
    for kept in training.best.kept.values():
        if kept.path not in by_file:
            weights, _ = checkpoints.load(kept.path)
            training.model.load_state_dict(weights)
            by_file[kept.path] = evaluate(training.model, training.dataset.test, training.plan.config.batch_size)
    return {rule: by_file[kept.path] for rule, kept in training.best.kept.items()}


def publish(training: TrainingRun, tested: dict[Rule, Evaluation]) -> None:
    """Summary, pictures and Artifacts of a run that has been tested; returns when the server has all of it."""
    config, run, best, dataset = training.plan.config, training.run, training.best, training.dataset
    rule = checkpoints.lab_rule(config.architecture)
    run.summary.update(reporting.test_summary(tested, rule, best.kept[rule]))
    if repair := reporting.repair_line(rule, best.kept[rule], len(batchnorm.sample(dataset.train))):
        print(repair, flush=True)
    if run.starting_step <= config.epochs:
        media = predictions.media(dataset.test, tested[rule])
        run.log({keys.PREDICTIONS: media}, step=config.epochs, commit=True)

    about = {"config": dataclasses.asdict(config), "data_digest": dataset.digest, "rule": rule}
    pictures = training.plan.folder / PREDICTIONS
    predictions.write(pictures, dataset.test, tested)
    logged = [
        checkpoints.log(run, best, about | reporting.model_metadata(best, tested)),
        predictions.log(run, pictures, about),
    ]
    if pretrained.makes_weights(config):
        logged.append(pretrained.log(run, best.kept[rule].path, config, about))
    if not run.offline:
        for artifact in logged:
            artifact.wait()


if __name__ == "__main__":
    sys.exit(main())
