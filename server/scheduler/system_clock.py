"""Notices when the machine's clock is set, so that no run counts as silent for the time that it jumped."""

import time
from collections.abc import Callable

STEP = 5.0  # seconds; smaller ones are drift, and harmless


class ClockMonitor:
    """Compares two clocks: one that can be set and one that only runs."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._steady = clock, steady
        self._offset = clock() - steady()

    def step(self) -> float:
        """Seconds by which the clock was set since the last call; 0 if it only ran."""
        offset = self._clock() - self._steady()
        step, self._offset = offset - self._offset, offset
        return step if abs(step) > STEP else 0.0
