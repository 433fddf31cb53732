"""A folder with everything that the pages of single things show, written without a client; its words can be evil."""

import io
import json
from typing import Any

from PIL import Image

from server.store import Connection, Row, Store, artifacts, files, projects, runs, streams, views
from tests.server.content import add_version

N_LINES = 1200
SHIFT = 5
PROJECT = ("lab", "pieces")
KEY = "test/predictions"
DELIMITER = "_wandb_delimeter_"


def png(picture: bool, shift: int = 0) -> bytes:
    """A photograph of 64 × 48 pixels, or a mask of a piece of 20 × 20 with 1 inside, `shift` pixels to the right."""
    pixels = Image.new("RGB", (64, 48), (90, 120, 150)) if picture else Image.new("L", (64, 48), 0)
    pixels.paste((200, 120, 60) if picture else 1, (10 + shift, 10, 30 + shift, 30))
    body = io.BytesIO()
    pixels.save(body, "PNG")
    return body.getvalue()


PNG = png(picture=True)


def image(step: int, number: int, word: str) -> dict[str, Any]:
    """Media of two pictures with masks and boxes, as the client logs them."""
    folder = f"media/images/{step}"
    return {
        "_type": "images/separated",
        "width": 64,
        "height": 48,
        "count": 2,
        "filenames": [f"{folder}/{i}.png" for i in range(2)],
        "captions": [f"{word} {i}" for i in range(2)],
        "all_masks": [
            {name: {"_type": "mask", "path": f"{folder}/{name}-{i}.mask.png"} for name in ("truth", "prediction")}
            for i in range(2)
        ],
        "all_boxes": [{"piece": {"_type": "boxes2D", "path": f"{folder}/boxes.json"}}, None],
    }


def boxes(word: str) -> bytes:
    pixel = {"position": {"middle": [32, 24], "width": 16, "height": 12}, "domain": "pixel", "class_id": 1}
    share = {"position": {"minX": 0.1, "maxX": 0.3, "minY": 0.2, "maxY": 0.6}, "class_id": 2, "box_caption": word}
    broken = [{"position": {"minX": "a"}}, {}, 3, {"position": {"middle": [1]}}]
    return json.dumps({"box_data": [share, pixel, *broken]}).encode()


def config(word: str) -> dict[str, Any]:
    labels = {"0": "background", "1": word}
    masks = {f"{KEY}{DELIMITER}{name}": {"value": labels} for name in ("truth", "prediction")}
    bars = {
        "panel_type": "Vega2",
        "panel_config": {
            "panelDefId": "wandb/bar/v0",
            "fieldSettings": {"label": "name", "value": "iou"},
            "stringSettings": {"title": f"Bars {word}"},
            "userQuery": {"queryFields": [{"args": [{"name": "tableKey", "value": "bars_table"}]}]},
        },
    }
    facts: dict[str, Any] = {
        "program": "train.py",
        "codePath": "agent/train.py",
        "args": ["--lr", f"0.1 {word}"],
        "os": "Linux 6",
    }
    facts |= {"python": "CPython 3.11.7", "git": {"commit": "abc123", "remote": f"git@host:{word}"}}
    own = {"mask/class_labels": masks, "visualize": {"bars": bars}, "e": {"w": facts}, "cli_version": "0.31.0"}
    own["bounding_box/class_labels"] = {f"{KEY}{DELIMITER}piece": {"value": {"1": "in pixels", "2": "share"}}}
    return {"lr": {"value": 0.1}, f"name {word}": {"value": word}, "_wandb": {"value": own}}


def fill(store: Store, word: str = "plain") -> None:
    """Run `rich` with everything, run `other` with the same pictures, an artifact of two versions, and a report."""
    with store.write() as db:
        project, _ = projects.ensure(db, *PROJECT, 1.0)
        rich = _run(store, db, project, "rich", word)
        other = _run(store, db, project, "other", word)
        for number in range(2):
            made = _artifact(store, db, rich, number, word)
        artifacts.use(db, made, other["id"], "model")
        runs.add_alert(db, rich["id"], f"alert {word}", f"text {word}", "WARN", 5.0)
        view = views.insert(db, project["id"], "runs", "report", 6.0)
        spec = json.dumps({"blocks": blocks(word)})
        views.change(db, view, 6.0, display_name=f"Report {word}", description=f"about {word}", spec=spec)


