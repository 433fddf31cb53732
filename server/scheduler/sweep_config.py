"""A sweep's YAML: reading, checks, and the source of its configurations."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import yaml

from server import search
from server.jsontext import MAX_NESTING, load_object, replace_surrogates
from server.store import Refused, Row

MAX_CONFIG = 200_000  # characters: PyYAML reads some 30,000 a second


class _Loader(yaml.SafeLoader):
    """Half a surrogate pair, which YAML can write and no UTF-8 hold, becomes U+FFFD."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        return replace_surrogates(super().construct_scalar(node))


@functools.lru_cache(maxsize=256)
def read_config(text: str) -> Mapping[str, Any]:
    """The sweep's YAML as a mapping. Raises Refused if it is none."""
    depth = max(itertools.accumulate((c in "[{") - (c in "]}") for c in text), default=0)
    if len(text) > MAX_CONFIG or depth > MAX_NESTING:
        raise Refused(
            f"the sweep's configuration has more than {MAX_CONFIG} characters, or is nested over {MAX_NESTING} deep"
        )
    try:
        config = yaml.load(text, _Loader)
    except RecursionError:
        raise Refused(f"the sweep's configuration is nested over {MAX_NESTING} deep") from None
    except yaml.YAMLError as error:
        raise Refused(f"the sweep's configuration is not YAML: {error}") from None
    if not isinstance(config, dict):
        raise Refused("the sweep's configuration must be a mapping")
    return config


def validate(text: str, controller: str | None, scheduler: str | None) -> tuple[Mapping[str, Any], list[str]]:
    """The configuration and doubts about it. Raises Refused."""
    config = read_config(text)
    _refuse_long_numbers(config)
    if origin_of(text, controller, scheduler) != "server":
        return config, []
    try:
        return config, search.validate(config)
    except search.SearchError as error:
        raise Refused(str(error)) from None


def _refuse_long_numbers(config: Mapping[str, Any]) -> None:
    """Refuse whole numbers of more than 64 bits: neither SQLite nor a client can hold them."""
    seen: set[int] = set()  # YAML may say the same part in several places, even within itself
    rest: list[tuple[str, Any]] = [("", config)]
    while rest:
        where, value = rest.pop()
        if isinstance(value, int) and abs(value) >= 2**63:
            raise Refused(f"{where[1:]} is a whole number of more than 64 bits")
        if isinstance(value, dict | list) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            rest += [(f"{where}.{key}", item) for key, item in items]


def origin_of(text: str, controller: str | None, scheduler: str | None) -> str:
    """The source of suggestions: this `server`, the client's local `controller`, or the client's sweep `scheduler`."""
    config = read_config(text)
    local = config.get("controller")
    if (isinstance(local, dict) and local.get("type") == "local") or load_object(controller).get("type") == "local":
        return "controller"
    return "scheduler" if load_object(scheduler).get("engine") or config.get("scheduler") else "server"


def origin(sweep: Row) -> str:
    return origin_of(sweep["config"], sweep["controller"], sweep["scheduler"])


def is_schedule_over(sweep: Row) -> bool:
    """Whether the local controller has said that no run follows, by an entry of its schedule without arguments."""
    schedule = load_object(sweep["controller"]).get("schedule") or []
    return origin(sweep) == "controller" and any((entry.get("data") or {}).get("args") is None for entry in schedule)


def requeue(sweep: Row) -> int:
    """Number of times that a crashed run is handed out again, `requeue: n`; 0 by default, as with W&B."""
    n = read_config(sweep["config"]).get("requeue", 0)
    return n if isinstance(n, int) and not isinstance(n, bool) and n > 0 else 0
