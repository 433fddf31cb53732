"""Signals wait for the end of a step."""

import os
import signal
import threading

import pytest

from agent.lifecycle.interruption import STOP, Interrupted, Interruption, catch_signals


def test_the_first_signal_waits_for_the_step_and_the_second_does_not() -> None:
    with catch_signals() as interruption:
        interruption.check()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            interruption.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_sigterm_asks_for_no_more_than_the_first() -> None:
    with catch_signals() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            interruption.check()


def test_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with catch_signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_run_in_another_thread_leaves_signals_alone() -> None:
    found = []

    def look() -> None:
        with catch_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_a_stop_of_the_server_is_told_from_a_signal_and_counts_before_it() -> None:
    interruption = Interruption()
    interruption.request(STOP)
    interruption.request("SIGTERM")
    with pytest.raises(Interrupted, match=STOP):
        interruption.check()