def _run(store: Store, db: Connection, project: Row, name: str, word: str) -> Row:
    summary = {"test/iou": 0.9 if name == "rich" else 0.8, "val/iou": 0.95, f"text {word}": word}
    run_id = runs.insert(db, project["id"], name, "running", 2.0, config=json.dumps(config(word)), tags=[word, "b"])
    run = runs.by_id(db, run_id)
    runs.touch(db, run, 3.0)
    rows: list[dict[str, Any]] = [
        {"_step": i, "epoch": i, "train/loss": 1 / (i + 1), "val/loss": 1.1 / (i + 1), "opt/lr": 0.1, f"opt/{word}": i}
        for i in range(4)
    ]
    media: dict[str, Any] = {
        "scores": {"_type": "table-file", "path": "media/table/scores.table.json", "nrows": 250, "ncols": 2},
        "bars_table": {"_type": "table-file", "path": "media/table/bars.table.json", "nrows": 2, "ncols": 2},
        "page": {"_type": "html-file", "path": "media/html/page.html"},
        "sound": {"_type": "audio-file", "path": "media/audio/a.wav", "caption": f"beep {word}"},
        "solid": {"_type": "object3D-file", "path": "media/object3D/x.obj"},
        "weights": {"_type": "histogram", "values": [1, 3], "bins": [0, 1, 2]},
    }
    rows += [{"_step": 4, KEY: image(4, 0, word), "weights": {"_type": "histogram", "values": [2], "bins": [-1, 1]}}]
    rows += [{"_step": 5, KEY: image(5, 1, word), **media}]
    summary |= {KEY: image(5, 1, word), **media}
    streams.put_history(db, run_id, 0, [json.dumps(row) for row in rows])
    streams.put(db, "console", run_id, 0, [f"line {i} {word}\n" for i in range(1, N_LINES + 1)])
    streams.put(
        db,
        "system_metrics",
        run_id,
        0,
        [json.dumps({"_runtime": i, f"system.cpu {word}": i, "system.gpu.0.temp": 40}) for i in range(3)],
    )
    contents = {f"media/images/{step}/{i}.png": PNG for step in (4, 5) for i in range(2)}
    contents |= {
        f"media/images/{step}/{name}-{i}.mask.png": png(picture=False, shift=SHIFT * (name == "prediction"))
        for step in (4, 5)
        for name in ("truth", "prediction")
        for i in range(2)
    }
    contents |= {f"media/images/{step}/boxes.json": boxes(word) for step in (4, 5)}
    table = {"columns": ["name", f"iou {word}"], "data": [[f"{word} {i}", i % 7] for i in range(250)]}
    bars = {"columns": ["name", "iou"], "data": [[word, 3], ["b", 5]]}
    contents |= {"media/table/scores.table.json": json.dumps(table).encode()}
    contents |= {"media/table/bars.table.json": json.dumps(bars).encode()}
    contents |= {"media/html/page.html": f"<h1>{word}</h1>".encode()}
    contents |= {"media/audio/a.wav": b"RIFF", "media/object3D/x.obj": b"v", "requirements.txt": b"torch==2\n"}
    contents |= {"code/agent/train.py": b"import torch\n", "scores.csv": b"a,b\n1,2\n", "raw.bin": b"\0\xff"}
    contents |= {f"odd/{word.replace('/', '')}.txt": word.encode(), "report.html": b"<p>study</p>"}
    for path, content in contents.items():
        files.put(db, run_id, path, store.blobs.add(content), 4.0)
    words = {"notes": f"**bold** {word}", "group_name": f"group {word}", "job_type": word, "host": word}
    runs.change(db, run_id, summary=json.dumps(summary), display_name=f"{name} {word}", **words)
    runs.set_state(db, run_id, "finished", 5.0, 0)
    return runs.by_id(db, run_id)


def _artifact(store: Store, db: Connection, run: Row, number: int, word: str) -> int:
    name = word.replace("/", "").replace(":", "")
    contents = {"w.bin": bytes([0, number]), "docs/read me.md": word.encode(), "picture.png": PNG}
    far = {"far/away.bin": {"digest": "d", "size": 7, "ref": f"s3://bucket/{word}"}}
    columns = {"metadata": json.dumps({word: word}), "description": f"*weights* {word}"}
    names: dict[str, Any] = {"name": f"model {name}", "kind": f"type {name}", "aliases": ["best", name]}
    return add_version(store, db, run, contents, far, **names, **columns)


