"""People: their keys, hashed, and their rights in entities.

A key has 160 random bits, so nobody can go through all of them: one SHA-256 is as good as a slow hash with salt, which
is for passwords, and it is checked with every request. Rows are found by that hash: how long this takes says
something about the hash at most, from which no key can be computed.
"""

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.names import check_name
from server.store.database import crud
from server.store.database.crud import Row
from server.store.disk import permissions
from server.store.disk.disk_errors import explain
from server.store.errors import NotFound, Refused, StoreError

LOCAL = "local"
OWNER, READER = ROLES = ("owner", "reader")
KEY = re.compile(r"(?:[A-Za-z0-9_]+-)?[A-Za-z0-9_-]{40,}")


@dataclass(frozen=True)
class Person:
    """A user. `roles`: entity → owner or reader. An admin may see and change everything, a guest see everything."""

    number: int
    name: str
    admin: bool = False
    guest: bool = False
    key_id: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    def sees(self, entity: str) -> bool:
        return self.admin or self.guest or entity in self.roles

    def owns(self, entity: str) -> bool:
        return self.admin or self.roles.get(entity) == OWNER

    @property
    def visible_entities(self) -> list[str] | None:
        """Entities that the person may see; None for all."""
        return None if self.admin or self.guest else list(self.roles)

    @property
    def own_entities(self) -> list[str]:
        """Entities that the person may write to, their own first."""
        others = sorted(entity for entity, role in self.roles.items() if role == OWNER and entity != self.name)
        return [self.name, *others]


ADMIN = Person(1, LOCAL, admin=True)
GUEST = Person(0, "guest", guest=True)
"""A reader without a key on this machine, while there is no user beside `local`."""


def api_key(folder: Path) -> str:
    """The folder's own key, made on first use, whole or not at all. Raises StoreError for a file without a key."""
    path = folder / "api-key"
    try:
        if not path.exists():
            permissions.write(path, f"{new_key()}\n")
        key = path.read_text(errors="replace").strip()
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {explain(error)}.") from error
    if not KEY.fullmatch(key):
        raise StoreError(f"{path} holds no key: delete it, and the next start makes a new one.")
    return key


def new_key() -> str:
    return f"local-{secrets.token_hex(20)}"


def check_key(key: str) -> str:
    """The key, if it has the client's form; raises Refused."""
    if not KEY.fullmatch(key):
        raise Refused("a key needs at least 40 letters, digits, - or _, as the wandb client wants them")
    return key


def key_id(key: str) -> str:
    """The beginning of a key: it tells keys apart and lets nobody in, as at least 28 characters stay unknown."""
    return key[:12]


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def by_key(db: sqlite3.Connection, key: str) -> Person | None:
    """The person with a key; None for a stranger, and for an invalid key."""
    return by_key_hash(db, hash_key(key)) if KEY.fullmatch(key) else None


def by_key_hash(db: sqlite3.Connection, key_hash: str) -> Person | None:
    row = crud.first(db, "SELECT * FROM users WHERE key_hash = ?", key_hash)
    return _person(db, row) if row and hmac.compare_digest(row["key_hash"], key_hash) else None


def by_name(db: sqlite3.Connection, name: str) -> Person | None:
    row = crud.first(db, "SELECT * FROM users WHERE name = ?", name)
    return ADMIN if name == LOCAL else _person(db, row) if row else None


def by_number(db: sqlite3.Connection, number: int) -> Person | None:
    if number == GUEST.number:
        return None if any_exist(db) else GUEST
    row = crud.first(db, "SELECT * FROM users WHERE id = ?", number - 1)
    return ADMIN if number == ADMIN.number else _person(db, row) if row else None


def _person(db: sqlite3.Connection, row: Row) -> Person:
    granted = db.execute("SELECT entity, role FROM rights WHERE user_id = ?", (row["id"],)).fetchall()
    roles = {right["entity"]: right["role"] for right in granted}
    return Person(row["id"] + 1, row["name"], key_id=row["key_id"], roles={**roles, row["name"]: OWNER})


def members(db: sqlite3.Connection, entity: str) -> list[Row]:
    """`{name, role}` of the people with a right in the entity, without admins."""
    return db.execute(
        """SELECT users.id + 1 AS number, users.name, role FROM rights JOIN users ON users.id = user_id
        WHERE entity = ?1 AND users.name != ?1
        UNION SELECT id + 1, name, 'owner' FROM users WHERE name = ?1 ORDER BY number""",
        (entity,),
    ).fetchall()


def any_exist(db: sqlite3.Connection) -> bool:
    """Whether there is anybody beside `local`."""
    return db.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None


def all_users(db: sqlite3.Connection) -> list[Person]:
    return [_person(db, row) for row in db.execute("SELECT * FROM users ORDER BY name").fetchall()]


def add(db: sqlite3.Connection, name: str, key: str, now: float) -> None:
    check_name("user", name)
    if by_name(db, name) is not None:
        raise Refused(f"there is a user {name!r} already; rotate gives them a new key")
    _check_free(db, key)
    crud.insert(db, "users", name=name, key_hash=hash_key(key), key_id=key_id(key), created_at=now)


def _check_free(db: sqlite3.Connection, key: str) -> None:
    check_key(key)
    if by_key(db, key) is not None:
        raise Refused("another user has this key; choose a random one, or leave --key out")


def rotate(db: sqlite3.Connection, name: str, key: str) -> None:
    """Replace a person's key."""
    _number(db, name)
    _check_free(db, key)
    db.execute("UPDATE users SET key_hash = ?, key_id = ? WHERE name = ?", (hash_key(key), key_id(key), name))


def remove(db: sqlite3.Connection, name: str) -> None:
    """Remove a person. Their runs stay; `local` sees them, and a later user of that name."""
    db.execute("DELETE FROM users WHERE id = ?", (_number(db, name),))


def grant(db: sqlite3.Connection, name: str, entity: str, role: str) -> None:
    check_name("entity", entity)
    if name == entity:
        raise Refused(f"{name} owns the entity {entity} anyway")
    assert role in ROLES
    db.execute("INSERT OR REPLACE INTO rights VALUES (?, ?, ?)", (_number(db, name), entity, role))


def revoke(db: sqlite3.Connection, name: str, entity: str) -> None:
    sql = "DELETE FROM rights WHERE user_id = ? AND entity = ?"
    if db.execute(sql, (_number(db, name), entity)).rowcount == 0:
        raise NotFound(f"{name} has no right in {entity} that was granted")


def key_hash(db: sqlite3.Connection, name: str) -> str:
    return str(crud.value(db, "SELECT key_hash FROM users WHERE id = ?", _number(db, name)))


def _number(db: sqlite3.Connection, name: str) -> int:
    number = crud.value(db, "SELECT id FROM users WHERE name = ?", name)
    if number is None:
        hint = "; its key lies in the file api-key of the folder" if name == LOCAL else ""
        raise NotFound(f"there is no user {name!r} that can be changed{hint}")
    return int(number)
