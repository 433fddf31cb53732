"""Images that a run logged, with their masks and boxes as layers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from common.text import natural_order
from server.jsontext import as_list, flatten_media, wandb_section

MAX_IMAGES = 48  # on a page
DELIMITER = "_wandb_delimeter_"  # as the client spells it
_PREFIXES = r"(?<![a-z0-9])(?:[a-z0-9]+[/_.-]){0,3}"
_NUMBER = r"(\d+(?:\.\d*)?(?:e-?\d+)?|\.\d+)(?:\s?(%))?"
IOU = re.compile(rf"{_PREFIXES}m?iou\b\s*[:=]?\s*{_NUMBER}", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """A picture. `path` and those of masks and boxes are names of the run's files, by the name of the layer.

    `width` and `height` in pixels, 0 if unknown. `is_worst`: it has the lowest IoU of its log call.
    """

    key: str
    path: str
    caption: str
    masks: dict[str, str]
    boxes: dict[str, str] = field(default_factory=dict)
    index: int = 0
    width: float = 0
    height: float = 0
    is_worst: bool = False

    @property
    def iou(self) -> float | None:
        """IoU in the caption; None if it has none."""
        found = IOU.search(self.caption)
        return float(found[1]) / (100 if found[2] else 1) if found else None

    @property
    def words(self) -> tuple[str, str]:
        """The caption without its IoU, and the IoU."""
        found = IOU.search(self.caption)
        if found is None:
            return self.caption, ""
        before, after = self.caption[: found.start()].rstrip(" ,;:–-("), self.caption[found.end() :].strip(" ,;:–-)")
        return f"{before} {after}".strip(), found[0]

    @property
    def files(self) -> set[str]:
        return {self.path, *self.masks.values(), *self.boxes.values()}


def pictures(rows: Iterable[dict[str, Any]]) -> list[Picture]:
    """The last pictures of each key."""
    last: dict[str, list[Picture]] = {}
    for row in rows:
        for key, value in flatten_media(row).items():
            found = pictures_in(key, value)
            if found:
                last[key] = found
    return [picture for key in sorted(last) for picture in last[key]]


def pictures_in(key: str, value: dict[str, Any]) -> list[Picture]:
    """Pictures of one media object; none if it holds no images."""
    if value["_type"] == "image-file":
        paths, captions = [value.get("path")], [value.get("caption")]
        masks, boxes = [value.get("masks")], [value.get("boxes")]
    elif value["_type"] == "images/separated":
        names = ("filenames", "captions", "all_masks", "all_boxes")
        paths, captions, masks, boxes = (as_list(value.get(name)) for name in names)
    else:
        return []
    n = len(paths)
    width, height = (_positive(value.get(name)) for name in ("width", "height"))
    entries = zip_longest(paths, captions[:n], masks[:n], boxes[:n])
    found = [
        Picture(
            *(key, path, caption if isinstance(caption, str) else "", _paths(layers), _paths(around)),
            *(index, width, height),
        )
        for index, (path, caption, layers, around) in enumerate(entries)
        if isinstance(path, str)
    ]
    worst = lowest_indices([picture.iou for picture in found])
    return [replace(picture, is_worst=at in worst) for at, picture in enumerate(found)]


def lowest_indices(values: Sequence[float | None]) -> set[int]:
    """Indices of the lowest values; empty if all are equal."""
    known = {value for value in values if value is not None}
    return {at for at, value in enumerate(values) if value == min(known)} if len(known) > 1 else set()


def names(found: Sequence[Picture]) -> list[str]:
    """A name for each picture of one log call, the same in every run.

    Captions without their IoU, and only up to their colon if that distinguishes them: the rest is often another score.
    If captions do not distinguish them, the pictures' numbers follow.
    """
    captions = [picture.words[0] or str(picture.index) for picture in found]
    heads = [caption.partition(":")[0].strip() for caption in captions]
    if len(found) > 1 and all(heads) and len(set(heads)) == len(heads):
        return heads
    if len(set(captions)) == len(captions):
        return captions
    return [f"{caption}, {picture.index}" for caption, picture in zip(captions, found, strict=True)]


def _positive(value: Any) -> float:
    return value if type(value) in (int, float) and value > 0 else 0


def _paths(value: Any) -> dict[str, str]:
    layers = value.items() if isinstance(value, dict) else ()
    return {
        name: layer["path"] for name, layer in layers if isinstance(layer, dict) and isinstance(layer.get("path"), str)
    }


def class_labels(config: str, kind: str, key: str, layer: str) -> dict[str, str]:
    """Number of a class → its name, in ascending order. `kind`: mask or bounding_box."""
    found: Any = wandb_section(config)
    for name in (f"{kind}/class_labels", f"{key}{DELIMITER}{layer}", "value"):
        found = found.get(name) if isinstance(found, dict) else None
    items = found.items() if isinstance(found, dict) else ()
    ordered = sorted(items, key=lambda item: natural_order(item[0]))
    return {number: label for number, label in ordered if isinstance(label, str)}
