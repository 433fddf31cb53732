"""Ask again, later and later, after an error that may pass."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Answer = TypeVar("Answer")


def retry(
    action: Callable[[], Answer],
    errors: type[Exception] | tuple[type[Exception], ...],
    waits: Iterable[float],
    sleep: Callable[[float], object] = time.sleep,
    report: Callable[[Exception, float], None] | None = None,
) -> Answer:
    """The answer of `action`, repeated after each of `waits` seconds while it raises one of `errors`.

    The error is raised when `waits` have an end, or when `sleep` returns something true, as `threading.Event.wait`
    does when it is interrupted. `report` gets each error that is passed over, and the seconds until the next try.
    """
    pauses = iter(waits)
    while True:
        try:
            return action()
        except errors as error:
            wait = next(pauses, None)
            if wait is None:
                raise
            if report:
                report(error, wait)
            if sleep(wait):
                raise


def is_busy(status: int) -> bool:
    """Whether an HTTP status says that the same request may succeed later."""
    return status in (408, 429) or status >= 500


def doubling(first: float, longest: float, seconds: float = math.inf) -> Iterator[float]:
    """Waits of `first` seconds, then twice as many each, at most `longest`, until `seconds` from now are over."""
    return _until(time.monotonic() + seconds, first, longest)


def _until(end: float, wait: float, longest: float) -> Iterator[float]:
    while (left := end - time.monotonic()) > 0:
        yield min(wait, longest, left)
        wait = min(2 * wait, longest)
