"""Logins of browsers, and links that log in once: each is a random token, kept as its hash.

Each belongs to the key that it was opened with, so that a key which is rotated or removed ends it.
"""

import secrets
import sqlite3

from server.store.database import crud
from server.store.users import hash_key

SESSION, LINK = "session", "link"
DAY = 86_400.0
LIFETIME = {SESSION: 14 * DAY, LINK: DAY}


def start(db: sqlite3.Connection, kind: str, key_hash: str, now: float) -> str:
    """A new token; expired ones are deleted."""
    token = secrets.token_urlsafe(32)
    db.execute("DELETE FROM logins WHERE expires_at <= ?", (now,))
    db.execute("INSERT INTO logins VALUES (?, ?, ?, ?)", (hash_key(token), kind, key_hash, now + LIFETIME[kind]))
    return token


def key_hash(db: sqlite3.Connection, token: str, kind: str, now: float) -> str | None:
    """Hash of the key that a token was started with; None for an expired or unknown token."""
    sql = "SELECT key_hash FROM logins WHERE token_hash = ? AND kind = ? AND expires_at > ?"
    found: str | None = crud.value(db, sql, hash_key(token), kind, now)
    return found


def spend(db: sqlite3.Connection, token: str, now: float) -> str | None:
    """`key_hash` of a link, which is used up by this."""
    found = key_hash(db, token, LINK, now)
    end(db, token)
    return found


def end(db: sqlite3.Connection, token: str) -> None:
    db.execute("DELETE FROM logins WHERE token_hash = ?", (hash_key(token),))
