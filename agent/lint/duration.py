"""How long a run will last on a device, from measured training steps."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from agent.config import Config
from agent.lifecycle import disk
from agent.lint import models
from agent.training.step_times import ONE_CORE, Step

IMAGES = {"train": 10, "val": 4, "test": disk.N_TEST}
"""Of the lab's folder and of drawn photographs."""

START_SECONDS = 12
"""From handing out to the first step under plain `wandb agent`: its poll, the imports, wandb.init."""

CANDIDATES = 0.5
"""Part of the epochs that may become a checkpoint: 20 and 24 of 40 in docs/runs.md. Their BatchNorm statistics are
recomputed, their validation images scored twice, and they are always saved."""

PHOTOGRAPH = (1024, 768)
"""Pixels of those images."""

SCORED_PER_SECOND = 40e6
"""Pixels at which one core brings logits to a photograph's size, compares and counts: 14 to 30 ms for each of these, in
processor time, from squares of 128 and 512 pixels (median 17 and 24 of 9 each, one core of an AMD EPYC)."""

SAVED_PER_SECOND = 600e6
"""Bytes of state and checkpoint that one core packs and writes: 500 to 990 million with four models of 5 to 31 million
parameters on one core of an AMD EPYC."""

SAME = 0.01
"""Two steps are the same amount of work if their multiply-accumulates differ by less than this part."""


@dataclass(frozen=True)
class Duration:
    """Seconds of a run: its `start`, its `training` steps, validation and saving after each epoch, and its `test`."""

    start: float = 0.0
    training: float = 0.0
    validation: float = 0.0
    saving: float = 0.0
    test: float = 0.0

    @property
    def total(self) -> float:
        return self.start + self.training + self.aside + self.test

    @property
    def aside(self) -> float:
        """What comes once per epoch and is not training."""
        return self.validation + self.saving


def of_run(config: Config, steps: Sequence[Step]) -> Duration:
    """Of a run on the device whose steps these are.

    A forward pass is a third of a training step with as many images. On one core, saving takes time from training;
    on a GPU it goes on beside, and only a candidate checkpoint waits until the save before it is over.
    """
    facts = models.of(config)
    image = forward_macs(facts, config.image_size)
    per_visit = math.ceil(IMAGES["train"] / config.batch_size)

    def forward(images: int) -> float:
        return step_seconds(config, "float32", image * images, steps) / 3

    step = step_seconds(config, config.precision, image * IMAGES["train"] / per_visit, steps)
    training = config.repeats * per_visit * step
    scored = forward(IMAGES["val"]) + IMAGES["val"] * score_seconds(config, steps)
    validation = scored + CANDIDATES * (forward(IMAGES["train"]) + scored)
    saving = 4 * facts.checkpoint_bytes / SAVED_PER_SECOND
    if not steps[0].device.startswith(ONE_CORE):
        saving = CANDIDATES * max(0.0, saving - training - validation)
    return Duration(
        START_SECONDS,
        config.epochs * training,
        config.epochs * validation,
        config.epochs * saving,
        disk.KEPT * (forward(IMAGES["test"]) + IMAGES["test"] * score_seconds(config, steps)),
    )


def score_seconds(config: Config, steps: Sequence[Step]) -> float:
    """Of one photograph; on a GPU it is next to nothing."""
    factor = min(1.0, config.score_size / max(PHOTOGRAPH))
    on_core = steps[0].device.startswith(ONE_CORE)
    return on_core * math.prod(PHOTOGRAPH) * factor**2 / SCORED_PER_SECOND


def forward_macs(facts: models.Facts, image_size: int) -> float:
    """Multiply-accumulates of one image."""
    return facts.macs * image_size**2 / models.SIDE**2


def step_seconds(config: Config, precision: str, macs: float, steps: Sequence[Step]) -> float:
    """Seconds of a training step with `macs` multiply-accumulates in its forward pass, from steps of one device.

    `precision` is one of `agent.config.PRECISIONS`; `auto` is the fastest that was measured, and where a device has no
    steps in the wanted one, all its steps count. A model that was not measured takes as long as those of its
    architecture that were, in the median, for the same work.
    """
    wanted = [s for s in steps if precision in ("auto", s.precision)] or list(steps)
    model = (config.architecture, config.backbone)
    if own := [s for s in wanted if (s.architecture, s.backbone) == model]:
        if config.backbone == "none":
            own = _of_nearest_width(own, config.width)
        return min(along(each, macs) for each in _by_model(own))
    like = [s for s in wanted if s.architecture == config.architecture] or wanted
    return statistics.median(along(each, macs) for each in _by_model(like))


def along(steps: Sequence[Step], macs: float) -> float:
    """Seconds for an amount of work, from steps of one model in one precision.

    A measured step of just that work says it. Otherwise the least and the most work give a fixed part and one that
    grows with the work, neither below 0; from a single amount of work, seconds are in proportion to it.
    """
    if same := [s.seconds for s in steps if abs(s.macs - macs) < SAME * macs]:
        return min(same)
    small, large = min(steps, key=lambda s: s.macs), max(steps, key=lambda s: s.macs)
    if small.macs == large.macs:
        return macs * min(s.seconds for s in steps) / large.macs
    slope = max(0.0, (large.seconds - small.seconds) / (large.macs - small.macs))
    fixed = max(0.0, small.seconds - slope * small.macs)
    return fixed + slope * macs if fixed else macs * large.seconds / large.macs


def _of_nearest_width(steps: Sequence[Step], width: int) -> list[Step]:
    """Narrow convolutions do less work in a second than wide ones."""
    nearest = min((s.width for s in steps), key=lambda each: abs(math.log(each / width)))
    return [s for s in steps if s.width == nearest]


def _by_model(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps grouped by model and precision."""
    groups: dict[tuple[str, ...], list[Step]] = {}
    for step in steps:
        groups.setdefault((step.architecture, step.backbone, step.precision), []).append(step)
    return list(groups.values())
