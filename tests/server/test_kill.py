"""The bench that kills the server under load, with a few kills; and that it would notice a loss."""

import json
import random
import threading

import pytest

from bench import server_kill
from bench.harness.protocol import ProtocolClient
from tests.server.running import Server


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_nothing_is_lost_or_doubled_when_the_server_is_killed_under_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert server_kill.main(["--kills", "4", "--longest", "1.5", "--cells", "8"]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert said.startswith("4 kills in ")
    assert "nothing lost, nothing doubled; check: whole" in said


def test_the_comparison_notices_a_lost_row_another_file_and_a_missing_version(server: Server) -> None:
    wire = ProtocolClient(server.url, server.key, server_kill.PROJECT)
    ledgers: dict[str, server_kill.Ledger] = {"rows": {}, "files": {}, "artifacts": {}, "sweeps": {}}
    end = _after_one_round()
    server_kill.log_runs(wire, ledgers["rows"], end(), "row", random.Random(0))
    server_kill.upload_files(wire, ledgers["files"], end(), "file", random.Random(0))
    server_kill.upload_artifacts(wire, ledgers["artifacts"], end(), "weights", random.Random(0))
    server_kill.sweep_on(wire, ledgers["sweeps"], end(), 3, 2)
    assert server_kill.compare(wire, ledgers) == []
    (lines,) = ledgers["rows"].values()
    lines.append(json.dumps({"_step": len(lines), "x": 0}))
    ledgers["files"] = dict.fromkeys(ledgers["files"], "another digest")
    ledgers["artifacts"]["weights:v1"] = {}
    (trials,) = ledgers["sweeps"].values()
    trials.append(trials[0])
    faults = "\n".join(server_kill.compare(wire, ledgers))
    for name in ("row-0:", "file/media/0.bin:", "weights:v1:", "weights: 1 versions instead of 2", "cells handed out"):
        assert name in faults


def _after_one_round() -> type[threading.Event]:
    class Once(threading.Event):
        """Set from the second question on."""

        def is_set(self) -> bool:
            asked = super().is_set()
            self.set()
            return asked

    return Once
