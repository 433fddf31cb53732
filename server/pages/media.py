"""Images that a run logged, with their masks as layers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from server.jsontext import flatten_media

MAX_IMAGES = 48


@dataclass(frozen=True)
class Picture:
    """`path` and the paths of the masks are names of the run's files; `masks` maps the layer's name to its file."""

    key: str
    path: str
    caption: str
    masks: dict[str, str]


def pictures(rows: Iterable[dict[str, Any]]) -> list[Picture]:
    """What each key showed last, at most MAX_IMAGES in all."""
    last: dict[str, list[Picture]] = {}
    for row in rows:
        for key, value in flatten_media(row).items():
            found = _pictures(key, value)
            if found:
                last[key] = found
    return [picture for key in sorted(last) for picture in last[key]][:MAX_IMAGES]


def _pictures(key: str, value: dict[str, Any]) -> list[Picture]:
    if value.get("_type") == "image-file":
        return [
            Picture(key, str(value.get("path")), str(value.get("caption") or ""), _masks(value.get("masks")))
        ]
    if value.get("_type") != "images/separated":
        return []
    paths = value.get("filenames") or []
    captions = value.get("captions") or []
    masks = value.get("all_masks") or []
    return [
        Picture(
            key,
            str(path),
            str(captions[i] or "") if i < len(captions) else "",
            _masks(masks[i]) if i < len(masks) else {},
        )
        for i, path in enumerate(paths)
    ]


def _masks(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {
        str(name): str(mask["path"])
        for name, mask in value.items()
        if isinstance(mask, dict) and "path" in mask
    }
