"""The parameter space of a sweep: its parameters in the order of the file, nested names as paths."""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from server.search import parameters
from server.search.distributions import Choice, Continuous, Distribution, Quantized
from server.search.errors import SearchError
from server.search.identity import identity

Path = tuple[str, ...]
Point = tuple[object, ...]
"""One value per parameter, in the order of the space."""


@dataclass(frozen=True)
class Parameter:
    path: Path
    distribution: Distribution

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Space:
    parameters: tuple[Parameter, ...]

    @cached_property
    def size(self) -> int | None:
        """Number of different configurations, None if infinite."""
        sizes = [parameter.distribution.size for parameter in self.parameters]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def cell(self, index: int) -> Point:
        """Configuration number `index` of a finite space; the last parameter changes fastest."""
        values: list[object] = []
        for parameter in reversed(self.parameters):
            distribution = parameter.distribution
            assert isinstance(distribution, (Choice, Quantized))
            index, digit = divmod(index, distribution.size or 1)
            values.append(distribution.at(digit))
        return tuple(reversed(values))

    def key(self, point: Point) -> Hashable:
        """A key, equal for two points exactly if they are the same configuration."""
        return tuple(identity(value) for value in point)

    def point(self, params: Mapping[str, object]) -> Point | None:
        """The values of this space's parameters in a configuration that was handed out.

        None if one is missing, as in a run of an older version of the sweep. A missing constant has its one value.
        """
        values: list[object] = []
        for parameter in self.parameters:
            value: object = params
            for key in parameter.path:
                value = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
            if value is _MISSING and parameter.distribution.size == 1:
                assert isinstance(parameter.distribution, (Choice, Quantized))
                value = parameter.distribution.at(0)
            if value is _MISSING:
                return None
            values.append(value)
        return tuple(values)

    def used_keys(self, runs: Iterable[Mapping[str, object]]) -> frozenset[Hashable]:
        """Keys of the configurations that were handed out."""
        points = (self.point(params) for params in runs)
        return frozenset(self.key(point) for point in points if point is not None)

    def holds(self, params: Mapping[str, object]) -> bool:
        """Whether a configuration, of this sweep or not, lies in this finite space."""
        point = self.point(params)
        return point is not None and all(
            not isinstance(parameter.distribution, Continuous) and parameter.distribution.index(value) is not None
            for parameter, value in zip(self.parameters, point, strict=True)
        )

    def to_config(self, point: Point) -> dict[str, object]:
        """The configuration as the training program gets it; shares no list or dictionary with the sweep's config."""
        config: dict[str, object] = {}
        for parameter, value in zip(self.parameters, point, strict=True):
            place = config
            for key in parameter.path[:-1]:
                inner = place.setdefault(key, {})
                assert isinstance(inner, dict)
                place = inner
            place[parameter.path[-1]] = copy.deepcopy(value)
        return config


_MISSING = object()


def read(config: Mapping[str, object]) -> tuple[Space, list[str]]:
    """The space of a sweep's configuration, and warnings; raises SearchError."""
    given = config.get("parameters")
    if not isinstance(given, Mapping) or not given:
        raise SearchError("The sweep has no parameters; add a `parameters:` section with at least one parameter.")
    found, warnings = _read_section(given, ())
    return Space(tuple(found)), warnings


def _read_section(section: Mapping[str, object], prefix: Path) -> tuple[list[Parameter], list[str]]:
    found: list[Parameter] = []
    warnings: list[str] = []
    for key, spec in section.items():
        path = (*prefix, str(key))
        name = ".".join(path)
        if not isinstance(spec, Mapping):
            raise SearchError(f"Parameter {name}: {spec!r} is no description of values; write `value: {spec}`.")
        if "parameters" in spec:
            inner = spec["parameters"]
            if len(spec) > 1 or not isinstance(inner, Mapping) or not inner:
                raise SearchError(f"Parameter {name}: `parameters` must hold named parameters and stand alone.")
            nested, more = _read_section(inner, path)
            found += nested
        else:
            distribution, more = parameters.read(name, spec)
            found.append(Parameter(path, distribution))
        warnings += more
    return found, warnings


def names(given: Sequence[Parameter]) -> str:
    return ", ".join(parameter.name for parameter in given)
