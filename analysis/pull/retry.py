"""Asks again, later and later, if a server is busy or a connection was lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from analysis import AnalysisError
from common.retry import is_busy, retry

Answer = TypeVar("Answer")
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try; up to a quarter is added at random, so that threads do not come back together."""


class Unreachable(AnalysisError):
    """The server was busy or silent through every try: further requests now are of no use."""


@contextmanager
def as_analysis_error(what: str) -> Iterator[None]:
    """Turns the client's many kinds of error into an `AnalysisError` that begins with `what`."""
    from wandb.errors import Error
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    try:
        yield
    except (Error, WandbApiFailedError, ValueError, OSError, TimeoutError) as error:
        raise AnalysisError(f"{what}: {error}") from error


def retry_request(
    what: str, action: Callable[[], Answer], stop: threading.Event | None = None, waits: Sequence[float] = WAITS
) -> Answer:
    """The answer of `action`, repeated after each of `waits` seconds while its error is `transient`.

    Raises `Unreachable` if the last try fails so too, or if `stop` is set meanwhile; `AnalysisError` for any other
    error of the client's. Both sentences begin with `what`.
    """

    def attempt() -> Answer:
        try:
            with as_analysis_error(what):
                return action()
        except AnalysisError as error:
            if not transient(error):
                raise
            raise Unreachable(str(error)) from error

    spread = (wait * random.uniform(1, 1.25) for wait in waits)
    return retry(attempt, Unreachable, spread, (stop or threading.Event()).wait)


def transient(error: BaseException | None) -> bool:
    """Whether asking again may help: the server said busy (429, 408) or failed (5xx), or no answer came at all.

    The client repeats a request that is answered with 429 or 5xx by itself, for 19 s, then says that none came.
    """
    import requests
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError | requests.ConnectionError | requests.Timeout):
            return True
        if isinstance(error, WandbApiFailedError):
            return error.response is None or is_busy(error.response.http_status)
        if isinstance(error, requests.HTTPError):
            return error.response is not None and is_busy(error.response.status_code)
        error = getattr(error, "exc", None) or error.__cause__
    return False
