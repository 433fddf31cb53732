"""Which runs are meant, which server has them, and with which key: from arguments, environment and the last study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from analysis import AnalysisError

LATEST = Path("results/latest")
WANDB_HOSTS = {"wandb.ai": "https://api.wandb.ai", "www.wandb.ai": "https://api.wandb.ai"}


@dataclass(frozen=True)
class RunsPath:
    """A project, or one sweep of it."""

    entity: str
    project: str
    sweep: str | None = None
    base_url: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.entity, self.project, self.sweep) if part)


@dataclass(frozen=True)
class Login:
    """The server's address (None: the W&B cloud) and the key to it."""

    base_url: str | None
    api_key: str


@dataclass(frozen=True)
class LastStudy:
    """`results/latest/study.json`: what the last study ran, and where."""

    paths: tuple[str, ...] = ()
    base_url: str | None = None
    server_dir: Path | None = None

    def api_key(self) -> str | None:
        """Key of the embedded server, from the file `api-key` in its folder; None if there is none."""
        key_file = self.server_dir / "api-key" if self.server_dir else None
        return key_file.read_text().strip() if key_file and key_file.is_file() else None


def parse_path(text: str) -> RunsPath:
    """`entity/project`, `entity/project/sweep`, or the address of either page, as a `RunsPath`.

    Raises `AnalysisError` for anything else, a single run included.
    """
    address = urlsplit(text)
    parts = [unquote(part) for part in address.path.split("/") if part]
    if len(parts) >= 3 and parts[2] in ("workspace", "overview", "table"):
        parts = parts[:2]
    if len(parts) == 4 and parts[2] == "sweeps":
        parts = [*parts[:2], parts[3]]
    if len(parts) not in (2, 3) or parts[-1] in ("runs", "sweeps"):
        raise AnalysisError(
            f"{text!r} names neither a project nor a sweep: give ENTITY/PROJECT, ENTITY/PROJECT/SWEEP"
            " or the address of one of the two."
        )
    base_url = None
    if address.netloc:
        base_url = WANDB_HOSTS.get(address.netloc, f"{address.scheme}://{address.netloc}")
    return RunsPath(parts[0], parts[1], parts[2] if len(parts) == 3 else None, base_url)


def last_study(folder: Path = LATEST) -> LastStudy | None:
    """The study that `folder/study.json` describes, or None if there is no such file.

    Raises `AnalysisError` if the file is there and cannot be understood.
    """
    file = folder / "study.json"
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text())
        server_dir = Path(content["server_dir"]) if content.get("server_dir") else None
        return LastStudy(
            paths=tuple(str(path) for path in content["paths"]),
            base_url=running_at(server_dir) or content.get("base_url"),
            server_dir=server_dir,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnalysisError(
            f'{file} should hold {{"paths": ["ENTITY/PROJECT/SWEEP"]}} and does not ({error!r}):'
            " run `make study` again, or give the paths yourself."
        ) from None


def running_at(server_dir: Path | None) -> str | None:
    """Where an embedded server that works on this folder says it answers; None if none does."""
    address = server_dir / "address" if server_dir else None
    return address.read_text().strip() if address and address.is_file() else None


def choose_paths(given: Sequence[str], study: LastStudy | None) -> list[RunsPath]:
    """The paths given, or else the last study's; raises `AnalysisError` if there are neither."""
    texts = list(given) or list(study.paths if study else ())
    if not texts:
        raise AnalysisError(
            f"No path given and no last study in {LATEST / 'study.json'}: run `make study`, or give"
            " ENTITY/PROJECT or ENTITY/PROJECT/SWEEP."
        )
    paths = [parse_path(text) for text in texts]
    if len({path.base_url for path in paths if path.base_url}) > 1:
        raise AnalysisError(
            "The addresses given lie on different servers: give those of one server at a time."
        )
    return paths


def choose_login(
    paths: Sequence[RunsPath], environ: Mapping[str, str], study: LastStudy | None, *, default_paths: bool
) -> Login:
    """Server and key: the environment's; else the address's; else the last study's.

    The last study's server is also meant when its own paths are (`default_paths`) whatever key the environment
    holds, because that key then belongs elsewhere. Raises `AnalysisError` if there is no key.
    """
    study = study or LastStudy()
    named = environ.get("WANDB_BASE_URL") or next((path.base_url for path in paths if path.base_url), None)
    key = environ.get("WANDB_API_KEY")
    base_url = named
    if not named and (default_paths or not key):
        base_url = study.base_url
    if base_url and study.base_url and base_url.rstrip("/") == study.base_url.rstrip("/"):
        key = (key or study.api_key()) if named else (study.api_key() or key)
    if not key:
        raise AnalysisError(
            f"No key for {base_url or 'the W&B server'}: set WANDB_API_KEY (and WANDB_BASE_URL unless it is"
            " the W&B cloud); `make serve` prints both for the embedded server."
        )
    return Login(base_url.rstrip("/") if base_url else None, key)


def check_server(base_url: str, timeout: float = 10.0) -> None:
    """Raises `AnalysisError` unless something answers HTTP at `base_url` within `timeout` seconds."""
    if not base_url.startswith(("http://", "https://")):
        raise AnalysisError(
            f"{base_url!r} is no server's address: WANDB_BASE_URL begins with http:// or https://."
        )
    try:
        urlopen(base_url, timeout=timeout).close()
    except HTTPError:
        return
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise AnalysisError(
            f"No server answers at {base_url} ({reason}): start the embedded one with `make serve`,"
            " or correct WANDB_BASE_URL."
        ) from None
