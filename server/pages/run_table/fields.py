"""Configuration and summary of a run as flat values, for tables and lists."""

from typing import Any

from server.jsontext import config_values, flatten, load_object, without_media
from server.store import Row


def logged_values(values: dict[str, Any]) -> dict[str, Any]:
    """Flat values without wandb's own (`_step`, media)."""
    return flatten(without_media({key: value for key, value in values.items() if not key.startswith("_")}))


def config_of(run: Row) -> dict[str, Any]:
    return flatten(config_values(load_object(run["config"])))


def test_pictures(run: Row) -> str:
    """The digest of a run's test pictures, as the agent says it; "" where nothing says it."""
    return str(config_of(run).get("test_digest", ""))


def best_values(run: Row) -> str:
    """The first few numbers of the summary, for a list; test metrics first, then validation."""
    numbers = {k: v for k, v in logged_values(load_object(run["summary"])).items() if isinstance(v, int | float)}
    order = sorted(numbers, key=lambda key: (not key.startswith("test/"), not key.startswith("val"), key))
    return ", ".join(f"{key} {numbers[key]:.4g}" for key in order[:3])
