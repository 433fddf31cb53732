"""Times until pages come and are drawn: a project of many runs, and 200 runs of 500 steps over one another.

    python -m bench.pages [--runs 10000] [--repeat 20]

Prints for each page the server's time (a request on loopback, median and slowest of --repeat), the processor time in
it, and the page's size without media; in headless Chromium, if there is one, the time from the first byte and from the
start of the navigation until all curves are drawn, and from a movement of the pointer to the next frame that shows the
names, and the processor time of the page's process for it. The load of the machine comes with it.
"""

import argparse
import json
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.harness.server_process import run_server
from common.wandb_api import open_url
from server.store import Connection, Store, projects, runs, streams, sweeps

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

CURVES, STEPS = 200, 500
WIDE, METRICS, ROWS = 4, 150, 1500
MODELS = ("unet/resnet18", "unet/mobilenet_v2", "deeplabv3plus/resnet18", "deeplabv3plus/lite0")
SWEEP = """method: random
metric: {name: val/iou, goal: maximize}
parameters:
  model: {values: [%s]}
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
  batch_size: {values: [2, 4, 8]}
  seed: {values: [1, 2, 3, 4, 5]}
"""


def fill(folder: Path, n: int) -> None:
    """Fill a server's folder with three projects.

    many: n runs with 20 settings and 20 results. curves: a sweep of CURVES runs with STEPS rows. wide: WIDE runs with
    ROWS rows of METRICS metrics.
    """
    noise = random.Random(1)
    store = Store(folder)
    with store.write() as db:
        many = projects.ensure(db, "local", "many", 1.0)[0]["id"]
        curves = projects.ensure(db, "local", "curves", 1.0)[0]["id"]
        sweep = sweeps.insert(db, curves, "sweep", SWEEP % ", ".join(MODELS), 1, 1.0)
        sweeps.change(db, sweep, 2.0, state="FINISHED")
        for number in range(n):
            _run(db, many, f"run{number:06}", noise, None)
        for number in range(CURVES):
            run_id = _run(db, curves, f"curve{number:04}", noise, sweep)
            streams.put_history(db, run_id, 0, _history(noise))
        wide = projects.ensure(db, "local", "wide", 1.0)[0]["id"]
        for number in range(WIDE):
            run_id = _run(db, wide, f"wide{number}", noise, None)
            names = [f"group{i % 7}/metric{i}" for i in range(METRICS)]
            rows = [{"_step": step, "epoch": step} | {name: noise.random() for name in names} for step in range(ROWS)]
            streams.put_history(db, run_id, 0, [json.dumps(row) for row in rows])
        while runs.index_summaries(db, 1000):
            pass
    store.close()


def _run(db: Connection, project: int, name: str, noise: random.Random, sweep: int | None) -> int:
    settings = {
        "model": noise.choice(MODELS),
        "learning_rate": 10 ** noise.uniform(-5, -1),
        "batch_size": noise.choice((2, 4, 8)),
        "seed": noise.randint(1, 5),
    } | {f"fact_{i}": i for i in range(16)}
    iou = noise.uniform(0.7, 0.98)
    results = {"val/iou": iou, "test/iou": iou - 0.01, "val/loss": 1 - iou}
    results |= {f"result_{i}": noise.random() for i in range(17)}
    config = json.dumps({key: {"value": value} for key, value in settings.items()})
    now = 1_700_000_000.0 + len(name)
    run_id = runs.insert(db, project, name, "running", now, config=config, summary=json.dumps(results), sweep_id=sweep)
    if sweep is not None:
        sweeps.suggest(db, sweep, run_id, {key: settings[key] for key in list(settings)[:4]}, "server", None)
    runs.set_state(db, run_id, "finished", now + 60, 0)
    return run_id


def _history(noise: random.Random) -> list[str]:
    height, speed = noise.uniform(0.7, 0.98), noise.uniform(20, 90)
    rows = []
    for step in range(STEPS):
        iou = height * (1 - math.exp(-step / speed)) + noise.gauss(0, 0.005)
        row = {"_step": step, "_runtime": step * 1.5, "epoch": step + 1, "train/iou": iou + 0.01, "val/iou": iou}
        rows.append(json.dumps(row | {"train/loss": 1 - iou, "val/loss": 1.1 - iou}))
    return rows


