"""Hyperband, W&B's `early_terminate`: whether it can stop a run."""

from collections.abc import Iterator, Sequence

from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import did_you_mean
from common.sweep_spec.hyperband import KEYS, Fault, bands, faults

NO_HYPERBAND = Rule(
    "H001",
    "error",
    "early_terminate is {given!r}, not a mapping",
    "W&B refuses the sweep",
    "write `early_terminate: {{type: hyperband, min_iter: 5, strict: true}}`",
)
UNKNOWN_KEY = Rule("H002", "error", "early_terminate has no key {key}{near}", "W&B passes over it", "use {known}")
UNKNOWN_TYPE = Rule(
    "H003",
    "error",
    "early_terminate has no type {given!r}",
    "Hyperband is the only one that W&B knows",
    "write `type: hyperband`",
)
NOT_STRICT = Rule(
    "H004",
    "warning",
    "Hyperband without `strict: true`",
    "it then ends a run only if it was never among the best third, far fewer than one expects",
    "add `strict: true`",
)
SINGLE_RUN = Rule(
    "H005",
    "error",
    "Hyperband with a single run",
    "it compares runs; there is none to compare with",
    "remove early_terminate",
)
MISSING = Rule(
    "H006",
    "error",
    "early_terminate has no {key}",
    "runs are compared first after min_iter epochs, or, with s comparisons, up to max_iter",
    "give `min_iter:` and a number of epochs, or max_iter and s",
)
BAD_COUNT = Rule("H007", "error", "{key} is {value!r}", "Hyperband counts with it", "write a whole number from 1 up")
BAD_ETA = Rule("H008", "error", "{key} is {value!r}", "the best 1/eta of the runs go on", "write a number above 1")
NEVER_STOPS = Rule(
    "H009",
    "error",
    "Hyperband first looks after epoch {band}, and no run has more than {epochs}",
    "it can never stop a run",
    "begin at about a ninth of the epochs: `min_iter: {better}`",
)
STOPS_SOME = Rule(
    "H010",
    "warning",
    "Hyperband first looks after epoch {band}, and some runs have only {epochs}",
    "those it can never stop",
    "begin at about a ninth of the epochs: `min_iter: {better}`",
)
BAD_SWITCH = Rule("H011", "error", "{key} is {value!r}", "it is a switch", "write true or false")
NO_BAND = Rule("H012", "error", "{key} is {value!r}, below eta", "no epoch of a comparison is left", "raise max_iter")
FAULTS: dict[Fault, Rule] = {
    "missing": MISSING,
    "no count": BAD_COUNT,
    "not above 1": BAD_ETA,
    "no switch": BAD_SWITCH,
    "no band": NO_BAND,
}


def check(document: Document, epochs: Sequence[int], n_runs: int | None) -> Iterator[Finding]:
    """`epochs`: every number of epochs that a run of the sweep may have; empty if it cannot be told."""
    if "early_terminate" not in document.value:
        return
    section, line = document.mapping("early_terminate"), document.line("early_terminate")
    if not section:
        yield NO_HYPERBAND.at(line, given=document.value["early_terminate"])
        return
    for key in section:
        if key not in KEYS:
            near, known = did_you_mean(key, KEYS), ", ".join(KEYS)
            yield UNKNOWN_KEY.at(document.line("early_terminate", key), key=key, near=near, known=known)
    if section.get("type") != "hyperband":
        yield UNKNOWN_TYPE.at(document.line("early_terminate", "type"), given=section.get("type"))
    for key, fault in faults(section):
        place = document.line("early_terminate", *([key] if key in section else []))
        yield FAULTS[fault].at(place, key=key, value=section.get(key))
    if section.get("strict", False) is False:
        yield NOT_STRICT.at(document.line("early_terminate", "strict"))
    if n_runs == 1:
        yield SINGLE_RUN.at(line)
    looks = bands(section)
    if looks and epochs:
        yield from _check_first_band(document, looks[0], epochs)


def _check_first_band(document: Document, first: int, epochs: Sequence[int]) -> Iterator[Finding]:
    """A run is stopped between its first band and its end, or not at all."""
    key = "max_iter" if "max_iter" in document.mapping("early_terminate") else "min_iter"
    line, fewest, most = document.line("early_terminate", key), min(epochs), max(epochs)
    if first >= most:
        yield NEVER_STOPS.at(line, band=first, epochs=most, better=max(1, most // 9))
    elif first >= fewest:
        yield STOPS_SOME.at(line, band=first, epochs=fewest, better=max(1, fewest // 9))
