"""The client's own local controller: it writes its decisions into the sweep, this module carries them out."""

import json
from typing import Any

from server.jsontext import load_object
from server.scheduler import scheduler
from server.store import Refused, Row, Store, runs, sweeps


def follow(store: Store, sweep: Row, controller: dict[str, Any]) -> None:
    """Decisions of the client's local controller: new runs by schedule id, and runs to stop.

    The controller reads its own words back and adds no run while one of them is still to begin.
    """
    check(controller)
    known = {item["schedule_id"] for item in sweeps.suggestions(store.db, sweep["id"])}
    with store.write() as db:
        for entry in controller.get("schedule") or []:
            args = (entry.get("data") or {}).get("args")
            if args is not None and entry["id"] not in known:
                params = {key: v["value"] if isinstance(v, dict) and "value" in v else v for key, v in args.items()}
                scheduler.add_run(store, sweep, params, "controller", schedule_id=entry["id"])
        stops = set(controller.get("earlystop") or [])
        items = sweeps.suggestions(db, sweep["id"])
        for item in items:
            if item["run"] in stops and item["run_state"] in runs.ALIVE and item["stop_reason"] is None:
                sweeps.record_stop(db, item["run_id"], "the local controller stopped it")
                runs.request_stop(db, item["run_id"], store.clock())
        scheduled = [{"id": item["schedule_id"], "runid": item["run"]} for item in items if item["schedule_id"]]
        kept = {key: value for key, value in load_object(sweep["controller"]).items() if key == "type"}
        words = {"controller": json.dumps(kept | controller), "scheduler": json.dumps({"scheduled": scheduled})}
        sweeps.change(db, sweep["id"], store.clock(), **words)
    scheduler.finish_if_done(store, sweep["id"])


def check(controller: dict[str, Any]) -> None:
    """Raises Refused for anything but a schedule and runs to stop."""
    if not _is_schedule(controller):
        raise Refused("controller: schedule must be a list of {id, data: {args}}, earlystop a list of run names")


def _is_schedule(controller: dict[str, Any]) -> bool:
    entries, stops = controller.get("schedule") or [], controller.get("earlystop") or []
    if not isinstance(entries, list) or not isinstance(stops, list):
        return False
    known = all(isinstance(e, dict) and isinstance(e.get("id") or "", str) for e in entries)
    return (
        known
        and all(
            isinstance(e.get("data") or {}, dict)
            and isinstance((e.get("data") or {}).get("args") or {}, dict)
            and ("id" in e or (e.get("data") or {}).get("args") is None)
            for e in entries
        )
        and all(isinstance(run, str) for run in stops)
    )
