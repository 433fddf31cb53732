"""Next steps with their commands, and the differences found: sentences with the figures behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from analysis.comparison.commands import command_here, other_training_sets_command, values_of
from analysis.comparison.comparison import Comparison
from analysis.comparison.definitions import DEFINITIONS, Definition, one_pixel_iou
from analysis.evidence.sentences import MEANING, WORDS, next_steps, p_value
from analysis.pull.masks import Mask
from common import keys
from common.text import plural


def differences(comparison: Comparison) -> tuple[str, ...]:
    """A sentence for each model against the best: difference in IoU, interval, p, verdict; empty without evidence."""
    found = comparison.evidence
    if found is None:
        return ()
    where, told = MEANING[found.claim], []
    for name, model in sorted(found.models.items(), key=lambda item: -item[1].mean):
        claim, runs = model.claims[found.claim], model.these_runs
        if name == found.highest:
            continue
        if claim.estimate is None:
            on = f"higher on {runs.higher_on} of {runs.n_images} images"
            text = f"{runs.estimate:+.3f} in these runs, {on}; no verdict"
        else:
            text = f"{claim.estimate:+.3f} [{claim.low:+.3f}, {claim.high:+.3f}], p = {p_value(claim.p or 0)}"
            text += f": {WORDS[claim.verdict]} {where}"
        told.append(f"{name}: IoU {text}.")
    return tuple(told)


def improvements(
    comparison: Comparison, edges: Sequence[str] = (), truths: Mapping[str, Mask] | None = None
) -> tuple[str, ...]:
    """Next steps, the most urgent first, each with the figure of this study that asks for it; empty without any.

    Runs that still improve come first: an order of half-trained models is no answer to believe.
    """
    table, found = comparison.table, comparison.evidence
    splits = (
        f": `{other_training_sets_command(comparison.sweeps)}` (that file has ten models)" if comparison.sweeps else ""
    )
    return (
        *longer_advice(comparison),
        *(next_steps(found, partial(more_seeds, comparison), splits) if found else ()),
        *overfitting_advice(table),
        *ceiling_advice(table, truths or {}, DEFINITIONS[comparison.definition]),
        *(sentence for sentence in edges if " edge of " in sentence),
        *own_photographs(comparison),
    )


def own_photographs(comparison: Comparison) -> list[str]:
    """The command for one's own photographs, if those of this study were drawn."""
    runs = comparison.all_runs
    drawn = "data" in runs and set(runs["data"].dropna()) == {"drawn"}
    return ["These photographs were drawn by a program; of your own: `make study DATA=FOLDER`."] if drawn else []


def more_seeds(comparison: Comparison, seeds: int) -> str:
    """`: COMMAND (its cost)` for so many seeds of every model; empty if no command is known."""
    command = command_here(comparison, seeds=seeds)
    if command is None:
        return ""
    runs = comparison.all_runs
    (settings,) = comparison.sweeps.values()
    cells = math.prod(len(values) for name, values in (values_of(settings) or {}).items() if name != "seed")
    groups = runs.groupby(["model", "split"])
    one = groups[keys.SECONDS_TRAIN].mean().sum() if keys.SECONDS_TRAIN in runs else math.nan
    least = "about" if len(groups) >= cells else "more than"
    time = "" if math.isnan(one) else f", {least} {plural(math.ceil(seeds * one / 60), 'minute')} of training in all"
    where = "; save the sweep's settings as sweep.yaml" if "SWEEP=sweep.yaml" in command else ""
    return f": `{command}` (a new study of {plural(seeds * cells, 'run')}{time}{where})"


def longer_advice(comparison: Comparison) -> list[str]:
    """Advice on more epochs, if validation loss was lowest in the last one."""
    curves = comparison.curves
    late = int(((curves["val_loss_epoch"] == curves["epochs"]) & (curves["epochs"] > 1)).sum())
    if not late:
        return []
    longer = 2 * int(curves["epochs"].max())
    command = command_here(comparison, epochs=longer)
    how = f"`{command}`" if command else f"{longer} epochs"
    return [
        f"Validation loss was lowest in the last epoch in {late} of {plural(len(curves), 'run')}: try {how}, and keep"
        " that length from then on if validation IoU rises."
    ]


def overfitting_advice(table: pd.DataFrame) -> list[str]:
    """Early stopping for the models that overfit."""
    over = [str(row["model"]) for row in table.to_dict("records") if row["overfitting"].kind == "overfits"]
    return [f"Early stopping or stronger augmentation for models that overfit: {'; '.join(over)}."] if over else []


def ceiling_advice(table: pd.DataFrame, truths: Mapping[str, Mask], definition: Definition) -> list[str]:
    """Advice on larger images, if the best model is as good as masks that are right but for one pixel all round."""
    best = table["test_iou"].max()
    if not truths or best < (off := one_pixel_iou(truths.values(), definition)):
        return []
    return [
        f"Larger images: masks that are right but for one pixel all round have IoU {off:.3f} at this size, and the"
        f" best model has {best:.3f}."
    ]
