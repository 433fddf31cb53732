"""Files of runs."""

import mimetypes
import posixpath
from typing import Any

from server import storage_paths
from server.graphql.context import Context, Resolvers, connection, global_id, read_id
from server.graphql.resolvers.runs import get_run
from server.store import Refused, Row, files


def create_run_files(root: Any, ctx: Context, input: Row) -> Row:
    run = get_run(ctx, input)
    uploads = [
        {"name": name, "upload_url": ctx.signed_url("PUT", storage_paths.run_file(run["id"], files.check_path(name)))}
        for name in input["files"]
    ]
    return {"run_id": global_id("Run", run["id"]), "upload_headers": [], "files": uploads}


def mark_uploaded(root: Any, ctx: Context, input: Row) -> Row:
    """A file counts as uploaded once its body is here; this only checks that the run exists."""
    get_run(ctx, input)
    return {"success": True}


def delete_files(root: Any, ctx: Context, input: Row) -> Row:
    numbers = [read_id("File", file_id) for file_id in input["files"]]
    with ctx.store.write() as db:
        files.delete(db, numbers)
    return {"success": True}


def of_run(
    row: Row,
    ctx: Context,
    names: list[str] | None = None,
    after: str | None = None,
    first: int | None = None,
    pattern: str | None = None,
) -> Row:
    plain = None if names is None else [posixpath.normpath(name) for name in names]  # ./a as in `run.file("./a")`
    found = files.of_run(ctx.db, row["id"], plain, pattern)
    return connection(found, first, after, load=lambda rows: [node(ctx, file) for file in rows])


def node(ctx: Context, file: Row) -> Row:
    path = storage_paths.run_file(file["run_id"], file["name"])
    return {
        "id": global_id("File", file["id"]),
        "name": file["name"],
        "display_name": file["name"],
        "path": path,
        "direct_url": ctx.signed_url("GET", path),
        "size_bytes": file["size"],
        "storage_path": path.removeprefix("/storage/"),
        "mimetype": mimetypes.guess_type(file["name"])[0] or "application/octet-stream",
        "updated_at": file["updated_at"],
        "digest": file["md5"],
        "md5": file["md5"],
        "writable": ctx.person.owns(ctx.entity_of("Run", file["run_id"]) or ""),
    }


def url(row: Row, ctx: Context, upload: bool | None = None) -> str:
    """A signed address; of a reference in an artifact, what it refers to."""
    if upload and not row["writable"]:
        raise Refused(f"{row['name']} cannot be uploaded again: only the owner of a run can, and no artifact changes")
    if row["path"] is None:
        return str(row["direct_url"])
    return ctx.signed_url("PUT" if upload else "GET", row["path"])


RESOLVERS: Resolvers = {
    "Mutation": {
        "createRunFiles": create_run_files,
        "markRunFilesUploaded": mark_uploaded,
        "deleteFiles": delete_files,
    },
    "Run": {"files": of_run, "fileCount": lambda row, ctx: files.count(ctx.db, row["id"])},
    "File": {"url": url},
}