def text(word: str, **more: Any) -> list[dict[str, Any]]:
    return [{"text": word, **more}]


def blocks(word: str) -> list[Any]:
    """Every kind of block and of panel that the client can save, and some that it cannot."""
    link = {"type": "link", "url": "https://example.org", "children": text(f"link {word}")}
    bad = {"type": "link", "url": "javascript:alert(1)", "children": text(f"bad {word}")}
    item = {"type": "list-item", "children": [{"type": "paragraph", "children": text(f"item {word}")}]}
    return [
        {"type": "table-of-contents", "children": text("")},
        {"type": "heading", "level": 1, "children": text(f"Heading {word}")},
        {"type": "paragraph", "children": [*text(f"words {word}"), link, bad, *text("code", inlineCode=True)]},
        {"type": "list", "ordered": True, "children": [item, item | {"checked": True}]},
        {"type": "block-quote", "children": text(f"quoted {word}")},
        {"type": "callout-block", "children": [{"type": "callout-line", "children": text(f"callout {word}")}]},
        {"type": "code-block", "children": [{"type": "code-line", "children": text(f"x = {word}")}]},
        {"type": "markdown-block", "content": f"**bold** {word} [x](javascript:alert(1))\n\n|a|b|\n|--:|:-:|\n|1|2|"},
        {"type": "latex", "content": f"e = {word}"},
        {"type": "image", "url": "https://example.org/x.png", "children": text(f"caption {word}")},
        {"type": "horizontal-rule", "children": text("")},
        {"type": "gallery", "links": [{"url": "https://example.org", "title": word}, {"url": "javascript:x"}]},
        {"type": f"hologram {word}"},
        *({"type": kind} for kind in ("paragraph", "list", "panel-grid", "weave-panel", "heading", "image")),
        *(None, 3, {}),
        {"type": "panel-grid", "metadata": grid(word)},
    ]


def grid(word: str) -> dict[str, Any]:
    panels: list[tuple[str, Any]] = [
        (
            "Run History Line Plot",
            {"chartTitle": f"Loss {word}", "xAxis": "epoch", "metrics": ["train/loss", "val/loss"], "yLogScale": True},
        ),
        ("Bar Chart", {"metrics": ["test/iou"]}),
        ("Scalar Chart", {"metrics": ["test/iou"], "groupAgg": "max"}),
        ("Scatter Plot", {"xAxis": "config:lr.value", "yAxis": "summary:test/iou"}),
        ("Parallel Coordinates Plot", {"columns": [{"accessor": "config:lr.value"}, {"accessor": "summary:test/iou"}]}),
        ("Parameter Importance", {"targetKey": "test/iou"}),
        ("Media Browser", {"mediaKeys": [KEY]}),
        ("Run Comparer", {"diffOnly": "split"}),
        ("Markdown Panel", {"value": f"# md {word}"}),
        ("Code Comparer", {"diff": "split"}),
        (f"Hologram {word}", {}),
        ("Run History Line Plot", {"metricRegex": "opt/.*", "useMetricRegex": True, "groupBy": "lr"}),
        ("Run History Line Plot", {"metricRegex": "(", "useMetricRegex": True}),
        ("Scatter Plot", {}),
        ("Bar Chart", None),
    ]
    placed = [
        {"viewType": kind, "config": config, "layout": {"x": 8 * (i % 3), "y": i // 3, "w": 8, "h": 6}}
        for i, (kind, config) in enumerate(panels)
    ]
    key = {"section": "summary", "name": "test/iou"}
    few = {"filterFormat": "filterV2", "filters": [{"key": key, "op": ">", "value": 0.85}]}
    sets = [
        {"name": f"All {word}", "project": {"entityName": "lab", "name": "pieces"}},
        {"name": "Few", "project": {"entityName": "lab", "name": "pieces"}, "filters": few, "enabled": True},
        {"name": "Broken", "filters": {"filters": [{"key": key, "op": "??", "value": 1}]}},
        {"name": "Nowhere", "project": {"entityName": "nobody", "name": word}},
        {"name": "Off", "enabled": False},
    ]
    return {"runSets": sets, "panelBankSectionConfig": {"panels": placed}}
