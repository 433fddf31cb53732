"""`--slurm` and `--kubernetes`: the same command, submitted to the machines of a cluster instead of started here."""

import argparse
import os

from agent.fleet import sweep_setup
from agent.fleet.cluster import kubernetes, slurm
from agent.fleet.cluster.kubernetes import Pods
from agent.fleet.cluster.slurm import Jobs
from common.environment import ROOT
from common.wandb_api import is_loopback


def submit(options: argparse.Namespace) -> int:
    """Find or make the sweep, and submit the job or write the manifest; the exit code.

    Raises:
        SweepError: there is no sweep to work on.
        SlurmError: Slurm cannot be asked, or refuses.
    """
    n, gpus = options.jobs or 1, options.gpus or 0
    cpus = options.cpus or slurm.CPUS_PER_GPU * gpus or 1
    per_gpu = 1 if options.per_gpu is None else options.per_gpu
    jobs = Jobs(n, options.partition or "", gpus, cpus, options.time or "", tuple(options.sbatch))
    if options.slurm:
        slurm.check_cluster(jobs.partition)
    info = sweep_setup.find(options.sweep, options.new)
    print(info.news)
    if is_loopback(info.sweep.base_url):
        print(f"note: only this machine reaches {info.sweep.base_url}; docs/cluster.md has the way for others")
    if options.kubernetes:
        pods = Pods(options.image, n, gpus, cpus)
        options.kubernetes.write_text(kubernetes.manifest_yaml(info.sweep.path, info.sweep.base_url, pods, per_gpu))
        print(f"{options.kubernetes}: start it with kubectl apply -f {options.kubernetes}")
        return 0
    folder = sweep_setup.state_folder() / info.sweep.name / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    job = slurm.submit(slurm.script(info.sweep.path, jobs, ROOT, folder, per_gpu), folder)
    print(f"Slurm job {job} with {n} × agent.fleet: squeue -j {job}; logs in {os.path.relpath(folder)}")
    return 0