def measure_pages(url: str, pid: int, repeat: int) -> None:
    process = psutil.Process(pid)
    for name, path in {
        "project, first page": "/local/many",
        "project, sorted by a result": "/local/many?sort=-high.val/iou",
        "project, filtered": "/local/many?q=val/iou+>+0.9,+model+=+unet/resnet18",
        "project, grouped by settings": "/local/many?group=model",
        "project, last page": "/local/many?page=200",
        "sweep of 200": "/local/curves/sweeps/sweep",
        "compare 200 runs": "/local/curves/compare?sweep=sweep&search=val/iou",
        "compare 200 runs, grouped": "/local/curves/compare?sweep=sweep&group=model",
        "compare 4 runs of 150 metrics": "/local/wide/compare",
    }.items():
        seconds, size = [], 0
        before = sum(process.cpu_times()[:2])
        for _ in range(repeat):
            began = time.perf_counter()
            with open_url(urllib.request.Request(url + path.replace(" ", "%20").replace(">", "%3E")), 20) as answer:
                size = len(answer.read())
            seconds.append(time.perf_counter() - began)
        print(
            f"{name:32} {1000 * statistics.median(seconds):6.0f} ms median, {1000 * max(seconds):6.0f} ms slowest "
            f"(n = {repeat}), {1000 * (sum(process.cpu_times()[:2]) - before) / repeat:4.0f} ms of a core each, "
            f"{size / 1000:4.0f} kB",
            flush=True,
        )


def measure_browser(url: str, repeat: int) -> None:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        print("no Chromium here: drawing and hovering are not measured")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(address := f"{url}/local/curves/compare?sweep=sweep&search=val/iou")
        inspector = page.context.new_cdp_session(page)
        inspector.send("Performance.enable")

        def work() -> float:
            metrics = inspector.send("Performance.getMetrics")["metrics"]
            return 1000 * float(next(each["value"] for each in metrics if each["name"] == "ProcessTime"))

        _times("draw 200 × 500", repeat, lambda: _draw(page, address), work)
        page.locator("figure.chart svg").first.scroll_into_view_if_needed()
        box = page.locator("figure.chart svg").first.bounding_box()
        assert box is not None
        where = iter(range(10**6))
        _times("hover over 200 lines", 5 * repeat, lambda: _hover(page, box, next(where)), work)
        browser.close()


def _draw(page: "Page", address: str) -> tuple[float, ...]:
    """Milliseconds from the answer's first byte, and from the start of the navigation, to the frame with all lines."""
    page.goto(address)
    script = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
        const [entry] = performance.getEntriesByType("navigation");
        done([performance.now() - entry.responseStart, performance.now()]);
    })))"""
    times: list[float] = page.evaluate(script)
    assert page.locator("figure.chart g.line").count() == 2 * CURVES
    return tuple(times)


def _hover(page: "Page", box: "FloatRect", number: int) -> tuple[float, ...]:
    """Milliseconds from a movement of the pointer to the frame after it, in which the tip names the lines."""
    x, y = box["x"] + box["width"] * (0.3 + 0.5 * (number * 0.618 % 1)), box["y"] + box["height"] * 0.5
    script = """([x, y]) => new Promise((done) => {
        const target = document.elementFromPoint(x, y);
        const began = performance.now();
        target.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
        requestAnimationFrame(() => setTimeout(() => done([performance.now() - began])));
    })"""
    times: list[float] = page.evaluate(script, [x, y])
    assert page.locator(".tip").first.inner_text()
    return tuple(times)


def _times(name: str, repeat: int, measure: Callable[[], tuple[float, ...]], work: Callable[[], float]) -> None:
    before = work()
    measured = [measure() for _ in range(repeat)]
    each = (work() - before) / repeat
    columns = list(zip(*measured, strict=True))
    text = ", ".join(f"{statistics.median(one):.0f} ms median ({max(one):.0f} slowest)" for one in columns)
    print(f"{name:32} {text}, n = {repeat}, {each:.0f} ms of a core each", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--dir", type=Path, help="a folder that is filled once and kept")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.dir or Path(temporary) / "folder"
        if not (folder / "wandb.sqlite").exists():
            began = time.monotonic()
            fill(folder, options.runs)
            print(f"filled {options.runs} runs in {time.monotonic() - began:.0f} s", flush=True)
        with run_server(folder) as (url, pid):
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            measure_pages(url, pid, options.repeat)
            measure_browser(url, options.repeat)
            print(f"load average {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
