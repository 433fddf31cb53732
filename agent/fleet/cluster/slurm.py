"""The batch script of a Slurm cluster: an array job, each element `python -m agent.fleet` on the node that it gets.

A job that Slurm ends (time limit, preemption) goes back into the queue: its trials save, tell the server, and continue
from their checkpoints on any node. For that, all nodes see one PUZZLE_RUNS and one PUZZLE_FLEET.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WARNING_SECONDS = 60
"""Time from SIGTERM to the limit. A trial ends its step, uploads its state for at most 20 s, and closes its run."""

CPUS_PER_GPU = 4
SECONDS_TO_ANSWER = 60
"""Time limit of sbatch, squeue and scontrol: a busy controller is slow."""


class SlurmError(Exception):
    """The jobs cannot be submitted; the text is one sentence."""


@dataclass(frozen=True)
class Jobs:
    """An array of Slurm: `n` elements; each has `gpus` GPUs and `cpus` cores.

    Raises SlurmError: an option holds a line break, or is no option.
    """

    n: int = 1
    partition: str = ""
    gpus: int = 0
    cpus: int = 1
    time: str = ""
    more: tuple[str, ...] = ()
    """Further options of sbatch, as in `--account=lab`."""

    def __post_init__(self) -> None:
        for option in (f"--partition={self.partition}", f"--time={self.time}", *self.more):
            if "\n" in option or not option.startswith("-"):
                raise SlurmError(f"{option!r} is no option of sbatch: write it as --name=value")


def script(sweep: str, jobs: Jobs, root: Path, logs: Path, per_gpu: int | None = 1) -> str:
    """The batch script. It becomes the fleet (exec), so that Slurm's signals reach it once."""
    options = [
        f"--job-name=fleet-{sweep.rpartition('/')[2]}",
        f"--array=0-{jobs.n - 1}",
        f"--chdir={root}",
        f"--output={logs}/%A_%a.log",
        "--open-mode=append",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={jobs.cpus}",
        "--requeue",
        f"--signal=B:TERM@{WARNING_SECONDS}",
    ]
    options += [f"--partition={jobs.partition}"] if jobs.partition else []
    options += [f"--gres=gpu:{jobs.gpus}"] if jobs.gpus else []
    options += [f"--time={jobs.time}"] if jobs.time else []
    fleet = [sys.executable, "-m", "agent.fleet", sweep, "--requeue"]
    fleet += [f"--per-gpu={per_gpu or 'auto'}"] if jobs.gpus else []
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in (*options, *jobs.more)),
            *([] if jobs.gpus else ["export CUDA_VISIBLE_DEVICES="]),
            f"exec {shlex.join(fleet)}",
            "",
        ]
    )


def check_cluster(partition: str) -> None:
    """Raises SlurmError: there is no sbatch on this machine, Slurm does not answer, or has no such partition.

    `partition` is the value of --partition: several names with commas between them, or none.
    """
    if shutil.which("sbatch") is None:
        raise SlurmError("--slurm needs sbatch, which is not on this machine: use the login node of the cluster")
    done = _ask("sinfo", "--all", "--noheader", "--format=%R")
    if done.returncode:
        raise SlurmError(f"Slurm does not answer here: {' '.join(done.stderr.split())}")
    there = sorted(set(done.stdout.split()))
    if unknown := [name for name in partition.split(",") if name and name not in there]:
        raise SlurmError(f"--partition: Slurm has no {', '.join(unknown)}; it has {', '.join(there)}")


def submit(text: str, folder: Path) -> str:
    """Keep the script in `folder` and submit it; the id of the array job.

    Raises:
        SlurmError: sbatch refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "job.sh"
    file.write_text(text)
    done = _ask("sbatch", "--parsable", str(file))
    if done.returncode:
        raise SlurmError(f"sbatch refused {file}: {' '.join(done.stderr.split())}")
    return done.stdout.strip().partition(";")[0]


def requeue(environ: Mapping[str, str] = os.environ) -> None:
    """Put the job that this process is in back into the queue, and say so first: Slurm then ends the process.

    Only while Slurm calls it running: then the time limit is near. A job that is preempted is requeued by Slurm
    already, and one that a person cancels shall not come back.
    """
    job = environ.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_TASK_ID" in environ:
        # One element of an array has the id of the whole array.
        job = f"{environ['SLURM_ARRAY_JOB_ID']}_{environ['SLURM_ARRAY_TASK_ID']}"
    if not job:
        print("--requeue does nothing: this is no Slurm job", flush=True)
        return
    state = _ask("squeue", "--noheader", "--format=%T", f"--jobs={job}").stdout.strip()
    if state != "RUNNING":
        print(f"Slurm job {job} is {state.lower() or 'gone'}: it is not put back from here", flush=True)
        return
    print(f"Slurm job {job} goes back into the queue", flush=True)
    done = _ask("scontrol", "requeue", job)
    if done.returncode:
        print(f"Slurm job {job} could not be put back: {' '.join(done.stderr.split())}", flush=True)


def _ask(*command: str) -> "subprocess.CompletedProcess[str]":
    # Jobs inherit the environment of sbatch, but not the client's service, which ends with this process.
    kept = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    try:
        return subprocess.run(
            command,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_TO_ANSWER,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
