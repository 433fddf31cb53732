"""Images that a run logged, with their masks and boxes as layers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from server.jsontext import as_list, flatten_media, load_object

MAX_IMAGES = 48  # on a page
DELIMITER = "_wandb_delimeter_"  # as the client spells it


@dataclass(frozen=True)
class Picture:
    """`path` and those of masks and boxes are names of the run's files, by the name of the layer.

    `width` and `height` in pixels, 0 where the client did not say.
    """

    key: str
    path: str
    caption: str
    masks: dict[str, str]
    boxes: dict[str, str] = field(default_factory=dict)
    index: int = 0
    width: float = 0
    height: float = 0

    @property
    def files(self) -> set[str]:
        return {self.path, *self.masks.values(), *self.boxes.values()}


def pictures(rows: Iterable[dict[str, Any]]) -> list[Picture]:
    """What each key showed last."""
    last: dict[str, list[Picture]] = {}
    for row in rows:
        for key, value in flatten_media(row).items():
            found = pictures_in(key, value)
            if found:
                last[key] = found
    return [picture for key in sorted(last) for picture in last[key]]


def pictures_in(key: str, value: dict[str, Any]) -> list[Picture]:
    """Those of one media object; none where it holds no images."""
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
    return [
        Picture(
            *(key, path, caption if isinstance(caption, str) else "", _paths(layers), _paths(around)),
            *(index, width, height),
        )
        for index, (path, caption, layers, around) in enumerate(entries)
        if isinstance(path, str)
    ]


def names(found: Sequence[Picture]) -> list[str]:
    """What each of these pictures, logged together, is called in every run.

    Captions, but only to their colon where that tells several pictures apart: what follows it is often a score.
    """
    captions = [picture.caption or str(picture.index) for picture in found]
    heads = [caption.partition(":")[0].strip() for caption in captions]
    return heads if len(found) > 1 and all(heads) and len(set(heads)) == len(heads) else captions


def _positive(value: Any) -> float:
    return value if type(value) in (int, float) and value > 0 else 0


def _paths(value: Any) -> dict[str, str]:
    layers = value.items() if isinstance(value, dict) else ()
    return {
        name: layer["path"] for name, layer in layers if isinstance(layer, dict) and isinstance(layer.get("path"), str)
    }


def class_labels(config: str, kind: str, key: str, layer: str) -> dict[str, str]:
    """Number of a class → its name. `kind`: mask or bounding_box."""
    found: Any = load_object(config)
    for name in ("_wandb", "value", f"{kind}/class_labels", f"{key}{DELIMITER}{layer}", "value"):
        found = found.get(name) if isinstance(found, dict) else None
    items = found.items() if isinstance(found, dict) else ()
    return {number: label for number, label in items if isinstance(label, str)}
