"""One picture of a run, large: its masks, boxes and classes, its other steps, and the same picture in other runs."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from common.colours import MASKS, SERIES
from server.jsontext import flatten_media, load_object, loads
from server.pages.media.images import Picture, class_labels, names, pictures_in
from server.pages.render import mark_namesakes
from server.pages.run_table.fields import test_digest
from server.store import Connection, Row, Store, files, runs, streams
from server.store.disk.blobs import open_blob

MAX_RUNS = 300  # of the project, whose summaries are looked through
MAX_OTHERS = 24
MAX_BOXES = 500  # in a layer
MAX_BOX_FILE = 1 << 20  # bytes
TRUTH = ("truth", "ground_truth", "ground truth", "label", "target", "mask")
Link = Callable[[Row, str], str]
"""The address of a file of a run, by run and name."""


def keys(db: Connection, run_id: int) -> list[str]:
    """Keys under which the run logged images at its top level."""
    types = {key: entry["typeCounts"] for key, entry in streams.keys(db, run_id)["keys"].items()}
    image = {"image-file", "images/separated"}
    return [key for key, found in types.items() if image & {each["type"] for each in found}]


def gather(store: Store, link: Link, run: Row, key: str, at: int | None, index: int) -> dict[str, Any] | None:
    """Values of the page. `at`: number of a step with `key`, from 1, None for the last; `index`: its picture."""
    shows = _steps_with_pictures(store.db, run["id"], key)
    if not shows:
        return None
    at = min(max(at or len(shows), 1), len(shows))
    step, found = shows[at - 1]
    chosen = found[min(max(index, 0), len(found) - 1)]
    present = uploaded_files(store.db, run["id"], found)
    return {
        "key": key,
        "steps": [number for number, _ in shows],
        "at": at,
        "step": step,
        "picture": load_layers(store, link, run, chosen, present),
        "all": [{"picture": each, "url": link(run, each.path)} for each in found if each.path in present],
        "worst": next((each for each in found if each.is_worst), None),
        "others": _in_other_runs(store, link, run, chosen, names(found)[found.index(chosen)]),
        "filters": filters(),
    }


def _steps_with_pictures(db: Connection, run_id: int, key: str) -> list[tuple[int, list[Picture]]]:
    """(step, pictures) of each row that shows the key."""
    shows = []
    for step, row in streams.history_rows(db, run_id, 0, [key.partition(".")[0]]):
        value = flatten_media(row).get(key)
        if found := pictures_in(key, value) if value else []:
            shows.append((step, found))
    return shows


def uploaded_files(db: Connection, run_id: int, found: Iterable[Picture]) -> dict[str, Row]:
    names = set[str]().union(*(picture.files for picture in found))
    return {file["name"]: file for file in files.of_run(db, run_id, sorted(names))} if names else {}


def load_layers(store: Store, link: Link, run: Row, picture: Picture, present: dict[str, Row]) -> dict[str, Any]:
    """A picture with its layers: masks with the colour of each class, boxes as shares of the picture.

    `colour`: that of a mask as a whole, which tells it from the other masks; a single class has it too. `several`:
    whether a mask has more than one class.
    """
    masks: list[dict[str, Any]] = []
    for name in sorted(picture.masks, key=lambda name: (name.lower() not in TRUTH, name)):
        if picture.masks[name] not in present:
            continue
        labels = class_labels(run["config"], "mask", picture.key, name)
        masks.append(mask_layer(name, link(run, picture.masks[name]), labels, len(masks)))
    return {
        "picture": picture,
        "url": link(run, picture.path) if picture.path in present else None,
        "masks": masks,
        "boxes": [
            {"name": name, "boxes": _boxes(store, run, picture, name, present.get(path))}
            for name, path in picture.boxes.items()
        ],
        "compared": _truth_and_prediction([str(mask["name"]) for mask in masks]),
        "several": any(len(mask["classes"]) > 1 for mask in masks),
    }


def mask_layer(name: str, url: str, labels: Mapping[str, str], index: int) -> dict[str, Any]:
    """The `index`-th mask of a picture, with the colours of its classes; `labels`: number of a class → its name."""
    shown = [each for each in labels if each != "0"] or ["1"]
    own = MASKS[index % 4]
    classes = [
        {"id": each, "label": labels.get(each, ""), "colour": own if len(shown) == 1 else class_colour(each)}
        for each in shown
    ]
    return {"name": name, "url": url, "colour": own, "classes": classes}


def class_colour(number: str) -> int:
    """The place in SERIES of a class: the same in every mask and box of every run."""
    return int(number) % len(SERIES) if number.isdecimal() and len(number) < 10 else 0


def _truth_and_prediction(names: list[str]) -> tuple[str, str] | None:
    """Names of the masks of truth and prediction; None unless there is one of each."""
    truth = [name for name in names if name.lower() in TRUTH]
    others = [name for name in names if name.lower() not in TRUTH]
    return (truth[0], others[0]) if len(truth) == 1 and len(others) == 1 else None


def read_json(store: Store, file: Row, most: int) -> Any:
    """The JSON value of a stored file; None if it has more than `most` bytes, is lost, or is no JSON."""
    if file["size"] > most:
        return None
    try:
        with open_blob(store.blobs.path(file["sha256"])) as body:
            return loads(body.read().decode("utf-8", "replace"))
    except OSError:
        return None


def _boxes(store: Store, run: Row, picture: Picture, layer: str, file: Row | None) -> list[dict[str, Any]]:
    """`x`, `y`, `width`, `height` in percent of the picture; `label`, `colour`."""
    found = read_json(store, file, MAX_BOX_FILE) if file else None
    items = found.get("box_data") if isinstance(found, dict) else None
    labels = class_labels(run["config"], "bounding_box", picture.key, layer)
    made = [_box(item, labels, picture) for item in items[:MAX_BOXES]] if isinstance(items, list) else []
    return [box for box in made if box]


def _box(item: Any, labels: dict[str, str], picture: Picture) -> dict[str, Any] | None:
    position = item.get("position") if isinstance(item, dict) else None
    if not isinstance(position, dict):
        return None
    middle = position.get("middle")
    if isinstance(middle, list) and len(middle) == 2:
        width, height = _number(position.get("width")) / 2, _number(position.get("height")) / 2
        x, y = map(_number, middle)
        ends = [x - width, x + width, y - height, y + height]
    else:
        ends = [_number(position.get(name)) for name in ("minX", "maxX", "minY", "maxY")]
    if item.get("domain") == "pixel":
        sides = (picture.width, picture.width, picture.height, picture.height)
        ends = [end / side if side else math.nan for end, side in zip(ends, sides, strict=True)]
    if not all(map(math.isfinite, ends)):
        return None
    low, high, top, bottom = (round(100 * end, 3) for end in ends)
    number = item.get("class_id")
    label = item.get("box_caption") or labels.get(str(number), "")
    place = {"x": low, "y": top, "width": max(high - low, 0), "height": max(bottom - top, 0)}
    return place | {"label": label if isinstance(label, str) else "", "colour": class_colour(str(number))}


def _number(value: Any) -> float:
    """A number; NaN for anything else."""
    return float(value) if type(value) in (int, float) else math.nan


def _in_other_runs(store: Store, link: Link, run: Row, picture: Picture, name: str) -> list[dict[str, Any]]:
    """The same picture, by its name among the same test pictures, as other runs of the project showed it last."""
    ids = [each for each in runs.ids(store.db, run["project_id"], None, "-created_at") if each != run["id"]]
    shown = []
    tested = test_digest(run)
    for other in runs.get_many(store.db, ids[:MAX_RUNS]):
        value = flatten_media(load_object(other["summary"])).get(picture.key)
        found = pictures_in(picture.key, value) if value else []
        same = next((each for each, other_name in zip(found, names(found), strict=True) if other_name == name), None)
        same = same if same and test_digest(other) == tested else None
        present = uploaded_files(store.db, other["id"], [same]) if same else {}
        if same and same.path in present:
            shown.append({"run": other, **load_layers(store, link, other, same, present)})
        if len(shown) == MAX_OTHERS:
            break
    named = mark_namesakes([run, *(each["run"] for each in shown)])[1:]
    return [each | {"run": other} for each, other in zip(shown, named, strict=True)]


def filters() -> list[tuple[str, float, float, float]]:
    """Name and colour (0 to 1) of each SVG filter that paints a mask without script."""
    return [
        (f"layer{number}", *(round(int(light[i : i + 2], 16) / 255, 3) for i in (1, 3, 5)))  # type: ignore[misc]
        for number, (light, _) in enumerate(SERIES)
    ]
