"""Connections that send or take next to nothing are closed: each one holds a descriptor, and needs no key for that.

uvicorn only limits the silence between two requests. Here a request's head has to come within some seconds, its body
and its answer have to move. The time in which the server itself does not read is not counted.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedProtocol(H11Protocol):
    """Aborts a connection that is too slow; the client then repeats its request.

    head_seconds: from the first byte of a request, or from the connection, to the end of its head.
    silent_seconds: between two pieces of a body, and for an answer that is not taken.
    least_rate: bytes per second of a body, on average after the first `silent_seconds`.
    """

    head_seconds = 20.0
    silent_seconds = 60.0
    least_rate = 1000.0

    _expected: object = None
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _since = _last = 0.0
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._last = self.loop.time()
        self._received += len(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._timer)
        self._stop(self._stalled)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.silent_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._stalled)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._stalled = self.loop.call_later(self.silent_seconds, self.transport.abort)

    def _watch(self) -> None:
        """Starts to wait for a head or a body, if the client owes one."""
        state = self.conn.their_state
        idle = state is h11.IDLE and self.timeout_keep_alive_task is None
        expected = state if idle or state is h11.SEND_BODY else None
        if expected is not self._expected:
            self._stop(self._timer)
            self._timer, self._expected = None, expected
            self._since, self._last, self._received = self.loop.time(), self.loop.time(), 0
        if expected is not None and self._timer is None:
            self._timer = self.loop.call_at(self._deadline(), self._check)

    def _deadline(self) -> float:
        if self._expected is h11.IDLE:
            return self._since + self.head_seconds
        slowest = self._since + self._received / self.least_rate
        return min(slowest, self._last) + self.silent_seconds

    def _check(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused:
            self._since, self._last, self._received = now, now, 0
        if self._deadline() <= now:
            self.transport.abort()
        else:
            self._timer = self.loop.call_at(self._deadline(), self._check)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
