"""Pictures of a search, each on given axes: parallel coordinates, importances, expected best, best so far.

Colours: cividis for the metric, which keeps apart for every kind of colour vision and in grey; an architecture has that
of its name, as on the server's pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from analysis.figures.canvas import plain
from analysis.hyperparameters.importance import LEVEL, LOGARITHMIC, active
from common.colours import MEANINGS, SERIES, assign
from common.keys import GOAL, STRENGTHS

MAP = "cividis"
ORDERS = {"augmentation": STRENGTHS}
"""Categories that have an order of their own; others go by the alphabet."""
FEW = 8
"""Different values up to which a setting's numbers stand evenly spaced, each with its label."""
ABSENT = -0.14
"""Height at which a line of parallel coordinates passes a parameter that its run does not have."""
MARKS = "os^Dv<>"
CLEAR = MEANINGS["val"][0]


def numeric(values: pd.Series[Any]) -> bool:
    """Whether a parameter's values are numbers, so that its axis has a length."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def logarithmic(values: pd.Series[Any]) -> bool:
    """Whether numbers span so much that their axis should be logarithmic."""
    return numeric(values) and values.min() > 0 and values.max() >= LOGARITHMIC * values.min()


def positions(values: pd.Series[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Positions on an axis, and the names of its categories.

    Numbers are their own positions and have none; but `FEW` values of a setting, such as 0, 0.0001 and 0.01, are
    categories in their order: on no axis of numbers could all of them be read.
    """
    if numeric(values):
        numbers = values.to_numpy(dtype=float)
        different, place = np.unique(numbers, return_inverse=True)
        if values.name == GOAL or len(different) > FEW:
            return numbers, []
        return place.astype(float), [f"{value:g}" for value in different]
    words = values.astype(str).tolist()
    order = ORDERS.get(str(values.name), ())
    names = sorted(set(words), key=lambda word: (order.index(word) if word in order else len(order), word))
    return np.array([names.index(word) for word in words], dtype=float), names


def tidy(axes: Axes) -> None:
    """Faint grid, no box."""
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_parallel(axes: Axes, runs: pd.DataFrame, parameters: Sequence[str]) -> ScalarMappable:
    """A line per run across its parameters to `GOAL`, which colours it; the best run is thick.

    If a run does not have a parameter, its line passes below the axis, at a dash. Lines through the same category are
    spread a little. Returns the points for a colour bar.
    """
    shown = runs[np.isfinite(pd.to_numeric(runs[GOAL], errors="coerce"))].sort_values(GOAL)
    values = shown[GOAL].to_numpy(dtype=float)
    colours = ScalarMappable(Normalize(values.min(), values.max()), MAP)
    heights = np.column_stack([axis(axes, i, shown, name) for i, name in enumerate([*parameters, GOAL])])
    for i, (line, value) in enumerate(zip(heights, values, strict=True)):
        best = i == len(heights) - 1
        axes.plot(line, color=colours.to_rgba(value), linewidth=3 if best else 0.9, alpha=1 if best else 0.7)
    axes.set_xlim(-0.15, len(parameters) + 0.15)
    axes.set_ylim(-0.24, 1.08)
    axes.set_xticks(range(len(parameters) + 1), [plain(name.replace("_", " ")) for name in [*parameters, GOAL]])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return colours


def axis(axes: Axes, at: int, runs: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Draw a vertical axis with ticks; the height of each run on it, 0 to 1, or `ABSENT`."""
    has = active(runs, name).to_numpy()
    own: pd.Series[Any] = runs.loc[has, name]
    place, names = positions(own)
    if names:
        ticks = {float(i): word for i, word in enumerate(names)}
    else:
        ticks = {float(value): f"{value:.3g}" for value in (own.min(), own.max())}
    scale = np.log if not names and logarithmic(own) else np.asarray
    low, high = float(scale(min(ticks))), float(scale(max(ticks)))
    length = high - low or 1.0
    axes.vlines(at, 0, 1, color="0.4", linewidth=0.8, zorder=3)
    told = [((float(scale(value)) - low) / length, text) for value, text in ticks.items()]
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
    for height, text in told if has.all() else [*told, (ABSENT, "–")]:
        axes.text(at + 0.02, height, plain(text), fontsize=7, va="center", bbox=box, zorder=4)
    heights = np.full(len(runs), ABSENT)
    heights[has] = (scale(place) - low) / length
    spread = 0.1 / len(names) if names else 0.0
    return heights + np.random.default_rng(at).uniform(-spread, spread, len(runs))


def draw_importances(axes: Axes, table: pd.DataFrame) -> None:
    """Bars of `importance.importances`, grey if chance does as much; those of some runs only are hatched."""
    own = table.sort_values("importance", kind="stable")
    at = np.arange(len(own))
    conditional = own["given"] != "all runs"
    suffixes = np.where(conditional, "\n(" + own["given"] + ")", "")
    bars = axes.barh(at, own["importance"], height=0.6)
    for bar, hatched, chance in zip(bars, conditional, own["chance"], strict=True):
        bar.set(hatch="//" if hatched else "", edgecolor="white", facecolor=CLEAR if chance < LEVEL else "0.7")
    axes.set_yticks(at, [plain(name + suffix) for name, suffix in zip(own["parameter"], suffixes, strict=True)])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the variance that it explains alone; grey: chance does as much")
    tidy(axes)


def draw_budget(axes: Axes, curves: pd.DataFrame, *, against: str = "trial") -> None:
    """Best so far against `trial` or device-`minutes`, a stepped line per architecture."""
    colours = _colours(curves)
    for i, (architecture, own) in enumerate(curves.groupby("architecture", sort=False)):
        axes.plot(
            own[against],
            own["best"],
            drawstyle="steps-post",
            color=colours[str(architecture)],
            marker=MARKS[i % len(MARKS)],
            markersize=3.5,
            label=plain(f"{architecture} ({len(own)})"),
        )
    axes.set_xlabel("trials" if against == "trial" else "device-minutes of training")
    axes.set_ylabel(f"best {GOAL} so far")
    axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    tidy(axes)


def draw_expected_best(axes: Axes, curves: pd.DataFrame) -> None:
    """Expected best of n trials (`best_of_n.expected_best_curves`), a line with its band per architecture."""
    colours = _colours(curves)
    for i, (name, own) in enumerate(curves.groupby("architecture", sort=False)):
        architecture = str(name)
        colour, mark = colours[architecture], MARKS[i % len(MARKS)]
        axes.fill_between(own["trials"], own["low"], own["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(own["trials"], own["expected"], color=colour, marker=mark, markersize=3.5, label=plain(architecture))
    axes.set_xlabel("trials")
    axes.set_ylabel(f"expected best {GOAL}")
    axes.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    tidy(axes)


def _colours(curves: pd.DataFrame) -> dict[str, str]:
    numbers = assign(curves["architecture"].astype(str).unique())
    return {name: SERIES[number % len(SERIES)][0] for name, number in numbers.items()}
