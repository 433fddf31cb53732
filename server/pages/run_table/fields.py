"""Configuration and summary of a run as flat values, for tables and lists."""

from collections.abc import Sequence
from typing import Any

from server.jsontext import config_values, drop_media, flatten, load_object
from server.store import Row


def logged_values(values: dict[str, Any]) -> dict[str, Any]:
    """Flat values without wandb's own (`_step`, media)."""
    return flatten(drop_media({key: value for key, value in values.items() if not key.startswith("_")}))


def config_of(run: Row) -> dict[str, Any]:
    return flatten(config_values(load_object(run["config"])))


def test_digest(run: Row) -> str:
    """The digest of a run's test pictures by the agent; "" if there is none."""
    return str(config_of(run).get("test_digest", ""))


def leading_metrics(run: Row, goals: Sequence[str] = ()) -> dict[str, Any]:
    """Numbers of the summary: the metrics of sweeps with their test metrics, then test before validation."""
    numbers = {k: v for k, v in logged_values(load_object(run["summary"])).items() if type(v) in (int, float)}
    first = [key for goal in goals for key in (goal, f"test/{goal.rpartition('/')[2]}")]
    rank = {key: at for at, key in enumerate(first)}
    order = sorted(
        numbers, key=lambda key: (rank.get(key, len(rank)), not key.startswith("test/"), key[:3] != "val", key)
    )
    return {key: numbers[key] for key in order[:6]}


def summary_text(run: Row) -> str:
    """The first few numbers of the summary, for a list."""
    return ", ".join(f"{key} {value:.4g}" for key, value in list(leading_metrics(run).items())[:3])
