"""Ask again, later and later, what may be answered later."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Answer = TypeVar("Answer")


def pauses(first: float, longest: float, seconds: float = float("inf")) -> Iterator[float]:
    """Seconds to wait before each further try, doubled each time, until `seconds` are used up.

    Up to a quarter is added at random, so that those who failed together do not come back together.
    """
    used, pause = 0.0, first
    while used < seconds:
        wait = min(pause * random.uniform(1, 1.25), seconds - used)
        yield wait
        used += wait
        pause = min(2 * pause, longest)


def retry(
    ask: Callable[[], Answer],
    is_passing: Callable[[Exception], bool],
    waits: Iterator[float],
    wait: Callable[[float], object] = time.sleep,
) -> Answer:
    """The answer of `ask`, asked again after each of `waits` while its error is a passing one.

    Raises the last error where it is none, or where `waits` end. What `wait` raises ends the waiting.
    """
    while True:
        try:
            return ask()
        except Exception as error:
            pause = next(waits, None) if is_passing(error) else None
            if pause is None:
                raise
        wait(pause)
