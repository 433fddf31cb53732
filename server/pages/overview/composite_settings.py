"""A setting whose texts are made of other settings: model `unet/resnet18/imagenet` is architecture, backbone, weights.

Pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def split(texts: Sequence[Any], others: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The settings of `others` that together determine the texts, with their values; empty if they do not.

    Each run has a text, and a value of each other setting or None. A part differs, is the same in all runs with one
    text, and is a word of each text that has the most words: a shorter text, as `unet` alone, leaves some out. Parts
    are in the order of their words.
    """
    if not texts or not all(isinstance(text, str) for text in texts):
        return {}
    words = {text: re.findall(r"[^\s/,;:|@&=()]+", text) for text in texts}
    most = max(map(len, words.values()))
    whole = sorted(text for text in words if len(words[text]) == most)
    parts: dict[str, dict[str, Any]] = {}
    for name in sorted(others):
        of = _by_text(texts, others[name])
        stands = [_as_text(of[text]) in words[text] for text in whole if text in of]
        if stands and all(stands) and len(set(map(repr, of.values()))) > 1 and of not in parts.values():
            parts[name] = of
    known = {text for of in parts.values() for text in of}
    if len({repr([of.get(text) for of in parts.values()]) for text in known}) < len(known):
        return {}

    def places(name: str) -> list[int]:
        return [words[text].index(_as_text(parts[name][text])) for text in whole if text in parts[name]]

    return {name: [parts[name].get(text) for text in texts] for name in sorted(parts, key=places)}


def _by_text(texts: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Text → the value in all its runs; empty if they disagree, or if the values are the texts."""
    of: dict[str, Any] = {}
    for text, value in zip(texts, values, strict=True):
        if value is not None and of.setdefault(text, value) != value:
            return {}
    return {} if all(text == value for text, value in of.items()) else of


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
