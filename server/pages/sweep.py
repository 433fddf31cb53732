"""One sweep: its runs with what they vary and what came out, best first."""

from typing import Any

from server import scheduler
from server.jsontext import flatten, load_object, loads
from server.pages.charts import Line, chart, sampled
from server.pages.home import config_of, sweep_title
from server.store import Row, Store, runs, sweeps

MAX_ROWS = 1000


def gather(store: Store, project: Row, sweep: Row) -> dict[str, Any]:
    from server.search import PastRun
    from server.search.runs import read_metric

    config = scheduler.read_config(sweep["config"])
    metric = read_metric(config)
    past = {run.name: run for run in scheduler.past_runs(store, sweep)}
    by_name = {run["name"]: run for run in runs.many(store.db, sweeps.run_ids(store.db, sweep["id"]))}
    rows = [
        item | {"params": flatten(loads(item["params"], {})), "info": by_name[item["run"]]}
        for item in sweeps.suggestions(store.db, sweep["id"])
        if item["run"] in by_name
    ]
    suggested = {row["run"] for row in rows}
    for name, info in by_name.items():
        if name not in suggested:  # came with a push, or joined by itself
            params, summary = config_of(info), load_object(info["summary"])
            past[name] = PastRun(name, params, info["state"], summary, ())
            rows.append({"run": name, "run_state": info["state"], "params": params, "info": info})
            rows[-1] |= {"number": len(rows), "stop_reason": None}
    for row in rows:
        row["value"] = metric.of(past[row["run"]]) if metric else None
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
        "rows": ranked[:MAX_ROWS],
        "n_rows": len(ranked),
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
    if not values:
        return ""
    dots = sampled(values)
    note = f"{len(dots)} of {len(values)} runs" if len(dots) < len(values) else ""
    lines = [Line("best", sampled(best), "val"), Line("", dots, "train", dots=True)]
    return chart(name, lines, "run", note)
