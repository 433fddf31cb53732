"""A retry asks until it is answered, its waits end, or somebody interrupts it; other errors pass at once."""

import itertools

import pytest

from common.retry import doubling, retry


class Asked:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_what_fails_in_passing_is_asked_again_after_each_wait() -> None:
    slept: list[float] = []
    passed: list[tuple[str, float]] = []
    asked = Asked(OSError("a"), OSError("b"))
    answer = retry(asked, OSError, [1, 2, 4], slept.append, lambda error, wait: passed.append((str(error), wait)))
    assert (answer, slept, passed) == ("answer", [1, 2], [("a", 1), ("b", 2)])


def test_the_last_error_is_raised_when_the_waits_end() -> None:
    with pytest.raises(OSError, match="b"):
        retry(Asked(OSError("a"), OSError("b")), OSError, [0.0])


def test_an_interrupted_wait_raises_the_error() -> None:
    asked = Asked(OSError("a"), OSError("b"))
    with pytest.raises(OSError, match="a"):
        retry(asked, OSError, itertools.repeat(1.0), lambda seconds: True)
    assert len(asked.errors) == 1


def test_another_error_is_raised_at_once() -> None:
    with pytest.raises(KeyError):
        retry(Asked(KeyError("a")), OSError, itertools.repeat(1.0))


def test_waits_double_up_to_the_longest_and_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count(0.0, 3.0)
    monkeypatch.setattr("common.retry.time.monotonic", lambda: next(now))
    assert list(doubling(1.0, 3.0, 14.0)) == [1.0, 2.0, 3.0, 2.0]
