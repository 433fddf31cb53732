"""The price of one learning rate for all models, against each model's own best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.comparison.row_labels import with_models
from common.keys import GOAL

STEPS = 2
"""Steps of a decade to which learning rates are rounded."""


def learning_rate_regret(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean `GOAL` at each model's best learning rate minus that at every rate: a row per model, a column per rate.

    Rates are rounded to `STEPS` of a decade; NaN if a model was not tried at one. Models tried at fewer than two
    rates are left out. Every best of several is flattered, so a regret is rather too large than too small.
    """
    if "learning_rate" not in runs:
        return pd.DataFrame()
    values = pd.to_numeric(runs[GOAL], errors="coerce").replace([np.inf, -np.inf], np.nan)
    known = runs[values.notna() & (pd.to_numeric(runs["learning_rate"], errors="coerce") > 0)]
    if known.empty:
        return pd.DataFrame()
    rate = 10 ** ((STEPS * np.log10(known["learning_rate"].astype(float))).round() / STEPS)
    means = values[known.index].groupby([with_models(known)["model"], rate.round(12)]).mean().unstack()
    means = means[means.notna().sum(axis=1) > 1]
    return -means.sub(means.max(axis=1), axis=0)


def sentence(regret: pd.DataFrame) -> str | None:
    """A sentence on the rate that costs models least and its largest loss; None if no rate was tried by all."""
    common = regret.dropna(axis=1)
    if len(regret) < 2 or common.empty:
        return None
    rate = common.mean().idxmin()
    worst = str(common[rate].idxmax())
    return (
        f"One learning rate for {len(regret)} models: about {rate:.1g} costs least, {common[rate].mean():.3f} of"
        f" validation IoU on average against each model's own best; most for {worst}, {common[rate].max():.3f}."
    )
