"""The specification of a parameter: a field of Config, and below it the keys of one distribution."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import FIELDS, as_yaml, did_you_mean
from common.sweep_spec.distributions import BOUNDS, KEYS, NAMES, is_number, keys, kind_of, required_keys

OTHER_NAMES = {
    "lr": "learning_rate",
    "batch": "batch_size",
    "bs": "batch_size",
    "encoder": "backbone",
    "encoder_name": "backbone",
    "encoder_weights": "weights",
    "pretrained": "weights",
    "arch": "architecture",
    "size": "image_size",
    "img_size": "image_size",
    "resolution": "image_size",
    "aug": "augmentation",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "random_state": "seed",
}
UNKNOWN_SETTING = Rule(
    "P001",
    "error",
    "{name} is no setting of agent.train{near}",
    "every run would end at once with `unknown setting`",
    "the settings are {known}",
)
NO_SPECIFICATION = Rule(
    "P002",
    "error",
    "{name} is {spec!r}, not a specification",
    "W&B refuses the sweep",
    "write `{name}: {{{word}: {value}}}`",
)
NESTED = Rule(
    "P003",
    "error",
    "{name} has a key parameters, which no parameter has; no setting of agent.train has settings inside",
    "W&B refuses it or passes over it",
    "use {known}",
)
UNKNOWN_KEY = Rule(
    "P004",
    "error",
    "{name} has a key {key}, which no parameter has{near}",
    "W&B refuses it or passes over it",
    "use {known}",
)
NO_VALUES = Rule(
    "P005",
    "error",
    "{name} has no values",
    "nothing says which values it takes",
    "give it value, values, or min and max",
)
UNKNOWN_DISTRIBUTION = Rule(
    "P006", "error", "{name} has no distribution {kind!r}{near}", "W&B refuses the sweep", "write one of {known}"
)
MISSING_KEY = Rule("P007", "error", "{name} is {kind} and has no {key}", "the distribution needs it", "add {key}")
KEY_OF_ANOTHER = Rule(
    "P008",
    "error",
    "{name} is {kind}, which has no {key}",
    "W&B refuses the sweep",
    "take {key} out, or name another distribution",
)
NOT_QUANTIZED = Rule(
    "P009", "error", "{name} is {kind}, which has no q", "W&B refuses the sweep", "write `distribution: q_{kind}`"
)
AMBIGUOUS_BOUNDS = Rule(
    "P010",
    "error",
    "{name} goes from {low} to {high}: a whole number and a fraction",
    "`wandb sweep` refuses that as ambiguous",
    "write both with a point, or name the distribution",
)
N_PROBABILITIES = Rule(
    "P011",
    "error",
    "{name} has {n} values and not as many probabilities",
    "W&B refuses the sweep",
    "give one probability for each value",
)
BAD_PROBABILITIES = Rule(
    "P012",
    "error",
    "probabilities of {name} are {probabilities}",
    "W&B refuses the sweep",
    "write numbers from 0 up whose sum is 1",
)
SUM_OF_PROBABILITIES = Rule(
    "P013",
    "warning",
    "probabilities of {name} add up to {total:g}",
    "W&B's own server refuses that",
    "write numbers whose sum is 1",
)


def check(document: Document, name: str, spec: Any) -> Iterator[Finding]:
    """Findings on a name that is no field, and on an invalid specification of values."""
    line = document.line("parameters", name)
    if name not in FIELDS:
        near = did_you_mean(name, list(FIELDS), OTHER_NAMES)
        yield UNKNOWN_SETTING.at(line, name=name, near=near, known=", ".join(FIELDS))
    elif not isinstance(spec, dict):
        word = "values" if isinstance(spec, list) else "value"
        yield NO_SPECIFICATION.at(line, name=name, spec=spec, word=word, value=as_yaml(spec))
    else:
        yield from _check_keys(document, name, spec)


def _check_keys(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    for key in spec:
        if key not in KEYS:
            rule = NESTED if key == "parameters" else UNKNOWN_KEY
            line = document.line("parameters", name, key)
            yield rule.at(line, name=name, key=key, near=did_you_mean(key, KEYS), known=", ".join(KEYS))
    kind = kind_of(spec)
    line = document.line("parameters", name, "distribution")
    if kind is None:
        yield NO_VALUES.at(line, name=name)
    elif kind not in NAMES:
        near = did_you_mean(kind, NAMES)
        yield UNKNOWN_DISTRIBUTION.at(line, name=name, kind=kind, near=near, known=", ".join(NAMES))
    else:
        yield from _check_keys_of_kind(document, name, spec, str(kind))


def _check_keys_of_kind(document: Document, name: str, spec: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    line = document.line("parameters", name, "distribution")
    for key in required_keys(kind):
        if key not in spec:
            yield MISSING_KEY.at(line, name=name, kind=kind, key=key)
    for key in spec:
        if key in KEYS and key not in ("distribution", *keys(kind)):
            rule = NOT_QUANTIZED if key == "q" and f"q_{kind}" in NAMES else KEY_OF_ANOTHER
            yield rule.at(document.line("parameters", name, key), name=name, kind=kind, key=key)
    ends = [spec[key] for key in BOUNDS if key in spec]
    if "distribution" not in spec and {type(end) for end in ends} == {int, float}:
        yield AMBIGUOUS_BOUNDS.at(line, name=name, low=ends[0], high=ends[1])


def check_probabilities(document: Document, name: str, n: int, spec: Mapping[str, Any]) -> Iterator[Finding]:
    if "probabilities" not in spec:
        return
    probabilities, line = spec["probabilities"], document.line("parameters", name, "probabilities")
    if not isinstance(probabilities, list) or len(probabilities) != n:
        yield N_PROBABILITIES.at(line, name=name, n=n)
    elif not all(is_number(each) and each >= 0 for each in probabilities) or not sum(probabilities):
        yield BAD_PROBABILITIES.at(line, name=name, probabilities=as_yaml(probabilities))
    elif not math.isclose(sum(probabilities), 1, rel_tol=1e-6):
        yield SUM_OF_PROBABILITIES.at(line, name=name, total=sum(probabilities))
