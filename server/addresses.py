"""Where bodies of files are fetched and put, below /storage; `server.storage` answers there."""

import base64

from server.store import Refused
from server.store.artifacts import MANIFEST_NAME

MAX_PATH = 1000


def check_path(name: str) -> str:
    """A relative path below a run or an artifact. Raises Refused for anything that could mean another place."""
    parts = name.split("/")
    if (
        not name
        or len(name) > MAX_PATH
        or "\\" in name
        or "\0" in name
        or any(p in ("", ".", "..") for p in parts)
    ):
        raise Refused(f"not a file name: {name!r}")
    return name


def run_file(run_id: int, name: str) -> str:
    return f"/storage/run-files/{run_id}/{name}"


def artifact_file(artifact_id: int, md5: str, path: str) -> str:
    """`md5` is base64, as manifests hold it; the address has it in hex."""
    return f"/storage/wandb_artifacts/{artifact_id}/{base64.b64decode(md5).hex()}/{path}"


def manifest(manifest_id: int) -> str:
    return f"/storage/manifests/{manifest_id}/{MANIFEST_NAME}"
