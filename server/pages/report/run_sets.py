"""The run sets of a report: runs by a saved filter, their order and groups."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from server.jsontext import as_list, as_number, as_object
from server.store import Refused, Row, Store, projects, runs
from server.store.users import Person

MAX_RUNS = 200
OPERATORS = {"!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "IN": "$in", "NIN": "$nin"}
SECTIONS = {"config": "config.", "summary": "summary_metrics.", "run": ""}
RUN_KEYS = {"group": "group_name", "createdAt": "created_at", "jobType": "job_type", "displayName": "display_name"}


@dataclass(frozen=True)
class RunSet:
    """`n` runs were found, `runs` are the first; `grouping` holds keys of filters; `fault`: reason of an empty set."""

    name: str
    runs: list[Row] = field(default_factory=list)
    n: int = 0
    grouping: list[str] = field(default_factory=list)
    fault: str = ""


def read(store: Store, own: Row, person: Person, spec: Any) -> RunSet:
    """A run set. `spec`: the client's own; `own`: the report's project, for a set that names none."""
    spec = as_object(spec)
    name = str(spec.get("name") or "Run set")
    place = as_object(spec.get("project"))
    entity, project_name = place.get("entityName") or own["entity"], place.get("name") or own["name"]
    project = projects.find(store.db, str(entity), str(project_name)) if person.sees(str(entity)) else None
    if project is None:
        return RunSet(name, fault=f"there is no project {entity}/{project_name}")
    try:
        conditions = [*_conditions(spec.get("filters"), store.clock()), *_search(spec.get("search"))]
        ids = runs.ids(store.db, project["id"], json.dumps({"$and": conditions}), _order(spec.get("sort")))
        grouping = [key for each in as_list(spec.get("grouping")) if (key := key_of(each))]
        runs.values_of(store.db, [], grouping)
    except Refused as error:
        return RunSet(name, fault=str(error))
    found = _apply_selections(runs.get_many(store.db, ids), spec.get("selections"))
    return RunSet(name, found[:MAX_RUNS], len(found), grouping)


def key_of(key: Any) -> str:
    """The key of a `{section, name}` in filters; "" if it is invalid."""
    if not isinstance(key, dict) or not isinstance(key.get("name"), str):
        return ""
    section, name = key.get("section"), key["name"]
    if section not in SECTIONS:
        return ""
    return f"{SECTIONS[section]}{RUN_KEYS.get(name, name) if section == 'run' else name}"


def accessor(text: Any) -> str:
    """`config:lr.value` → `config.lr`, `summary:acc` → `summary_metrics.acc`; a bare name is one of the summary."""
    if not isinstance(text, str) or not text:
        return ""
    section, colon, name = text.partition(":")
    if colon and section in SECTIONS:
        return key_of({"section": section, "name": name.removesuffix(".value")})
    return SECTIONS["summary"] + text


def _conditions(tree: Any, now: float) -> list[dict[str, Any]]:
    """The conditions of a filter, all of which hold. Raises Refused for an unknown one."""
    if not isinstance(tree, dict) or tree.get("disabled"):
        return []
    inner = tree.get("filters")
    if isinstance(inner, list):
        parts = [part for each in inner for part in _conditions(each, now)]
        either = tree.get("op") == "OR" and len(parts) > 1
        return [{"$or": parts}] if either else [{"$and": parts}] if parts else []
    return [_leaf(tree, now)] if tree.get("key") else []


def _leaf(leaf: dict[str, Any], now: float) -> dict[str, Any]:
    key, operator, value = leaf["key"], leaf.get("op"), leaf.get("value")
    if isinstance(key, dict) and key.get("section") == "tags":
        return {"tags": {"$in" if value else "$nin": [key.get("name")]}}
    name = key_of(key)
    if not name:
        raise Refused(f"a filter by {key!r:.200} is not understood")
    if operator in ("=", "=="):
        return {name: value}
    if operator == "WITHINSECONDS" and (seconds := as_number(value)) is not None:
        return {name: {"$gte": now - seconds}}
    if operator not in OPERATORS:
        raise Refused(f"the operator {operator!r:.50} of a filter is not understood")
    return {name: {OPERATORS[operator]: value}}


def _search(search: Any) -> list[dict[str, Any]]:
    text = as_object(search).get("query")
    if not isinstance(text, str) or not text:
        return []
    pattern = text if as_object(search).get("isRegex") else re.escape(text)
    return [{"display_name": {"$regex": pattern, "$options": "i"}}]


def _order(sort: Any) -> str:
    first = as_object(next(iter(as_list(as_object(sort).get("keys"))), None))
    return f"{'+' if first.get('ascending') else '-'}{key_of(first.get('key')) or 'created_at'}"


def _apply_selections(found: list[Row], selections: Any) -> list[Row]:
    """The selected runs: with root 1 all but those of the tree, with root 0 only those of it."""
    if not isinstance(selections, dict):
        return found
    names = {each for each in as_list(selections.get("tree")) if isinstance(each, str)}
    if selections.get("root") == 0:
        return [run for run in found if run["name"] in names]
    return [run for run in found if run["name"] not in names]
