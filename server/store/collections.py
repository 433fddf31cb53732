"""Collections of artifacts: sequences (versions that were logged) and portfolios (links), their aliases and tags."""

import re
import sqlite3

from common.names import check_name
from server.store.database import crud
from server.store.database.crud import Row
from server.store.errors import NotFound, Refused

SEQUENCE, PORTFOLIO = "ArtifactSequence", "ArtifactPortfolio"
LATEST = "latest"
SEPARATORS = "/:"  # all that the client forbids in names, types and aliases of artifacts
_VERSION = re.compile(r"v(\d+)")
_SELECT = "SELECT collections.* FROM collections "
_MEMBER = "SELECT memberships.* FROM memberships "


def by_id(db: sqlite3.Connection, collection_id: int) -> Row:
    return crud.get(db, _SELECT + "WHERE id = ?", collection_id, "artifact collection number")


def find(db: sqlite3.Connection, project_id: int, name: str) -> Row | None:
    return crud.first(db, _SELECT + "WHERE project_id = ? AND name = ?", project_id, name)


def ensure(db: sqlite3.Connection, project_id: int, name: str, type: str, kind: str, now: float) -> Row:
    """The collection of that name. Raises BadName, or Refused when it exists with another type or kind."""
    check_name("artifact name", name, SEPARATORS)
    ensure_type(db, project_id, type, now)
    db.execute(
        """INSERT INTO collections (project_id, name, type, kind, created_at, updated_at)
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
        (project_id, name, type, kind, now, now),
    )
    row = find(db, project_id, name)
    assert row is not None
    if row["type"] != type:
        raise Refused(f"artifact {name!r} already exists with type {row['type']!r}, not {type!r}")
    if row["kind"] != kind:
        raise Refused(f"{name!r} is an {row['kind']}, not an {kind}")
    return row


def of_project(db: sqlite3.Connection, project_id: int, type: str | None = None) -> list[Row]:
    """Collections, newest first, without those in which nothing was ever committed."""
    return db.execute(
        _SELECT
        + """WHERE project_id = ?1 AND (?2 IS NULL OR type = ?2) AND (kind = 'ArtifactPortfolio' OR next_version > 0)
        ORDER BY id DESC""",
        (project_id, type),
    ).fetchall()


def types(db: sqlite3.Connection, project_id: int) -> list[Row]:
    """Artifact types by name, also those whose collections are gone."""
    return db.execute("SELECT * FROM artifact_types WHERE project_id = ? ORDER BY name", (project_id,)).fetchall()


def ensure_type(db: sqlite3.Connection, project_id: int, name: str, now: float) -> None:
    """Raises BadName."""
    check_name("artifact type", name, SEPARATORS)
    db.execute(
        "INSERT INTO artifact_types (project_id, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (project_id, name, now),
    )


def find_type(db: sqlite3.Connection, project_id: int, name: str) -> Row | None:
    return crud.first(db, "SELECT * FROM artifact_types WHERE project_id = ? AND name = ?", project_id, name)


def change(
    db: sqlite3.Connection, collection_id: int, now: float, name: str | None, description: str | None, type: str | None
) -> Row:
    old = by_id(db, collection_id)
    if name is not None and name != old["name"]:
        check_name("artifact name", name, SEPARATORS)
    if type is not None:
        ensure_type(db, old["project_id"], type, now)
    columns = {"name": name, "description": description, "type": type}
    crud.update(db, "collections", collection_id, columns, updated_at=now)
    return by_id(db, collection_id)


def delete(db: sqlite3.Connection, collection_id: int) -> Row:
    """Removes it from every listing; a deleted sequence takes its versions with it."""
    row = by_id(db, collection_id)
    db.execute("DELETE FROM tags WHERE owner = 'collection' AND owner_id = ?", (collection_id,))
    db.execute("DELETE FROM collections WHERE id = ?", (collection_id,))
    return row


def member(db: sqlite3.Connection, collection_id: int, alias: str) -> Row | None:
    """The membership that `alias`, `vN` or `latest` stands for."""
    version = _VERSION.fullmatch(alias)
    if version is not None:
        sql, wanted = "WHERE collection_id = ? AND version = ?", version[1]
    else:
        sql = "JOIN aliases USING (collection_id, artifact_id) WHERE collection_id = ? AND alias = ?"
        wanted = alias or LATEST
    return crud.first(db, _MEMBER + sql, collection_id, wanted)


def membership(db: sqlite3.Connection, collection_id: int, artifact_id: int) -> Row | None:
    return crud.first(db, _MEMBER + "WHERE collection_id = ? AND artifact_id = ?", collection_id, artifact_id)


def memberships(db: sqlite3.Connection, artifact_id: int) -> list[Row]:
    return db.execute(_MEMBER + "WHERE artifact_id = ? ORDER BY id", (artifact_id,)).fetchall()


def join(db: sqlite3.Connection, collection_id: int, artifact_id: int, aliases: list[str], now: float) -> int:
    """Gives the artifact the next version (once), and moves `latest` and `aliases` to it. Returns the version."""
    known = membership(db, collection_id, artifact_id)
    if known is None:
        version = int(by_id(db, collection_id)["next_version"])
        place = {"collection_id": collection_id, "artifact_id": artifact_id}
        crud.insert(db, "memberships", **place, version=version, created_at=now)
        crud.update(db, "collections", collection_id, {"next_version": version + 1}, updated_at=now)
        aliases = [LATEST, *aliases]
    else:
        version = known["version"]
    for alias in aliases:
        set_alias(db, collection_id, alias, artifact_id)
    return version


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


def set_alias(db: sqlite3.Connection, collection_id: int, alias: str, artifact_id: int) -> None:
    """Moves the alias; `vN` belongs to the server and stays where it is."""
    if is_version(alias):
        return
    check_alias(alias)
    db.execute(
        """INSERT INTO aliases (collection_id, alias, artifact_id) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET artifact_id = ?3""",
        (collection_id, alias, artifact_id),
    )


def check_alias(alias: str) -> str:
    return check_name("alias", alias, SEPARATORS)


def drop_alias(db: sqlite3.Connection, collection_id: int, alias: str, artifact_id: int) -> None:
    db.execute(
        "DELETE FROM aliases WHERE collection_id = ? AND alias = ? AND artifact_id = ?",
        (collection_id, alias, artifact_id),
    )


def aliases(db: sqlite3.Connection, artifact_id: int | None = None, collection_id: int | None = None) -> list[Row]:
    return db.execute(
        """SELECT * FROM aliases WHERE (?1 IS NULL OR artifact_id = ?1) AND (?2 IS NULL OR collection_id = ?2)
        ORDER BY id""",
        (artifact_id, collection_id),
    ).fetchall()


def alias_names(db: sqlite3.Connection, artifact_id: int, collection_id: int) -> list[str]:
    return [row["alias"] for row in aliases(db, artifact_id, collection_id)]


def leave(db: sqlite3.Connection, collection_id: int, artifact_id: int) -> None:
    """Takes the artifact out; `latest` moves to the newest version that is left."""
    db.execute("DELETE FROM aliases WHERE collection_id = ? AND artifact_id = ?", (collection_id, artifact_id))
    db.execute("DELETE FROM memberships WHERE collection_id = ? AND artifact_id = ?", (collection_id, artifact_id))
    newest = crud.first(db, _MEMBER + "WHERE collection_id = ? ORDER BY version DESC LIMIT 1", collection_id)
    if newest is not None and member(db, collection_id, LATEST) is None:
        set_alias(db, collection_id, LATEST, newest["artifact_id"])


def tags(db: sqlite3.Connection, owner: str, owner_id: int) -> list[Row]:
    return db.execute("SELECT * FROM tags WHERE owner = ? AND owner_id = ? ORDER BY id", (owner, owner_id)).fetchall()


def change_tags(db: sqlite3.Connection, owner: str, owner_id: int, add: list[str], drop: list[str]) -> None:
    for name in add:
        db.execute(
            "INSERT INTO tags (owner, owner_id, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (owner, owner_id, name)
        )
    for name in drop:
        db.execute("DELETE FROM tags WHERE owner = ? AND owner_id = ? AND name = ?", (owner, owner_id, name))


def get(db: sqlite3.Connection, project_id: int, name: str) -> Row:
    row = find(db, project_id, name)
    if row is None:
        raise NotFound(f"artifact collection {name!r}")
    return row


def parse(name: str) -> tuple[str, str]:
    """`model:best` → `("model", "best")`, `model` → `("model", "latest")`."""
    collection, _, alias = name.partition(":")
    return collection, alias or LATEST
