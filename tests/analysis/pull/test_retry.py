import threading
from typing import Any

import pytest
import requests
from wandb.errors import CommError
from wandb.proto import wandb_api_pb2
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from analysis import AnalysisError
from analysis.pull.retry import Unreachable, retry_request, transient


def answered(status: int) -> WandbApiFailedError:
    response = wandb_api_pb2.ApiErrorResponse(message="no", http_status=status)  # type: ignore[attr-defined]
    return WandbApiFailedError("no", response)


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


@pytest.mark.parametrize(
    "error",
    [
        *(answered(429), answered(503), WandbApiFailedError("did not respond in time"), http_error(429)),
        *(requests.ConnectionError(), requests.Timeout(), ConnectionResetError(), TimeoutError()),
        CommError("wrapped by the client", answered(429)),
    ],
)
def test_a_busy_or_silent_server_may_be_asked_again(error: Exception) -> None:
    assert transient(error)


@pytest.mark.parametrize(
    "error", [answered(404), answered(0), http_error(403), ValueError("no such project"), CommError("no"), None]
)
def test_a_server_that_said_no_is_not_asked_again(error: Exception | None) -> None:
    assert not transient(error)


class Asked:
    """An action that fails with each of `errors` before it succeeds, and counts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.count = list(errors), 0

    def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


class Waits(threading.Event):
    """An event that notes how long it was waited for, and never waits."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[Any] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return self.is_set()


def test_a_lost_connection_is_tried_again_each_time_later() -> None:
    asked, waits = Asked(answered(429), ConnectionResetError()), Waits()
    assert retry_request("it fails", asked, waits, (1.0, 2.0, 4.0)) == "answer"
    assert asked.count == 3
    assert 1.0 <= waits.seconds[0] <= 1.25
    assert 2.0 <= waits.seconds[1] <= 2.5


def test_after_the_last_wait_it_is_said_that_the_server_is_unreachable() -> None:
    asked = Asked(*(answered(429) for _ in range(9)))
    with pytest.raises(Unreachable, match="it fails: no"):
        retry_request("it fails", asked, Waits(), (1.0, 2.0))
    assert asked.count == 3


def test_an_error_that_would_come_again_is_raised_at_once() -> None:
    asked = Asked(ValueError("no such run"))
    with pytest.raises(AnalysisError, match="it fails: no such run") as raised:
        retry_request("it fails", asked, Waits())
    assert asked.count == 1
    assert not isinstance(raised.value, Unreachable)


def test_when_others_gave_up_nobody_waits_any_longer() -> None:
    asked, stop = Asked(answered(429)), Waits()
    stop.set()
    with pytest.raises(Unreachable):
        retry_request("it fails", asked, stop)
    assert asked.count == 1
