from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from analysis.pull import retry
from analysis.pull.sweeps import common_method, common_space, sweep_settings

RUNS = pd.DataFrame({"path": ["lab/puzzle/a", "lab/puzzle/b", "lab/puzzle/c"], "sweep": ["s1", "s1", None]})


class Server:
    """What `sweep_settings` asks a wandb client."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.error = error
        self.config = {"method": "bayes", "parameters": {"learning_rate": {"min": 0.1, "max": 1.0}}}

    def sweep(self, path: str) -> Any:
        self.asked.append(path)
        if self.error:
            raise self.error
        return self


def test_the_settings_of_a_sweep_are_asked_for_once_however_many_pulls(tmp_path: Path) -> None:
    server = Server()
    first = sweep_settings(cast(Any, server), RUNS, tmp_path)
    second = sweep_settings(cast(Any, server), RUNS, tmp_path)
    assert first == second == ({"s1": server.config}, ())
    assert server.asked == ["lab/puzzle/s1"]


def test_a_sweep_that_cannot_be_read_is_a_remark_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.retry_request, "__defaults__", (None, (0.0,)))
    found, (remark,) = sweep_settings(cast(Any, Server(ValueError("gone"))), RUNS, tmp_path)
    assert found == {}
    assert remark.startswith("The sweep lab/puzzle/s1 cannot be read: gone;")


@pytest.mark.parametrize(
    ("methods", "expected"), [(["grid"], "grid"), (["grid", "grid"], "grid"), (["grid", "bayes"], None), ([], None)]
)
def test_several_sweeps_have_a_method_if_it_is_the_same(methods: list[str], expected: str | None) -> None:
    assert common_method({str(i): {"method": method} for i, method in enumerate(methods)}) == expected


def test_several_sweeps_have_the_ranges_that_are_the_same_in_all() -> None:
    one = {"parameters": {"width": {"values": [8, 16]}, "epochs": {"value": 3}}}
    two = {"parameters": {"width": {"values": [8, 16]}, "epochs": {"value": 5}}}
    assert common_space({"a": one, "b": two}) == {"width": {"values": [8, 16]}}
    assert common_space({}) == {}
