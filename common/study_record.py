"""`study.json`: the sweeps of a study, and their server; `make study` writes it, commands on results read it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from common.files import write_text
from common.wandb_api import embedded_address, embedded_key

STUDY_FILE = "study.json"


class BadRecord(ValueError):
    """A record that cannot be understood; the text is one sentence."""


@dataclass(frozen=True)
class StudyRecord:
    """Enough to go on later and to read the results. Never a key."""

    paths: tuple[str, ...]
    """ENTITY/PROJECT/SWEEP of its sweeps."""
    base_url: str
    server_dir: str | None = None
    """Folder of the embedded server; None: another server."""
    data_digest: str = ""

    def save(self, folder: Path) -> None:
        """Write it whole or not at all."""
        write_text(folder / STUDY_FILE, json.dumps(asdict(self), indent=1) + "\n")

    @property
    def address(self) -> str:
        """Address of its server now: an embedded one has another port each time."""
        return (embedded_address(Path(self.server_dir)) if self.server_dir else None) or self.base_url

    @property
    def key(self) -> str | None:
        """Key of its embedded server; None if that is not on this machine, or it is another server."""
        return embedded_key(Path(self.server_dir)) if self.server_dir else None


def load(folder: Path) -> StudyRecord | None:
    """The record of the study in the folder; None if there is none.

    Raises BadRecord if it cannot be understood.
    """
    file = folder / STUDY_FILE
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text())
        if not isinstance(content["paths"], list):
            raise TypeError("paths is no list")
        server_dir = content.get("server_dir")
        return StudyRecord(
            tuple(str(path) for path in content["paths"]),
            str(content.get("base_url") or ""),
            str(server_dir) if server_dir else None,
            str(content.get("data_digest") or ""),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRecord(
            f'{file} should hold {{"paths": ["ENTITY/PROJECT/SWEEP"]}} and does not ({error!r}):'
            " run `make study` again, or give the paths yourself."
        ) from None


def find(results: Path, path: str) -> StudyRecord | None:
    """The record of the latest study under `results` that ran this sweep, ENTITY/PROJECT/SWEEP; None if none did."""
    for file in sorted(results.glob(f"*/{STUDY_FILE}"), key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            record = load(file.parent)
        except BadRecord:
            continue
        if record and path in record.paths:
            return record
    return None
