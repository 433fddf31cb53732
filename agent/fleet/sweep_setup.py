"""The sweep to work on: one that exists, by its name, or that of a YAML file, made now or by an earlier start."""

import contextlib
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from agent.fleet import journal
from agent.fleet.sweep_client import Sweep
from agent.lifecycle import wandb_mode
from agent.lint.command import Command
from common.environment import CACHE, own
from common.names import BadName
from common.retry import retry
from common.sweep_spec import file as sweep_file
from common.sweep_spec.file import SweepFileError
from common.text import plural
from common.wandb_api import RequestRefused, ServerUnavailable

LOGIN_WAITS = (0.0, 0.0)
ENDED_STATES = ("FINISHED", "CANCELED")


class SweepError(Exception):
    """There is no sweep to work on; the text is one sentence."""


class SweepDone(Exception):
    """The sweep is done, and nothing is left to do; the text is one sentence."""


@dataclass(frozen=True)
class SweepInfo:
    sweep: Sweep
    config: dict[str, Any]
    expected: int | None
    """Number of runs that the sweep will have; None if it is unknown."""
    n_runs: int
    """Number of runs so far."""
    news: str
    preempted: frozenset[str] = frozenset()
    """Ids of the runs that it hands out again."""

    @property
    def command(self) -> list[str] | None:
        words = self.config.get("command")
        return [str(word) for word in words] if isinstance(words, list) else None

    @property
    def varied_parameters(self) -> list[str]:
        """Names of the parameters that are not the same in every trial."""
        parameters = self.config.get("parameters") or {}
        return [name for name, each in parameters.items() if isinstance(each, dict) and "value" not in each]


def state_folder() -> Path:
    """Folder of the fleets' journals: PUZZLE_FLEET, else `.cache/fleet` of the project."""
    return Path(own("PUZZLE_FLEET") or CACHE / "fleet").resolve()


def find(text: str, new: bool) -> SweepInfo:
    """The sweep that the person means.

    Raises:
        SweepError: no login, no such sweep, no YAML, or settings that `agent.lint` or the server refuses.
        SweepDone: it has nothing to do any more.
    """
    try:
        return _find(text, new)
    except (BadName, SweepFileError) as error:
        raise SweepError(str(error)) from None
    finally:
        if wandb := sys.modules.get("wandb"):
            wandb.teardown()


def _find(text: str, new: bool) -> SweepInfo:
    is_file = text.endswith((".yaml", ".yml")) or Path(text).is_file()
    config = sweep_file.read(Path(text)) if is_file else {}
    if is_file:
        lint(Path(text), config)
    parts = text.strip("/").split("/")
    if not is_file:
        check_sweep_path(text, parts, new)
    base_url, key, entity, project = login()
    if not is_file:
        entity, project, name = ([entity, project][: 3 - len(parts)] + parts)[-3:]
        return fetch_info(Sweep(base_url, key, entity, project or "uncategorized", name), f"working on {text}")
    named = str(config.get("project") or project or "uncategorized")
    entity = str(config.get("entity") or entity)
    file, memories = str(Path(text).resolve()), state_folder() / "made"
    made_of = (entity, named, Path(text).read_text())
    here, anywhere = _digest(base_url, *made_of), _digest(*made_of)
    with journal.exclusive_lock(memories):  # of two fleets that start at once, one makes the sweep
        if not new:
            for memory in (*memories.glob(f"{here}*.json"), *memories.glob(f"*-{anywhere}.json")):
                if earlier := _find_earlier(memory, base_url, key):
                    return earlier
        unfinished = _describe_unfinished(memories, file, base_url)
        sweep = create(config, base_url, key, entity, named)
        journal.write_json(memories / f"{here}-{anywhere}.json", asdict(sweep) | {"key": "", "file": file})
    return fetch_info(sweep, f"made the sweep {sweep.path} from {text}{unfinished}")


def _describe_unfinished(memories: Path, file: str, base_url: str) -> str:
    """Words on a sweep that the same file made before, with another text or `--new`, and that has trials to finish."""
    for memory in sorted(memories.glob("*.json")):
        sweep, made_of = _read_memory(memory)
        if not sweep or (made_of, sweep.base_url) != (file, base_url):
            continue
        if n := len(journal.read_all(state_folder() / sweep.name / "trials")):
            command = f"python -m agent.fleet {sweep.path}"
            return f"; the sweep that it made before has {plural(n, 'trial')} to finish: {command}"
    return ""


def _read_memory(memory: Path) -> tuple[Sweep | None, str]:
    """A sweep, without a key and at its server's address then, and the file that made it. None if it cannot be read."""
    try:
        facts = json.loads(memory.read_text())
        sweep = Sweep(facts["base_url"], "", facts["entity"], facts["project"], facts["name"])
        return sweep, str(facts.get("file"))
    except (OSError, ValueError, TypeError, KeyError):
        return None, ""


def check_sweep_path(text: str, parts: list[str], new: bool) -> None:
    """Raises SweepError: `text` was meant as a path, or cannot be the name of a sweep."""
    if Path(text).is_dir():
        raise SweepError(f"{text} is a folder; name a sweep's YAML file in it")
    if Path(f"{text}.yaml").is_file():
        raise SweepError(f"there is no file {text}; write {text}.yaml")
    if text.startswith(("/", "./", "../", "~")):
        raise SweepError(f"there is no file {text}")
    if not (1 <= len(parts) <= 3 and all(parts)):
        raise SweepError(f"{text} is neither a YAML file nor of the form ENTITY/PROJECT/ID")
    if new:
        raise SweepError(f"--new makes a sweep from a YAML file, and {text} is none: leave it out")


