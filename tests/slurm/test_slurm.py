"""Fleets on a real Slurm (setup.sh): two nodes, jobs put back in the middle, every configuration finished once."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from data import synthetic
from tests.server import running
from tests.server.running import ROOT, Client

SETUP = str(Path(__file__).parent / "setup.sh")
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch")
EPOCHS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(540),
    pytest.mark.skipif(
        not all(map(shutil.which, NEEDED)), reason="Slurm is not installed: tests/slurm/setup.sh install, as root"
    ),
]

LOOK = """
import json, wandb
sweep = wandb.Api().sweep({path!r})
print(json.dumps({{"state": sweep.state, "runs": [
    [run.config.get("seed"), run.state, [row["epoch"] for row in run.scan_history(keys=["epoch", "val/iou"])]]
    for run in sweep.runs]}}))
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration file of a cluster of two nodes."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([SETUP, "start", str(folder)], check=True, timeout=120)
    yield folder / "slurm.conf"
    subprocess.run([SETUP, "stop", str(folder)], check=True, timeout=120)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, slurm: Path) -> Iterator[Client]:
    server = running.start(tmp_path_factory.mktemp("server") / "data")
    yield Client(server, tmp_path_factory.mktemp("client"))
    server.stop()


def test_jobs_put_back_in_the_middle_finish_every_configuration_once(
    slurm: Path, client: Client, tmp_path: Path
) -> None:
    environment = {
        "SLURM_CONF": str(slurm),
        "PYTHONPATH": str(ROOT),
        "PUZZLE_RUNS": str(tmp_path / "runs"),
        "PUZZLE_FLEET": str(tmp_path / "fleet"),
    }

    def ask(*command: str) -> str:
        code, printed = client.command(*command, **environment)
        assert code == 0, printed
        return printed

    file = sweep_file(tmp_path)
    submitted = ask(sys.executable, "-m", "agent.fleet", str(file), "--slurm", "--jobs=2", "--time=10")
    job, path = re.search(r"Slurm job (\d+)", submitted), re.search(r"sweep (\S+/\S+/\w+)", submitted)
    assert job, submitted
    assert path, submitted
    logs = [next_log(tmp_path, f"{job[1]}_{element}.log") for element in (0, 1)]

    def both_train() -> bool:
        return sum("epoch 3/" in log.read_text() for log in tmp_path.glob("fleet/**/logs/*.log")) >= 2

    wait(both_train, 120, logs)
    assert sorted(ask("squeue", "-h", "-j", job[1], "-o", "%N %T").splitlines()) == ["node1 RUNNING", "node2 RUNNING"]
    ask("scontrol", "requeue", f"{job[1]}_0")
    ask("scancel", "--batch", "--signal=TERM", f"{job[1]}_1")

    wait(lambda: job[1] not in ask("squeue", "-h", "-o", "%F"), 400, logs)
    assert "goes back into the queue" in logs[1]().read_text()
    trials = "".join(log.read_text() for log in tmp_path.glob("fleet/*/logs/*.log"))
    assert trials.count("going on after epoch") == 2
    assert "Traceback" not in trials
    found = client.run(LOOK.format(path=path[1]))
    assert found["state"] == "FINISHED"
    assert sorted(found["runs"]) == [[seed, "finished", list(range(1, EPOCHS + 1))] for seed in (1, 2, 3)]


def sweep_file(folder: Path) -> Path:
    """Three trials, all on four drawn photographs."""
    photographs = folder / "drawn"
    synthetic.write(photographs, seed=1, n_train=4, n_val=2, n_test=2, height=96, width=128)
    sweep = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    values = {"model": "unet_bilinear", "width": 4, "image_size": 64, "epochs": EPOCHS, "data": str(photographs)}
    parameters = {name: {"value": value} for name, value in values.items()}
    sweep["parameters"] |= parameters | {"seed": {"values": [1, 2, 3]}}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    return folder / "sweep.yaml"


def next_log(folder: Path, name: str) -> Callable[[], Path]:
    return lambda: next(folder.glob(f"fleet/*/slurm/{name}"))


def wait(until: Callable[[], bool], seconds: float, logs: list[Callable[[], Path]]) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise AssertionError("\n".join(log().read_text() for log in logs))
        time.sleep(0.5)
