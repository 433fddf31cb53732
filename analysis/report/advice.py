"""What to do next, and which differences were found: sentences, each with the figure behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.comparison.comparison import Comparison
from analysis.comparison.masks import Mask, one_pixel_loss
from analysis.evidence.text import MEANING, WORDS, next_steps, p_value

COST = 0.005
"""IoU from which it is worth a sentence that the other rule would have chosen a better checkpoint."""


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


def improvements(comparison: Comparison, edges: Sequence[str], truths: Mapping[str, Mask]) -> tuple[str, ...]:
    """What to do next, each because of a figure of this study; empty where no figure asks for anything."""
    table, found = comparison.table, comparison.evidence
    return (
        *(next_steps(found) if found else ()),
        *overfitting_advice(table),
        *ceiling_advice(table, truths),
        *rule_advice(table),
        *(sentence for sentence in edges if " edge of " in sentence),
    )


def overfitting_advice(table: pd.DataFrame) -> list[str]:
    """Early stopping for the models that overfit."""
    over = table["model"][table["overfitting"].astype(str).str.startswith("overfits")].astype(str).tolist()
    return [f"Early stopping or stronger augmentation for what overfits: {'; '.join(over)}."] * bool(over)


def ceiling_advice(table: pd.DataFrame, truths: Mapping[str, Mask]) -> list[str]:
    """Larger images where the best model is as good as masks that are right but for one pixel all round."""
    loss, best = one_pixel_loss(truths.values()), table["test_iou"].max()
    if not truths or best < 1 - loss:
        return []
    return [
        f"Larger images: masks that are right but for one pixel all round have IoU {1 - loss:.3f} at this size, and the"
        f" best model has {best:.3f}."
    ]


def rule_advice(table: pd.DataFrame) -> list[str]:
    """Another rule where it would have chosen a better checkpoint by more than `COST`."""
    known = pd.to_numeric(table["rule_cost"], errors="coerce")
    worse = table[known > COST]
    if worse.empty:
        return []
    top = worse.iloc[int(known[known > COST].to_numpy().argmax())]
    return [
        f"The rule that chooses the checkpoint: for {len(worse)} of {len(table)} models the other one tests more than"
        f" {COST:.3f} better in IoU, most for {top['model']} ({top['rule_cost']:+.3f}); whether to change it is for"
        " validation images to say, not for these."
    ]
