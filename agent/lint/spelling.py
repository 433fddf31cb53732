"""How a parameter of a sweep is written: a field of Config, and below it the keys of one distribution."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, error, warning
from agent.lint.types import FIELDS, as_yaml, nearest

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
BOUNDS = ("min", "max")
LISTS = {"constant": ("value",), "categorical": ("values",), "categorical_w_probabilities": ("values",)}
EXPONENTS = ("log_uniform", "q_log_uniform", "inv_log_uniform")
INTERVALS = ("int_uniform", "uniform", "q_uniform", "log_uniform_values", "q_log_uniform_values",
             "inv_log_uniform_values", *EXPONENTS)  # fmt: skip
UNBOUNDED = {"normal": ("mu", "sigma"), "q_normal": ("mu", "sigma"), "log_normal": ("mu", "sigma"),
             "q_log_normal": ("mu", "sigma"), "beta": ("a", "b"), "q_beta": ("a", "b")}  # fmt: skip
"""Their keys, which all have defaults."""

KINDS = (*LISTS, *INTERVALS, *UNBOUNDED)
KEYS = ("value", "values", "min", "max", "distribution", "probabilities", "q", "mu", "sigma", "a", "b")


def check(document: Document, name: str, spec: Any) -> Iterator[Finding]:
    """Is it a field, and a specification of values?"""
    line = document.line("parameters", name)
    if name not in FIELDS:
        yield error(
            line,
            f"{name} is no setting of agent.train{nearest(name, list(FIELDS), OTHER_NAMES)}",
            "every run would end at once with `unknown setting`",
            f"the settings are {', '.join(FIELDS)}",
        )
    elif not isinstance(spec, dict):
        word = "values" if isinstance(spec, list) else "value"
        yield error(
            line,
            f"{name} is {spec!r}, not a specification",
            "W&B refuses the sweep",
            f"write `{name}: {{{word}: {as_yaml(spec)}}}`",
        )
    else:
        yield from _keys(document, name, spec)


def _keys(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    for key in spec:
        if key not in KEYS:
            nested = "; no setting of agent.train has settings inside" if key == "parameters" else ""
            yield error(
                document.line("parameters", name, key),
                f"{name} has a key {key}, which no parameter has{nearest(key, KEYS)}{nested}",
                "W&B refuses it or passes over it",
                f"use {', '.join(KEYS)}",
            )
    kind = kind_of(spec)
    line = document.line("parameters", name, "distribution")
    if kind is None:
        yield error(line, f"{name} has no values", "nothing says which values it takes",
                    "give it value, values, or min and max")  # fmt: skip
    elif kind not in KINDS:
        yield error(
            line, f"{name} has no distribution {kind!r}{nearest(kind, KINDS)}", "W&B refuses the sweep",
            f"write one of {', '.join(KINDS)}",
        )  # fmt: skip
    else:
        yield from _keys_of_kind(document, name, spec, kind)


def _keys_of_kind(document: Document, name: str, spec: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    line = document.line("parameters", name, "distribution")
    for key in () if kind in UNBOUNDED else LISTS.get(kind, BOUNDS):
        if key not in spec:
            yield error(line, f"{name} is {kind} and has no {key}", "the distribution needs it", f"add {key}")
    known = {"distribution", *LISTS.get(kind, UNBOUNDED.get(kind, BOUNDS))}
    known |= {"q"} if kind.startswith("q_") else {"probabilities"} if "categorical" in kind else set()
    for key in spec:
        if key in KEYS and key not in known:
            quantized = key == "q" and f"q_{kind}" in KINDS
            yield error(
                document.line("parameters", name, key),
                f"{name} is {kind}, which has no {key}",
                "W&B refuses the sweep",
                f"write `distribution: q_{kind}`"
                if quantized
                else f"take {key} out, or name another distribution",
            )
    ends = [spec[key] for key in BOUNDS if key in spec]
    if "distribution" not in spec and {type(end) for end in ends} == {int, float}:
        yield error(
            line,
            f"{name} goes from {ends[0]} to {ends[1]}: a whole number and a fraction",
            "`wandb sweep` refuses that as ambiguous",
            "write both with a point, or name the distribution",
        )


def kind_of(spec: Mapping[str, Any]) -> Any:
    """The distribution, by W&B's rule where none is named."""
    if "distribution" in spec:
        return spec["distribution"]
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec and "max" in spec:
        whole = all(isinstance(spec[key], int) and not isinstance(spec[key], bool) for key in BOUNDS)
        return "int_uniform" if whole else "uniform"
    return None


def chances(document: Document, name: str, n: int, spec: Mapping[str, Any]) -> Iterator[Finding]:
    if "probabilities" not in spec:
        return
    given, line = spec["probabilities"], document.line("parameters", name, "probabilities")
    if not isinstance(given, list) or len(given) != n:
        yield error(
            line,
            f"{name} has {n} values and not as many probabilities",
            "W&B refuses the sweep",
            "give one probability for each value",
        )
    elif not all(_is_number(each) and each >= 0 for each in given) or not sum(given):
        yield error(line, f"probabilities of {name} are {as_yaml(given)}", "W&B refuses the sweep",
                    "write numbers from 0 up whose sum is 1")  # fmt: skip
    elif not math.isclose(sum(given), 1, rel_tol=1e-6):
        yield warning(line, f"probabilities of {name} add up to {sum(given):g}", "W&B's own server refuses that",
                      "write numbers whose sum is 1")  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
