"""One sweep: its runs with what they vary and what came out, best first."""

from typing import Any

from server import scheduler
from server.jsontext import flatten, loads
from server.pages.charts import Line, chart
from server.pages.home import sweep_title
from server.store import Row, Store, runs, sweeps


def gather(store: Store, project: Row, sweep: Row) -> dict[str, Any]:
    from server.search.runs import read_metric

    config = scheduler.read_config(sweep["config"])
    metric = read_metric(config)
    past = {run.name: run for run in scheduler.past_runs(store, sweep)}
    by_name = {run["name"]: run for run in runs.many(store.db, sweeps.run_ids(store.db, sweep["id"]))}
    rows = []
    for item in sweeps.suggestions(store.db, sweep["id"]):
        value = metric.of(past[item["run"]]) if metric else None
        params = flatten(loads(item["params"], {}))
        rows.append(item | {"params": params, "value": value, "info": by_name[item["run"]]})
    varied = [
        key
        for key in _keys(rows)
        if len({repr(row["params"].get(key)) for row in rows}) > 1 or len(rows) == 1
    ]
    sign = -1 if metric and metric.maximize else 1
    ranked = sorted(rows, key=lambda row: (row["value"] is None, sign * (row["value"] or 0), row["number"]))
    return {
        "project": project,
        "sweep": sweep,
        "title": sweep_title(sweep),
        "method": config.get("method", "custom"),
        "metric": metric,
        "expected": scheduler.expected_runs(store, sweep),
        "rows": ranked,
        "varied": varied,
        "chart": _progress(rows, sign, metric.name) if metric else "",
        "agents": sweeps.agents(store.db, sweep["id"]),
        "now": store.clock(),
        "refresh": 5 if sweep["state"] in ("PENDING", "RUNNING") else None,
    }


def _keys(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row["params"]))


def _progress(rows: list[Row], sign: int, name: str) -> Any:
    """Each run's value in the order of suggestion, and the best so far."""
    values = [(row["number"], row["value"]) for row in rows if row["value"] is not None]
    best: list[tuple[float, float]] = []
    for number, value in values:
        best.append((number, min(best[-1][1] * sign, value * sign) * sign if best else value))
    return (
        chart(name, [Line("best", best, "val"), Line("", values, "train", dots=True)], "run")
        if values
        else ""
    )
