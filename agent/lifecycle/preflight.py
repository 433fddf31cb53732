"""Checks of a server before a run begins: does it answer, does it take the key, does it have rows of the run?

Without this the client tries for a minute and a half, without a word, before it says that nobody answers.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import wandb
from wandb.errors import CommError
from wandb.errors import Error as ClientError
from wandb.sdk.lib import wbauth
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent.config import Config, ConfigError
from agent.lifecycle.plan import RunPlan
from common.retry import doubling, retry
from common.wandb_api import KeyRefused, RequestRefused, ServerUnavailable, graphql

# The client's own question before it goes on with a run; without an entity it means the key's owner.
RUN_QUERY = """query RunResumeStatus($project: String, $entity: String, $name: String!) {
    model(name: $project, entityName: $entity) { bucket(name: $name, missingOk: true) { config historyLineCount } } }"""

VIEWER_QUERY = "query Viewer { viewer { username } }"

CLIENT_ERRORS = (ClientError, WandbApiFailedError, ValueError, TimeoutError)
"""Errors of the client's questions to a server that says no, or nothing."""

ASK_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class RunOnServer:
    """A run as the server has it."""

    settings: dict[str, Any]
    """The part of its configuration that is fields of Config."""
    n_rows: int


def check_server(who: str) -> None:
    """Return when the server has answered and taken the key, or if only the client knows how to ask it.

    A server that is away is waited for as long as the client would, `WANDB_INIT_TIMEOUT` or 90 s, and `who` says so at
    once.

    Raises:
        CommError: the server does not answer, or does not take the key.
        AuthenticationError: the key does not look like one.
    """
    if login := _login(who):
        _answer(who, login, VIEWER_QUERY, {}, lambda: None)


def find_run(run_id: str, entity: str | None, project: str | None, check: Callable[[], None]) -> RunOnServer | None:
    """The run as the server has it; None without one, without a server, or if only the client can ask it.

    Waits and raises as `check_server` does. Meanwhile `check` is called again and again; an error of it ends the
    waiting.
    """
    login = _login("agent.train")
    if login is None:
        return None
    place = {"project": project, "entity": entity or login.entity, "name": run_id}
    answer = _answer("agent.train", login, RUN_QUERY, place, check)
    run = answer and (answer["model"] or {}).get("bucket")
    return RunOnServer(_settings(json.loads(run["config"] or "{}")), run["historyLineCount"] or 0) if run else None


def check_same_config(plan: RunPlan, check: Callable[[], None]) -> None:
    """Check that the rows of the run on the server, if any, were made with these settings.

    Waits and raises as `find_run` does.

    Raises:
        ConfigError: they were made with others; two configurations would mix in one run.
    """
    run = find_run(plan.run_id, plan.entity, plan.project, check)
    if run and run.n_rows and (others := differences(run.settings, plan.config)):
        raise ConfigError(
            f"run {plan.run_id} has rows on the server that were made with other settings ({', '.join(others)}): "
            f"unset WANDB_RUN_ID to start a new run, or go on with --resume {plan.run_id} and no other flag"
        )


def differences(settings: Mapping[str, Any], config: Config) -> list[str]:
    """The settings of a configuration that have other values in `settings`, in words."""
    both = [(each.name, settings.get(each.name, each.default), getattr(config, each.name)) for each in fields(config)]
    return [f"{name} {theirs}, not {ours}" for name, theirs, ours in both if theirs != ours]


@dataclass(frozen=True)
class _Login:
    base_url: str
    key: str
    entity: str | None
    seconds: float
    """Patience of the client with a server that does not answer."""


def _login(who: str) -> _Login | None:
    """Address and key as the client finds them in environment and files; None without a server or a key."""
    try:
        settings = wandb.setup().settings
    except ValueError as error:
        name_and_rule = " ".join(" ".join(str(error).splitlines()[1:3]).split()).partition(" [type=")[0]
        raise CommError(f"the client refuses the setting {name_and_rule}") from None
    if settings.mode not in ("online", "shared"):
        return None
    host = wbauth.HostUrl(settings.base_url, app_url=settings.app_url)
    login = wbauth.authenticate_session(host=host, source=who, prompt=False, update_session=False)
    if not isinstance(login, wbauth.AuthApiKey):
        return None
    return _Login(settings.base_url, login.api_key, settings.entity, settings.init_timeout)


def _answer(
    who: str, login: _Login, query: str, variables: Mapping[str, Any], check: Callable[[], None]
) -> dict[str, Any] | None:
    question = functools.partial(graphql, login.base_url, login.key, query, variables, ASK_SECONDS)
    try:
        return _retry(who, question, login.seconds, check)
    except (ServerUnavailable, KeyRefused) as error:
        raise CommError(str(error)) from None
    except RequestRefused:
        return None  # the client may know better: it may trust a certificate that Python does not


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    names = [each.name for each in fields(Config)]
    return {name: config[name]["value"] for name in names if isinstance(config.get(name), dict)}


def _retry(
    who: str, question: Callable[[], dict[str, Any]], seconds: float, check: Callable[[], None]
) -> dict[str, Any]:
    reported = False

    def report(error: Exception, wait: float) -> None:
        nonlocal reported
        if not reported:
            print(f"{who}: {error}; trying again for {seconds:.0f} s", file=sys.stderr, flush=True)
        reported = True

    waits = doubling(FIRST_PAUSE, LONGEST_PAUSE, seconds)
    try:
        return retry(question, ServerUnavailable, waits, lambda wait: _wait(wait, check), report)
    except ServerUnavailable as error:
        raise ServerUnavailable(f"{error}, for {seconds:.0f} s") from None


def _wait(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, POLL_SECONDS))
