"""W&B's published schema of a sweep, as its package `sweeps` ships it."""

import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]


def is_invalid(parameter: Mapping[str, Any]) -> bool:
    """Whether the schema refuses the specification of a parameter."""
    return not _validator().is_valid(parameter)


@functools.cache
def _validator() -> Any:
    """Validator of the schema; its formats tell 1 from 1.0, which JSON does not."""
    spec = importlib.util.find_spec("sweeps")
    assert spec
    assert spec.origin
    text = json.loads(Path(spec.origin).with_name("config").joinpath("schema.json").read_text())
    formats = jsonschema.FormatChecker(())
    formats.checks("float")(lambda value: isinstance(value, float))
    formats.checks("integer")(lambda value: isinstance(value, int))
    parameter = {"definitions": text["definitions"], "$ref": "#/definitions/parameter"}
    return jsonschema.Draft7Validator(parameter, format_checker=formats)
