"""Paths of runs, their server and its key: from arguments, environment and the last study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from analysis import AnalysisError
from common.study_record import STUDY_FILE, BadRecord, StudyRecord, find, load
from common.wandb_api import CLOUD, BadAddress, server_address

RESULTS = Path("results")
LATEST = RESULTS / "latest"
WANDB_HOSTS = {"wandb.ai": CLOUD, "www.wandb.ai": CLOUD}


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
            f"{text!r} names neither a project nor a sweep: give ENTITY/PROJECT, ENTITY/PROJECT/SWEEP,"
            " the address of one of the two, or the folder of an exported study."
        )
    base_url = None
    if address.netloc:
        base_url = WANDB_HOSTS.get(address.netloc, f"{address.scheme}://{address.netloc}")
    return RunsPath(parts[0], parts[1], parts[2] if len(parts) == 3 else None, base_url)


def resolve(given: Sequence[str], environ: Mapping[str, str], results: Path = RESULTS) -> tuple[list[RunsPath], Login]:
    """The runs that are meant, and the login to the server that has them.

    Without paths the last study is meant. Sweeps that a study under `results` ran are read from that study's server.
    Raises `AnalysisError` if that is not clear, or there is no key.
    """
    try:
        latest = load(results / LATEST.name)
    except BadRecord as error:
        if not given:
            raise AnalysisError(str(error)) from None
        latest = None
    paths = choose_paths(given, latest)
    records = [find(results, str(path)) for path in paths] if given else [latest]
    recorded = {record.server_dir or record.base_url: record for record in records if record}
    if len(recorded) > 1:
        raise AnalysisError(f"These studies lie on {len(recorded)} servers: give those of one server at a time.")
    return paths, choose_login(paths, environ, next(iter(recorded.values()), None), latest)


def choose_paths(given: Sequence[str], latest: StudyRecord | None) -> list[RunsPath]:
    """The paths given, or else the last study's; raises `AnalysisError` if there are neither."""
    texts = list(given) or list(latest.paths if latest else ())
    if not texts:
        raise AnalysisError(
            f"No path given and no last study in {LATEST / STUDY_FILE}: run `make study`, or give"
            " ENTITY/PROJECT or ENTITY/PROJECT/SWEEP."
        )
    for text in texts:
        refuse_folder(text)
    paths = [parse_path(text) for text in texts]
    if len({path.base_url for path in paths if path.base_url}) > 1:
        raise AnalysisError("The addresses given lie on different servers: give those of one server at a time.")
    return paths


def refuse_folder(text: str) -> None:
    """Raise `AnalysisError` for a path on the disk: the folder of an exported study is none that a server has."""
    path = Path(text)
    if path.exists() or path.is_absolute() or (len(path.parts) > 1 and "://" not in text and path.parent.is_dir()):
        raise AnalysisError(
            f"{text} is no folder of an exported study: name one, such as docs/study/cpu, or runs of a server,"
            " ENTITY/PROJECT or ENTITY/PROJECT/SWEEP."
        )


def choose_login(
    paths: Sequence[RunsPath],
    environ: Mapping[str, str],
    recorded: StudyRecord | None = None,
    latest: StudyRecord | None = None,
) -> Login:
    """Server and key: of the study that ran these sweeps, else given, else of the environment, else of the last study.

    `recorded` is that of the study; the last study counts only if no key is known.

    The environment's key for a server goes before the file's, and to no other server. Raises `AnalysisError` if there
    is none.
    """
    key, named = environ.get("WANDB_API_KEY"), normalise_address(environ.get("WANDB_BASE_URL"))
    study = recorded or latest
    wanted = next((path.base_url for path in paths if path.base_url), None)
    if recorded:
        wanted = wanted or normalise_address(recorded.address)
    elif not wanted and not named and not key and latest:
        wanted = normalise_address(latest.address)
    if wanted and study and wanted == normalise_address(study.address) and study.key:
        return Login(wanted, key if key and named == wanted else study.key)
    if wanted and named and wanted != named:
        raise AnalysisError(
            f"These runs lie on {wanted}, but WANDB_BASE_URL is {named}:"
            " set WANDB_BASE_URL and WANDB_API_KEY to theirs."
        )
    base_url = wanted or named
    if base_url and not key and study and base_url == normalise_address(study.address):
        key = study.key
    if not key:
        raise AnalysisError(
            f"No key for {base_url or 'the W&B server'}: set WANDB_API_KEY (and WANDB_BASE_URL unless it is"
            " the W&B cloud); `make serve` prints both for the embedded server."
        )
    return Login(base_url, key)


def normalise_address(address: str | None) -> str | None:
    """The address in one spelling; raises `AnalysisError` if it is none."""
    try:
        return server_address(address) if address else None
    except BadAddress as error:
        raise AnalysisError(f"WANDB_BASE_URL: {error}.") from None
