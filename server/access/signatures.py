"""Keys, and signatures in the addresses of uploads and downloads."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from server.store import StoreError

DAY = 86_400
# Long, because a client that was cut off repeats an upload to the same address; a refused upload is lost silently.
URL_LIFETIME = 7 * DAY


def read_key(path: Path) -> str:
    """The content of the file without white space around it; a pipe will do. Raises StoreError with one sentence."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise StoreError(f"--api-key-file: {path} is open to others than its owner: chmod 600 it.")
            return file.read().decode(errors="replace").strip()
    except OSError as error:
        raise StoreError(f"--api-key-file: {path} cannot be read ({error.strerror}).") from error


def parse_authorization(authorization: str | None) -> str:
    """The key in a Basic header (`api:KEY`) or a Bearer header; "" if there is none."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def is_same_key(a: str, b: str) -> bool:
    """Equality in constant time; no key equals no key."""
    return bool(a) and hmac.compare_digest(a.encode(), b.encode())


class Signer:
    """Signs `METHOD path` for a person until a time: the address needs no key, and lasts as long as their rights."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def _signature(self, *parts: object) -> str:
        text = " ".join(map(str, parts))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    def sign(self, purpose: str, text: str) -> str:
        """A signature of `text` that only this server can make."""
        return self._signature(purpose, text)

    def url(self, base: str, method: str, path: str, person: int, now: float) -> str:
        """A signed address. `path` is unquoted and starts with a slash; `person` is the number of its user."""
        # Rounded to a day, so that an address stays the same for a while and browsers can cache its file.
        expires = (int(now) // DAY + 1) * DAY + URL_LIFETIME
        signature = self._signature(method, path, expires, person)
        return f"{base}{quote(path)}?expires={expires}&by={person}&sig={signature}"

    def verify(self, method: str, path: str, query: Mapping[str, str], now: float) -> int | None:
        """The person's number; None for an address that this server did not sign, or that has expired."""
        expires, person = query.get("expires", ""), query.get("by", "")
        if not all(text.isascii() and text.isdecimal() and len(text) <= 12 for text in (expires, person)):
            return None
        right = is_same_key(query.get("sig", ""), self._signature(method, path, int(expires), int(person)))
        return int(person) if right and int(expires) >= now else None
