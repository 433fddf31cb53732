"""Entity of a thing, against which rights are checked."""

import sqlite3

from server.store.database import crud

_RUN = "SELECT entity FROM runs JOIN projects ON projects.id = project_id WHERE runs.id = "
_COLLECTION = "SELECT entity FROM collections JOIN projects ON projects.id = project_id WHERE collections.id = "
_SWEEP = "SELECT entity FROM sweeps JOIN projects ON projects.id = project_id WHERE sweeps.id = "
_ARTIFACT = _COLLECTION + "(SELECT collection_id FROM artifacts WHERE id = {})"
_KINDS = {
    "Project": ("project", "SELECT entity FROM projects WHERE id = ?"),
    "Run": ("run number", _RUN + "?"),
    "Sweep": ("sweep number", _SWEEP + "?"),
    "Agent": ("agent number", _SWEEP + "(SELECT sweep_id FROM agents WHERE id = ?)"),
    "View": ("view number", "SELECT entity FROM views JOIN projects ON projects.id = project_id WHERE views.id = ?"),
    "File": ("file number", _RUN + "(SELECT run_id FROM run_files WHERE id = ?)"),
    "ArtifactCollection": ("artifact collection number", _COLLECTION + "?"),
    "Artifact": ("artifact number", _ARTIFACT.format("?")),
    "ArtifactManifest": (
        "artifact manifest number",
        _ARTIFACT.format("(SELECT artifact_id FROM manifests WHERE id = ?)"),
    ),
}
KINDS = frozenset(_KINDS)


def entity(db: sqlite3.Connection, kind: str, number: int) -> str | None:
    """Entity of the thing; None if it does not exist."""
    found: str | None = crud.value(db, _KINDS[kind][1], number)
    return found


def name(kind: str, number: int) -> str:
    """Name of the thing in the store's NotFound."""
    return f"{_KINDS[kind][0]} {number}"
