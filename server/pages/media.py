"""Images that a run logged, with their masks as layers."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from server.jsontext import flatten_media

MAX_IMAGES = 48  # on a page


@dataclass(frozen=True)
class Picture:
    """`path` and the paths of the masks are names of the run's files; `masks` maps the layer's name to its file."""

    key: str
    path: str
    caption: str
    masks: dict[str, str]


def pictures(rows: Iterable[dict[str, Any]]) -> list[Picture]:
    """What each key showed last."""
    last: dict[str, list[Picture]] = {}
    for row in rows:
        for key, value in flatten_media(row).items():
            found = _pictures(key, value)
            if found:
                last[key] = found
    return [picture for key in sorted(last) for picture in last[key]]


def _pictures(key: str, value: dict[str, Any]) -> list[Picture]:
    if value["_type"] == "image-file":
        paths, captions, masks = [value.get("path")], [value.get("caption")], [value.get("masks")]
    elif value["_type"] == "images/separated":
        paths, captions, masks = (_list(value.get(name)) for name in ("filenames", "captions", "all_masks"))
    else:
        return []
    told = zip_longest(paths, captions[: len(paths)], masks[: len(paths)])
    return [
        Picture(key, path, caption if isinstance(caption, str) else "", _masks(layers))
        for path, caption, layers in told
        if isinstance(path, str)
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _masks(value: Any) -> dict[str, str]:
    layers = value.items() if isinstance(value, dict) else ()
    return {
        name: mask["path"]
        for name, mask in layers
        if isinstance(mask, dict) and isinstance(mask.get("path"), str)
    }
