"""Paths of file bodies below /storage, which `server.storage` answers."""

import base64

from server.store.artifacts import MANIFEST_NAME


def run_file(run_id: int, name: str) -> str:
    return f"/storage/run-files/{run_id}/{name}"


def artifact_file(artifact_id: int, md5: str, path: str) -> str:
    """`md5` is base64, as manifests hold it; the address has it in hex."""
    return f"/storage/wandb_artifacts/{artifact_id}/{base64.b64decode(md5).hex()}/{path}"


def manifest(manifest_id: int) -> str:
    return f"/storage/manifests/{manifest_id}/{MANIFEST_NAME}"
