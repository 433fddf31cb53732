"""Names that become parts of paths and addresses: one rule, one function that refuses."""

import unicodedata
from pathlib import PurePosixPath

FORBIDDEN = "/\\#?%:"
"""Characters that the wandb client forbids in run ids and project names, since it puts them into addresses."""
MAX_CHARACTERS = 128
"""Most characters of a name: the W&B limit."""
MAX_BYTES = 255
"""Most bytes of one part of a path: the limit of common file systems."""


class BadName(ValueError):
    """A name that may not become part of a path; its text is one sentence."""


def check_name(kind: str, name: str, forbidden: str = FORBIDDEN) -> str:
    """The name, if it can stand alone in a path and an address; `kind` is the thing it names, as in "run id".

    Raises BadName: empty, "." or "..", a character of `forbidden`, one that cannot be printed or stored, too long.
    """
    if not name.strip():
        raise BadName(f"{kind} {name!r} is empty: give it at least one letter or digit")
    if name in (".", ".."):
        raise BadName(f"{kind} {name!r} is no name: it would point at another folder")
    bad = sorted({character for character in name if character in forbidden or _unprintable(character)})
    if bad:
        raise BadName(f"{kind} {quote(name)} has {', '.join(map(ascii, bad))}, which no name may have")
    if len(name) > MAX_CHARACTERS or len(name.encode()) > MAX_BYTES:
        raise BadName(
            f"{kind} {quote(name)} has {len(name)} characters; at most {MAX_CHARACTERS} ({MAX_BYTES} bytes) fit"
        )
    return name


def check_file_path(kind: str, path: str) -> str:
    """The path, if it stays inside the folder it is joined to: parts between "/", none empty, "." or "..".

    Raises BadName: absolute, a part that leaves the folder, a control character, a part of over MAX_BYTES bytes.
    """
    if not path or path.startswith("/") or path != str(PurePosixPath(path)) or path == ".":
        raise BadName(
            f"{kind} {quote(path)} is no relative path: write folder/file, without ./, // or a slash at either end"
        )
    for part in path.split("/"):
        if part == "..":
            raise BadName(f"{kind} {quote(path)} has the part '..', which leads out of its folder")
        bad = sorted({character for character in part if _unstorable(character)})
        if bad:
            raise BadName(f"{kind} {quote(path)} has {', '.join(map(ascii, bad))}, which no file name may have")
        if len(part.encode()) > MAX_BYTES:
            raise BadName(f"{kind} {quote(path)} has a part of over {MAX_BYTES} bytes")
    return path


def quote(name: str) -> str:
    """The name between quotes, in ASCII and cut, so that a message stays one line."""
    return ascii(name if len(name) <= 60 else name[:57] + "...")


def _unprintable(character: str) -> bool:
    """Whether it is a control character, a lone surrogate, or a line or paragraph separator."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _unstorable(character: str) -> bool:
    """Whether no file system can hold the character: NUL, and lone surrogates, which are no UTF-8."""
    return character == "\0" or unicodedata.category(character) == "Cs"