def lint(file: Path, config: dict[str, Any]) -> None:
    """Run `python -m agent.lint FILE` and show its findings, if the sweep starts `agent.train`.

    Raises:
        SweepError: it finds an error, or the sweep's runs would be silent.
    """
    started = Command(config.get("command"), config.get("program"))
    check_online(str(file), started.words)
    if not started.mentions_agent:
        return
    print(f"checking {file} (python -m agent.lint)", flush=True)
    command = [sys.executable, "-m", "agent.lint", str(file)]
    if subprocess.run(command, check=False).returncode:
        raise SweepError(f"{file} has the errors above; nothing was started")


def check_online(name: str, words: Sequence[object]) -> None:
    """Raises SweepError: words of the sweep's command keep its runs from the server."""
    if assignment := wandb_mode.offline_assignment(words):
        raise SweepError(f"the command of {name} sets {assignment}: {wandb_mode.WHY_ONLINE}; take it out")


def login() -> tuple[str, str, str, str]:
    """Address of the server, API key, default entity and project, as the wandb client finds them.

    Raises:
        SweepError: there is no login, or the server does not take it.
    """
    import wandb
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    from agent.lifecycle import preflight  # wandb takes a second to import

    errors = (wandb.errors.Error, WandbApiFailedError, ValueError, TimeoutError)
    try:
        wandb.setup(wandb.Settings(silent=True))
        preflight.check_server("agent.fleet")
        settings = retry(_login, errors, LOGIN_WAITS)
    except errors as error:
        raise SweepError(
            f"no W&B server to work with: {_reason(error)}; start the embedded one "
            "(`make serve`), and set WANDB_BASE_URL and WANDB_API_KEY as it says"
        ) from error
    base_url, key, entity, project = (str(each or "") for each in settings)
    return base_url, key, entity, project


def _reason(error: Exception) -> str:
    """The client's error in one line, without its advice."""
    text = " ".join(str(error).split())
    return "no API key is set" if "wandb login" in text else text.rstrip(".")


def _login() -> tuple[Any, Any, Any, Any]:
    import wandb

    api = wandb.Api()
    entity = api.settings["entity"] or api.default_entity
    return api.settings["base_url"], api.api_key, entity, api.settings["project"]


def create(config: dict[str, Any], base_url: str, key: str, entity: str, project: str) -> Sweep:
    """The sweep of `config`, made by the client.

    Raises:
        SweepError: with the client's or the server's reason.
    """
    import wandb
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            name = wandb.sweep(config, entity=entity, project=project)
    except (wandb.errors.Error, WandbApiFailedError, ValueError, TypeError) as error:
        raise SweepError(f"the sweep was refused: {' '.join(str(error).split())}") from error
    return Sweep(base_url, key, entity, project, name)


def fetch_info(sweep: Sweep, news: str) -> SweepInfo:
    """State of a sweep on its server. Raises SweepError: it is not there."""
    try:
        fields = sweep.fetch()
        preempted = frozenset(sweep.fetch_runs("preempted")) if fields else frozenset()
    except (ServerUnavailable, RequestRefused) as error:
        raise SweepError(f"{sweep.path} cannot be read: {error}") from None
    if fields is None:
        raise SweepError(
            f"there is no sweep {sweep.path} on {sweep.base_url} that this API key may read; a file would end in .yaml"
        )
    n_runs, expected = fields["runCount"] or 0, fields["runCountExpected"]
    if fields["state"] in ENDED_STATES and not journal.read_unfinished(state_folder() / sweep.name / "trials"):
        raise _why_ended(sweep, fields["state"], n_runs, expected)
    config = yaml.safe_load(fields["config"] or "") or {}
    check_online(f"sweep {sweep.path}", config.get("command") or ())
    return SweepInfo(sweep, config, expected, n_runs, news, preempted)


def _why_ended(sweep: Sweep, state: str, n_runs: int, expected: int | None) -> Exception:
    if state == "CANCELED":
        return SweepError(f"sweep {sweep.path} was cancelled: make a new one from its file")
    if expected is not None and n_runs >= expected:
        return SweepDone(f"sweep {sweep.path} is finished with all its {n_runs} runs: nothing is left to do")
    many = f"{n_runs} runs" if expected is None else f"{n_runs} of its {expected} runs"
    return SweepError(f"sweep {sweep.path} was stopped with {many}: `wandb sweep --resume {sweep.path}` lets it go on")


def _find_earlier(memory: Path, base_url: str, key: str) -> SweepInfo | None:
    """The sweep that an earlier start made of the same file, if this server has it and it is not done."""
    made, _ = _read_memory(memory)
    if made is None:
        return None
    sweep = replace(made, base_url=base_url, key=key)
    try:
        fields = sweep.fetch()
    except RequestRefused:
        return None
    except ServerUnavailable as error:
        raise SweepError(str(error)) from None
    if fields is None or (
        fields["state"] in ENDED_STATES and not journal.read_unfinished(state_folder() / sweep.name / "trials")
    ):
        return None
    return fetch_info(sweep, f"going on with the sweep {sweep.path} that this file made earlier; --new makes another")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
