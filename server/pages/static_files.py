"""The style sheet and scripts of the pages, each a file of `static/`, and the colours, generated here.

Their address holds a digest of all of them, so that a browser asks once and keeps them.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from common.colours import MEANINGS, SCALE, SERIES

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript"}


def colours() -> str:
    """CSS rules for each meaning and each number of a series: `color`, for elements drawn with currentColor."""
    light, dark = ("".join(_rules(which)) for which in (0, 1))
    return f"{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _rules(which: int) -> list[str]:
    names = {name: pair[which] for name, pair in MEANINGS.items()}
    for letter, pairs in (("s", SERIES), ("q", SCALE)):
        names |= {f"{letter}{number}": pair[which] for number, pair in enumerate(pairs)}
    return [f".{name} {{ color: {colour}; }}\n" for name, colour in names.items()]


def _digest() -> str:
    files = b"".join(path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES)
    return hashlib.sha256(files + colours().encode()).hexdigest()[:12]


PLACE = f"/static/{_digest()}"


def endpoint(request: Request) -> Response:
    """A static file, or the colours. Public: they say nothing of anybody's runs."""
    name = request.path_params["file"]
    is_ours = request.url.path == f"{PLACE}/{name}"
    kept = "public, max-age=31536000, immutable" if is_ours else "no-cache"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": kept}
    if name == "colours.css":
        return PlainTextResponse(colours(), media_type="text/css", headers=headers)
    path = FOLDER / name
    if path.suffix not in TYPES or path.parent != FOLDER or not path.is_file():
        return PlainTextResponse("There is no such file.\n", 404)
    return FileResponse(path, media_type=TYPES[path.suffix], headers=headers)
