"""The metric of a sweep, and Hyperband: whether they can do what they are there for."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, error, warning
from agent.lint.types import nearest
from common.keys import METRICS, RULES

HISTORY = (
    "epoch",
    "train/loss",
    "train/iou",
    "val/loss",
    "val/iou",
    "val/bn_gap",
    "seconds_per_epoch",
    "seconds_of_steps",
)
"""Keys that a run logs after every epoch; docs/runs.md says what they mean."""

SUMMARY = (
    *(f"test/{score}" for score in METRICS),
    *(f"test/image_mean_{score}" for score in METRICS),
    *(f"{rule}/test_{score}" for rule in RULES for score in METRICS),
    *(f"{rule}/{key}" for rule in RULES for key in ("epoch", "bn_gap")),
    "seconds/train",
    "seconds/steps",
    "seconds/total",
    "seconds/per_image",
)
"""Numbers that a run writes to its summary, once, at its end."""

GOALS = ("minimize", "maximize")
BAND_LIMIT = 100_000


def check(document: Document, epochs: Sequence[int], n_runs: int | None) -> Iterator[Finding]:
    """`epochs`: every number of epochs that a run of the sweep may have; empty if it cannot be told."""
    yield from aim(document)
    if "early_terminate" in document.value:
        yield from hyperband(document, epochs, n_runs)


def aim(document: Document) -> Iterator[Finding]:
    """`metric: {name: …, goal: …}`."""
    needed = document.value.get("method") == "bayes" or "early_terminate" in document.value
    if "metric" not in document.value:
        if needed or document.value.get("scheduler"):
            yield error(
                1,
                "metric is missing",
                "Bayesian search, Hyperband and schedulers need to know what is good",
                "add `metric: {name: val/iou, goal: maximize}`",
            )
        return
    metric = document.mapping("metric")
    if not metric:
        given = document.value["metric"]
        yield error(
            document.line("metric"),
            f"metric is {given!r}, not a name and a goal",
            "W&B refuses the sweep",
            "write `metric: {name: val/iou, goal: maximize}`",
        )
        return
    name, line = metric.get("name"), document.line("metric", "name")
    if name not in (*HISTORY, *SUMMARY):
        yield error(
            line,
            f"metric {name!r} is never logged{meant(str(name))}",
            "search and Hyperband would wait for it for ever, and every run would look alike",
            f"name one of {', '.join(HISTORY)}, or a summary key of docs/runs.md",
        )
    elif "test" in str(name):
        yield warning(
            line,
            f"metric {name} is measured on the test images",
            "what is chosen by the test images cannot be judged by them any more",
            "choose by val/iou and look at the test images once",
        )
    if name in SUMMARY and "early_terminate" in document.value:
        yield error(
            line,
            f"metric {name} is known only when a run has ended",
            "Hyperband compares runs while they go on, so it would never stop one",
            f"name one of {', '.join(HISTORY)}",
        )
    yield from goal(document, str(name))


def meant(name: str) -> str:
    """The key that is likely meant; one of the test images only where the name says so."""
    known = [key for key in (*HISTORY, *SUMMARY) if "test" in name.lower() or "test" not in key]
    return nearest(re.sub(r"\W|_", "/", name.lower()), known) or nearest(name, known)


def goal(document: Document, name: str) -> Iterator[Finding]:
    given = document.mapping("metric").get("goal")
    line = document.line("metric", "goal")
    lower = any(word in name for word in ("loss", "seconds", "gap", "epoch"))
    fitting = "minimize" if lower else "maximize"
    if given is None and fitting == "maximize":
        yield error(line, "goal is missing", f"W&B then minimizes {name}", "add `goal: maximize`")
    elif given is not None and given not in GOALS:
        yield error(
            line, f"there is no goal {given!r}{nearest(given, GOALS)}", "W&B refuses it", f"write {fitting}"
        )
    elif given is not None and given != fitting:
        yield error(
            line, f"goal {given} seeks the worst {name}", "the search runs away from what is good",
            f"write `goal: {fitting}`",
        )  # fmt: skip


def hyperband(document: Document, epochs: Sequence[int], n_runs: int | None) -> Iterator[Finding]:
    section, line = document.mapping("early_terminate"), document.line("early_terminate")
    if not section:
        given = document.value["early_terminate"]
        yield error(line, f"early_terminate is {given!r}, not a mapping", "W&B refuses the sweep",
                    "write `early_terminate: {type: hyperband, min_iter: 5, strict: true}`")  # fmt: skip
        return
    known = ("type", "min_iter", "max_iter", "s", "eta", "strict")
    for key in section:
        if key not in known:
            yield error(
                document.line("early_terminate", key),
                f"early_terminate has no key {key}{nearest(key, known)}",
                "W&B passes over it",
                f"use {', '.join(known)}",
            )
    if section.get("type") != "hyperband":
        yield error(
            document.line("early_terminate", "type"),
            f"early_terminate has no type {section.get('type')!r}",
            "Hyperband is the only one that W&B knows",
            "write `type: hyperband`",
        )
    yield from _numbers(document)
    if section.get("strict") is not True:
        yield warning(
            document.line("early_terminate", "strict"),
            "Hyperband without `strict: true`",
            "it then ends a run only if it was never among the best third, far fewer than one expects",
            "add `strict: true`",
        )
    if n_runs == 1:
        yield error(line, "Hyperband with a single run", "it compares runs; there is none to compare with",
                    "remove early_terminate")  # fmt: skip
    bands = first_bands(section)
    if bands and epochs:
        yield from _fires(document, bands[0], epochs)


def _numbers(document: Document) -> Iterator[Finding]:
    section = document.mapping("early_terminate")
    if "min_iter" not in section and not {"max_iter", "s"} <= set(section):
        yield error(
            document.line("early_terminate"),
            "early_terminate has neither min_iter nor max_iter and s",
            "nothing says after how many epochs runs are compared",
            "add `min_iter:` and a number of epochs",
        )
    for key in ("min_iter", "max_iter", "s", "eta"):
        value = section.get(key)
        if key in section and (not _is_number(value, 1) or (key, value) == ("eta", 1)):
            yield error(
                document.line("early_terminate", key),
                f"{key} is {value!r}",
                "Hyperband counts with it",
                "write a number" + (" above 1" if key == "eta" else " from 1 up"),
            )


def _is_number(value: Any, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < math.inf


def first_bands(section: dict[str, Any]) -> list[int]:
    """The epochs after which Hyperband looks, as W&B documents them; empty if the section does not say.

    From `min_iter` upwards, times eta; or from `max_iter` downwards, `s` times divided by eta.
    """
    eta = section.get("eta", 3)
    if not _is_number(eta, 1) or eta <= 1:
        return []
    if _is_number(section.get("max_iter"), 1) and _is_number(section.get("s"), 1):
        last = section["max_iter"]
        return sorted(
            {int(last / eta**k + 1e-9) for k in range(1, int(section["s"]) + 1) if last / eta**k >= 1}
        )
    if not _is_number(section.get("min_iter"), 1):
        return []
    bands, band = [], float(section["min_iter"])
    while band < BAND_LIMIT:
        bands.append(int(band))
        band *= eta
    return bands


def _fires(document: Document, first: int, epochs: Sequence[int]) -> Iterator[Finding]:
    """A run is stopped between its first band and its end, or not at all."""
    line = document.line(
        "early_terminate", "min_iter" if "min_iter" in document.mapping("early_terminate") else "max_iter"
    )
    start = max if first >= max(epochs) else min
    fix = f"begin at about a ninth of the epochs: `min_iter: {max(1, start(epochs) // 9)}`"
    if first >= max(epochs):
        yield error(
            line,
            f"Hyperband first looks after epoch {first}, and no run has more than {max(epochs)}",
            "it can never stop a run",
            fix,
        )
    elif first >= min(epochs):
        yield warning(
            line,
            f"Hyperband first looks after epoch {first}, and some runs have only {min(epochs)}",
            "those it can never stop",
            fix,
        )
