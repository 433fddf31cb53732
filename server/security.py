"""Who may come in: the key, and signatures in the addresses of uploads and downloads."""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

DAY = 86_400
# Long, because a client that was cut off repeats an upload to the same address; a refused upload is lost silently.
URL_LIFETIME = 7 * DAY


def key_in(authorization: str | None) -> str:
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


def same(a: str, b: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())


class Signer:
    """Signs `METHOD path` until a time, so that an address is its own permission."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def _signature(self, method: str, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{method} {path} {expires}".encode(), hashlib.sha256).hexdigest()[:32]

    def url(self, base: str, method: str, path: str, now: float) -> str:
        """`path` is unquoted and starts with a slash."""
        # Rounded to a day, so that an address stays the same for a while and browsers can cache what it names.
        expires = (int(now) // DAY + 1) * DAY + URL_LIFETIME
        return f"{base}{quote(path)}?expires={expires}&sig={self._signature(method, path, expires)}"

    def allows(self, method: str, path: str, expires: str, signature: str, now: float) -> bool:
        if not expires.isdecimal() or len(expires) > 12 or int(expires) < now:
            return False
        return same(signature, self._signature(method, path, int(expires)))
