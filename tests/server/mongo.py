"""MongoDB's rules for filters, written down once more in a few lines."""

import math
import re
from typing import Any


def kind(value: Any) -> str:
    return {bool: "bool", int: "number", float: "number"}.get(type(value), type(value).__name__)


def same(one: Any, other: Any) -> bool:
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other or (one != one and other != other))


def holds(leaves: list[Any], question: Any) -> bool:
    """The manual's rule for one field; `leaves` stand at its path: usually nothing or one value."""
    if not (isinstance(question, dict) and any(key.startswith("$") for key in question)):
        question = {"$eq": question}
    return all(_holds(leaves, operator, wanted) for operator, wanted in question.items())


def _holds(leaves: list[Any], operator: str, wanted: Any) -> bool:
    every = [member for leaf in leaves for member in ([leaf, *leaf] if isinstance(leaf, list) else [leaf])]
    if operator == "$not":
        return not holds(leaves, wanted)
    if operator == "$exists":
        return (leaves != []) == bool(wanted)
    if operator in ("$ne", "$nin"):
        return not _holds(leaves, "$eq" if operator == "$ne" else "$in", wanted)
    if operator == "$in":
        return any(_holds(leaves, "$eq", one) for one in wanted)
    if operator == "$regex":
        return any(isinstance(one, str) and re.search(wanted, one) for one in every)
    if operator == "$eq" or (wanted is None and operator in ("$gte", "$lte")):
        return any(same(one, wanted) for one in every) or (wanted is None and not leaves)
    if wanted is None:
        return False
    alike = [one for one in every if kind(one) == kind(wanted) and (one == one) == (wanted == wanted)]
    if "e" in operator and any(same(one, wanted) for one in alike):
        return True
    return any(less(wanted, one) if operator.startswith("$g") else less(one, wanted) for one in alike)


def less(one: Any, other: Any) -> bool:
    """Kinds in MongoDB's order, NaN before all numbers, lists member by member."""
    if kind(one) != kind(other):
        order = ("NoneType", "number", "str", "dict", "list", "bool")
        return order.index(kind(one)) < order.index(kind(other))
    if isinstance(one, list):
        first = next((pair for pair in zip(one, other, strict=False) if not same(*pair)), None)
        return less(*first) if first else len(one) < len(other)
    if kind(one) == "number" and (one != one or other != other):
        return not math.isnan(other)
    return bool(one < other)


def leaves_at(value: Any, path: list[str]) -> list[Any]:
    if not path:
        return [value]
    if isinstance(value, dict):
        return leaves_at(value[path[0]], path[1:]) if path[0] in value else []
    if not isinstance(value, list):
        return []
    there = value[int(path[0]) :][:1] if path[0].isdecimal() else []
    found = [leaf for item in there for leaf in leaves_at(item, path[1:])]
    return found + [leaf for item in value if isinstance(item, dict) for leaf in leaves_at(item, path)]


def passes(tree: dict[str, Any], document: Any) -> bool:
    """Whether a filter of one key, nested or not, lets the document pass."""
    [(key, value)] = tree.items()
    if key in ("$and", "$or", "$nor"):
        parts = [passes(part, document) for part in value]
        return all(parts) if key == "$and" else any(parts) if key == "$or" else not any(parts)
    return not passes(value, document) if key == "$not" else holds(leaves_at(document, key.split(".")), value)
