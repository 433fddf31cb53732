"""One entry of `parameters:` in a sweep's YAML, read into a distribution or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from common.sweep_spec import distributions as grammar
from common.sweep_spec.distributions import DEFAULTS, is_number
from server.search import distributions as d
from server.search.errors import SearchError
from server.search.identity import identity

Spec = Mapping[str, object]
Numbers = Mapping[str, float]

LAWS: dict[str, Callable[[Numbers], d.Law]] = {
    "uniform": lambda s: d.uniform(s["min"], s["max"]),
    "log_uniform": lambda s: d.exponential_of(d.uniform(s["min"], s["max"])),
    "log_uniform_values": lambda s: d.exponential_of(d.uniform(math.log(s["min"]), math.log(s["max"]))),
    "inv_log_uniform": lambda s: d.exponential_of(d.uniform(-s["max"], -s["min"])),
    "inv_log_uniform_values": lambda s: LAWS["log_uniform_values"](s),
    "normal": lambda s: d.normal(s["mu"], s["sigma"]),
    "log_normal": lambda s: d.exponential_of(d.normal(s["mu"], s["sigma"])),
    "beta": lambda s: d.beta(s["a"], s["b"]),
}
"""log(1/X) of `inv_log_uniform` is uniform, so log(X) is on [-max, -min]; 1/X on [1/max, 1/min] is X on [min, max]."""


def read(name: str, spec: Spec) -> tuple[d.Distribution, list[str]]:
    """The distribution that `spec` describes, and warnings; raises SearchError.

    Without a `distribution` key the rule is W&B's: `value` is a constant, `values` is categorical, integer bounds are
    int_uniform, other bounds uniform.
    """
    kind = _distribution_name(name, spec)
    _refuse_unknown_keys(name, kind, spec)
    if kind == "constant":
        return d.Choice(_values(name, [_require(name, kind, spec, "value")])[0]), []
    if kind in ("categorical", "categorical_w_probabilities"):
        return _categorical(name, kind, spec)
    if kind == "int_uniform":
        return _int_uniform(name, spec), []
    return _numeric(name, kind, spec)


def _distribution_name(name: str, spec: Spec) -> str:
    kind = grammar.kind_of(spec)
    if kind is None:
        raise SearchError(
            f"Parameter {name}: nothing says which values it takes; give it value, values, min and max, or a "
            "distribution."
        )
    if kind not in grammar.NAMES:
        raise SearchError(
            f"Parameter {name}: there is no distribution {kind!r}; choose one of {', '.join(grammar.NAMES)}."
        )
    return str(kind)


def _refuse_unknown_keys(name: str, kind: str, spec: Spec) -> None:
    known = grammar.keys(kind)
    unknown = sorted(str(key) for key in spec if key not in (*known, "distribution"))
    if not unknown:
        return
    hint = f"q needs distribution: q_{kind}" if unknown == ["q"] and f"q_{kind}" in grammar.NAMES else "remove it"
    raise SearchError(
        f"Parameter {name}: {kind} does not know the key {unknown[0]!r}, only {', '.join(known)}; {hint}."
    )


def _require(name: str, kind: str, spec: Spec, key: str) -> object:
    if key not in spec:
        raise SearchError(f"Parameter {name}: {kind} needs the key {key!r}; add it.")
    return spec[key]


def _number(name: str, key: str, value: object) -> float:
    """A finite number, an int if the YAML has one."""
    if isinstance(value, str):
        hint = "YAML reads 1e-4 as text, write 1.0e-4" if "e" in value.lower() else "write it without quotes"
        raise SearchError(f"Parameter {name}: {key} is the text {value!r}, not a number; {hint}.")
    if not is_number(value):
        raise SearchError(f"Parameter {name}: {key} is {value!r}; it must be a finite number.")
    return value


def _values(name: str, given: object) -> tuple[tuple[object, ...], list[str]]:
    """The distinct values of a list, checked to be JSON, and warnings."""
    if not isinstance(given, (list, tuple)) or not given:
        raise SearchError(f"Parameter {name}: values must be a list with at least one entry, not {given!r}.")
    for value in given:
        _refuse_what_json_lacks(name, value)
    distinct = {identity(value): value for value in reversed(given)}
    kept = tuple(distinct[key] for key in dict.fromkeys(identity(value) for value in given))
    warnings = []
    if len(kept) < len(given):
        warnings.append(f"Parameter {name}: values has repeated entries; each is used once.")
    if any(isinstance(value, str) and _looks_like_exponent(value) for value in kept):
        warnings.append(f"Parameter {name}: YAML reads 1e-4 as text; write 1.0e-4 for a number.")
    return kept, warnings


def _looks_like_exponent(text: str) -> bool:
    try:
        return "e" in text.lower() and math.isfinite(float(text))
    except ValueError:
        return False


def _refuse_what_json_lacks(name: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SearchError(f"Parameter {name}: the value {value!r} does not exist in JSON; use a finite number or text.")
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_what_json_lacks(name, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_what_json_lacks(name, item)
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        raise SearchError(
            f"Parameter {name}: the value {value!r} is a {type(value).__name__}, which JSON lacks; put it in quotes."
        )


def _categorical(name: str, kind: str, spec: Spec) -> tuple[d.Choice, list[str]]:
    given = _require(name, kind, spec, "values")
    values, warnings = _values(name, given)
    if "probabilities" in spec:
        values, weights, more = _read_weights(name, given, spec["probabilities"])
        return d.Choice(values, weights, _is_ordered(values)), [*warnings, *more]
    if _is_ordered(values):
        return d.Choice(values, None, ordered=True), warnings
    return d.Choice(values), warnings


def _is_ordered(values: tuple[object, ...]) -> bool:
    """Whether they are numbers in rising or falling order: neighbours in the list are neighbours in size."""
    numbers = [value for value in values if is_number(value)]
    return len(numbers) == len(values) > 2 and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _read_weights(
    name: str, given: object, probabilities: object
) -> tuple[tuple[object, ...], tuple[float, ...], list[str]]:
    """Values of positive probability, their probabilities (of repeated values added up), and warnings."""
    assert isinstance(given, (list, tuple))
    if not isinstance(probabilities, (list, tuple)) or len(probabilities) != len(given):
        raise SearchError(f"Parameter {name}: probabilities must be a list with one number for each of values.")
    numbers = [_number(name, "probabilities", p) for p in probabilities]
    total = sum(numbers)
    if min(numbers) < 0 or total <= 0:
        raise SearchError(f"Parameter {name}: probabilities must not be negative, and their sum must be 1.")
    weight: dict[object, float] = {}
    value_of: dict[object, object] = {}
    for value, probability in zip(given, numbers, strict=True):
        if probability > 0:
            weight[identity(value)] = weight.get(identity(value), 0.0) + probability / total
            value_of.setdefault(identity(value), value)
    off = abs(total - 1) > 1e-6
    warnings = [f"Parameter {name}: probabilities add up to {total:g}, not 1; they are scaled."] if off else []
    return tuple(value_of.values()), tuple(weight.values()), warnings


def _int_uniform(name: str, spec: Spec) -> d.Choice:
    low, high = (_number(name, key, _require(name, "int_uniform", spec, key)) for key in ("min", "max"))
    if not (float(low).is_integer() and float(high).is_integer()):
        raise SearchError(f"Parameter {name}: int_uniform needs whole numbers, not {low} and {high}; use uniform.")
    _refuse_empty_interval(name, low, high)
    return d.Choice(range(int(low), int(high) + 1), None, ordered=True)


def _refuse_empty_interval(name: str, low: float, high: float) -> None:
    if low > high:
        raise SearchError(f"Parameter {name}: min {low:g} is larger than max {high:g}; exchange them.")


def _numeric(name: str, kind: str, spec: Spec) -> tuple[d.Distribution, list[str]]:
    law = LAWS[grammar.LAW_OF[kind]]
    numbers = {
        key: _number(name, key, spec.get(key, DEFAULTS[key]) if key in DEFAULTS else _require(name, kind, spec, key))
        for key in grammar.keys(kind)
    }
    _refuse_bad_shape(name, kind, numbers)
    warnings = _exponent_warning(name, kind, numbers)
    if "q" not in numbers:
        is_point = "min" in numbers and numbers["min"] == numbers["max"]
        return d.Choice((law(numbers).low,)) if is_point else d.Continuous(law(numbers)), warnings
    multiples = d.quantize(law(numbers), numbers["q"])
    if multiples.size is not None and multiples.size < 1:
        raise SearchError(f"Parameter {name}: no multiple of q {numbers['q']:g} lies between its bounds; lower q.")
    return multiples, warnings


def _refuse_bad_shape(name: str, kind: str, numbers: Numbers) -> None:
    if "min" in numbers:
        _refuse_empty_interval(name, numbers["min"], numbers["max"])
        if kind.endswith("_values") and numbers["min"] <= 0:
            raise SearchError(f"Parameter {name}: {kind} needs min above 0, not {numbers['min']:g}; raise min.")
        if grammar.has_exponents(kind) and max(map(abs, numbers.values())) > grammar.LARGEST_EXPONENT:
            raise SearchError(
                f"Parameter {name}: {kind} takes exponents of e, and these are too large; "
                f"for limits that are values use {kind}_values."
            )
    for key in grammar.POSITIVE:
        if key in numbers and numbers[key] <= 0:
            raise SearchError(f"Parameter {name}: {key} is {numbers[key]:g}; it must be above 0.")


def _exponent_warning(name: str, kind: str, numbers: Numbers) -> list[str]:
    """W&B's log_uniform takes exponents; limits between 0 and 1 are nearly always meant as values."""
    if kind in ("log_uniform", "q_log_uniform") and 0 < numbers["min"] < 1:
        low, high = (math.exp(numbers[key]) for key in ("min", "max"))
        return [
            f"Parameter {name}: {kind} takes exponents of e, so this searches {low:.4g} to {high:.4g}; "
            f"if min and max are values, use {kind}_values."
        ]
    return []
