"""The worst picture of a run, and the run that shows a picture worst, where captions say the IoU."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from server.pages.media import image_viewer, images, wandb_tables
from server.pages.overview import comparison
from server.pages.render import render
from server.store import Row, Store, files, projects, runs, users
from tests.server.content import add_project, add_run, add_version
from tests.server.markup import Node, read
from tests.server.sample_folder import png

KEY = "test/predictions"


@pytest.mark.parametrize(
    ("caption", "iou", "words"),
    [
        ("image-1: IoU 0.912", 0.912, ("image-1", "IoU 0.912")),
        ("IoU=1, image-1", 1.0, ("image-1", "IoU=1")),
        ("image-1 (val_iou: .5)", 0.5, ("image-1", "val_iou: .5")),
        ("piece mIoU 91.5 % of 2 classes", 0.915, ("piece of 2 classes", "mIoU 91.5 %")),
        ("IoU 1.2e-05", 1.2e-5, ("", "IoU 1.2e-05")),
        ("image-1: IoU nan", None, ("image-1: IoU nan", "")),
        ("radiou 3", None, ("radiou 3", "")),
        ("", None, ("", "")),
    ],
)
def test_a_caption_is_taken_apart_at_its_iou(caption: str, iou: float | None, words: tuple[str, str]) -> None:
    picture = images.Picture(KEY, "0.png", caption, {})
    assert picture.iou == pytest.approx(iou)
    assert picture.words == words


def test_a_cell_of_a_table_paints_each_class_of_its_masks_as_the_pictures_of_a_run_do(store: Store) -> None:
    classes = [{"id": at, "name": name} for at, name in ((10, "table"), (0, "background"), (2, "hole"))]
    contents = {"0.png": png(True), "t.png": png(False), "p.png": png(False)}
    with store.write() as db:
        run = runs.by_id(db, add_run(db, add_project(db)))
        body = {"cls.json": json.dumps({"_type": "classes", "class_set": classes}).encode(), "bad.json": b"[1"}
        table = wandb_tables.Table("t", ["image"], [], add_version(store, db, run, contents | body))
    masks = {"prediction": {"path": "p.png"}, "truth": {"path": "t.png"}, "lost": {"path": "none.png"}}
    cell = {"_type": "image-file", "path": "0.png", "masks": masks, "classes": {"path": "cls.json"}}
    shown = wandb_tables.picture(store, table, cell, str)
    assert shown is not None
    assert [(mask["name"], [(each["id"], each["colour"]) for each in mask["classes"]]) for mask in shown["masks"]] == [
        ("truth", [("2", 2), ("10", 10)]),
        ("prediction", [("2", 2), ("10", 10)]),
    ]
    for odd in ({}, {"classes": 3}, {"classes": {"path": "bad.json"}}, {"classes": {"path": "none.json"}}):
        single = wandb_tables.picture(store, table, cell | {"classes": None} | odd, str)
        assert single is not None
        assert [each["classes"][0]["colour"] for each in single["masks"]] == [2, 1]


@pytest.mark.parametrize(
    ("values", "lowest"),
    [
        ([0.9, 0.5, 0.7], {1}),
        ([0.5, 0.9, 0.5], {0, 2}),
        ([None, 0.5, 0.7], {1}),
        ([0.5, 0.5], set()),
        ([0.5, None], set()),
        ([], set()),
    ],
)
def test_the_lowest_is_marked_where_values_differ(values: list[float | None], lowest: set[int]) -> None:
    assert images.lowest_indices(values) == lowest


def logged(captions: Sequence[str]) -> dict[str, Any]:
    n = range(len(captions))
    return {
        "_type": "images/separated",
        "width": 64,
        "height": 48,
        "filenames": [f"{at}.png" for at in n],
        "captions": list(captions),
        "all_masks": [{"prediction": {"path": f"{at}.mask.png"}} for at in n],
    }


def add(store: Store, name: str, captions: Sequence[str], state: str = "finished") -> Row:
    with store.write() as db:
        shown = {KEY: logged(captions)} if captions else {}
        run_id = add_run(db, add_project(db), name, {}, [{"_step": 0, **shown}], shown, state=state, display_name=name)
        for at in range(len(captions)):
            for path, is_picture in ((f"{at}.png", True), (f"{at}.mask.png", False)):
                files.put(db, run_id, path, store.blobs.add(png(is_picture)), 1.0)
        return runs.by_id(db, run_id)


def compared(store: Store, *names: str) -> Node:
    asked = QueryParams(urlencode({"runs": names}, doseq=True))
    shown = comparison.gather(store, str, projects.find(store.db, "local", "p"), asked, users.ADMIN)
    return read(render("compare.html", person=None, csrf="", here="", saved=None, **shown))


def test_a_comparison_names_each_runs_worst_picture_and_each_pictures_worst_run(store: Store) -> None:
    add(store, "a", ["image-10: IoU 0.9", "image-2: IoU 0.8"])
    add(store, "b", ["image-10: IoU 0.7", "image-2: IoU 0.95"])
    add(store, "none", [])
    table = compared(store, "a", "none", "b").one("table", class_="masks")
    assert [head.text for head in table.all("th", scope="col")] == ["picture", "a", "b"]
    cells = [[cell.text for cell in row.all("td")] for row in table.all("tr")[1:]]
    run, here = "▼ worst of the run", "▼ worst run here"
    assert [[" ".join(text.split()) for text in row] for row in cells] == [
        [f"IoU 0.8 {run}{here}", "IoU 0.95"],
        ["IoU 0.9", f"IoU 0.7 {run}{here}"],
    ]


def test_the_large_view_leads_to_the_worst_picture_of_its_step(store: Store) -> None:
    run = add(store, "a", ["one: IoU 0.9", "two: IoU 0.8", "three"])
    shown = image_viewer.gather(store, lambda run, name: name, run, KEY, None, 0)
    assert shown is not None
    assert shown["worst"].caption == "two: IoU 0.8"
    assert [each["picture"].is_worst for each in shown["all"]] == [False, True, False]


def test_a_class_has_one_colour_in_every_mask_and_box_of_every_run(store: Store) -> None:
    """The client writes the classes of a run in any order."""
    classes = {"0": "background", "1": "piece", "2": "hole", "10": "table", "x": "odd"}
    boxes = [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": at} for at in (2, 10, 14, -1, "1")]
    picture = images.Picture(KEY, "0.png", "", {"truth": "t.png", "prediction": "p.png"}, {"found": "b.json"})
    for at, order in enumerate((classes, dict(reversed(classes.items())))):
        with store.write() as db:
            run_id = add_run(db, add_project(db), f"r{at}")
            blob = store.blobs.add(json.dumps({"box_data": boxes}).encode())
            for path in ("0.png", "t.png", "p.png", "b.json"):
                files.put(db, run_id, path, blob, 1.0)
        labels = {f"{KEY}{images.DELIMITER}{name}": {"value": order} for name in ("truth", "prediction", "found")}
        own = {"mask/class_labels": labels, "bounding_box/class_labels": labels}
        run = runs.by_id(store.db, run_id) | {"config": json.dumps({"_wandb": {"value": own}})}
        present = image_viewer.uploaded_files(store.db, run_id, [picture])
        shown = image_viewer.load_layers(store, lambda run, name: name, run, picture, present)
        assert [mask["colour"] for mask in shown["masks"]] == [2, 1], "where a mask is painted as a whole"
        for mask in shown["masks"]:
            assert [(each["label"], each["colour"]) for each in mask["classes"]] == [
                *(("odd", 0), ("piece", 1), ("hole", 2), ("table", 10))
            ]
        assert [(box["label"], box["colour"]) for box in shown["boxes"][0]["boxes"]] == [
            *(("hole", 2), ("table", 10), ("", 2), ("", 0), ("piece", 1))
        ]


def test_a_comparison_of_runs_that_go_on_has_room_for_pictures_and_tables_that_come_later(store: Store) -> None:
    add(store, "a", [], state="running")
    regions = {node.attributes["id"] for node in compared(store, "a") if "data-region" in node.attributes}
    add(store, "b", ["one: IoU 0.9"])
    assert regions == {node.attributes["id"] for node in compared(store, "a", "b") if "data-region" in node.attributes}
    assert {"masks", "tables", "live"} <= regions
