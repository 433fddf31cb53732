"""The fleet on Kubernetes: an Indexed Job whose every pod is `python -m agent.fleet` on the sweep.

The manifests are checked against the schemas of Kubernetes (tests/agent/fleet/test_kubernetes.py); they have not run
on a cluster.
"""

from dataclasses import dataclass
from typing import Any

import yaml

POD_GRACE_SECONDS = 60
"""Seconds from SIGTERM to SIGKILL of a pod; as on Slurm."""

RETRIES = 6
"""Failures of one index before it is given up; those of the node or of a preemption do not count."""

HEADER = """\
# Needs, in its namespace, the secret `wandb` (kubectl create secret generic wandb --from-literal=api-key=...) and the
# volume claim `puzzle`, which every node can write (ReadWriteMany). The working directory of the image is a checkout.
"""


@dataclass(frozen=True)
class Pods:
    """`n` pods, each with `gpus` GPUs and `cpus` cores, of an image whose working directory is a checkout."""

    image: str
    n: int = 1
    gpus: int = 0
    cpus: int = 1
    memory: str = "8Gi"


def manifest(sweep: str, base_url: str, pods: Pods, per_gpu: int | None = 1) -> dict[str, Any]:
    """The Job as a document. A pod that is evicted is replaced; the new one goes on from the shared folders."""
    command = ["python", "-m", "agent.fleet", sweep]
    command += [f"--per-gpu={per_gpu or 'auto'}"] if pods.gpus else [f"--agents={pods.cpus}"]
    name = f"fleet-{sweep.rpartition('/')[2].lower()}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "puzzle-fleet"}},
        "spec": {
            "completionMode": "Indexed",
            "completions": pods.n,
            "parallelism": pods.n,
            "backoffLimitPerIndex": RETRIES,
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {"spec": _pod(command, base_url, pods)},
        },
    }


def _pod(command: list[str], base_url: str, pods: Pods) -> dict[str, Any]:
    resources = {"cpu": str(pods.cpus), "memory": pods.memory}
    if pods.gpus:
        resources["nvidia.com/gpu"] = str(pods.gpus)
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": POD_GRACE_SECONDS,
        "shareProcessNamespace": True,
        "containers": [
            {
                "name": "fleet",
                "image": pods.image,
                "command": command,
                "env": [
                    {"name": "WANDB_BASE_URL", "value": base_url},
                    {"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}},
                    {"name": "PUZZLE_RUNS", "value": "/puzzle/runs"},
                    {"name": "PUZZLE_FLEET", "value": "/puzzle/fleet"},
                    # A node may show its GPUs to pods that asked for none.
                    *([] if pods.gpus else [{"name": "CUDA_VISIBLE_DEVICES", "value": ""}]),
                ],
                "resources": {"requests": resources, "limits": resources},
                "volumeMounts": [
                    {"name": "puzzle", "mountPath": "/puzzle"},
                    {"name": "shared-memory", "mountPath": "/dev/shm"},
                ],
            }
        ],
        "volumes": [
            {"name": "puzzle", "persistentVolumeClaim": {"claimName": "puzzle"}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }


def manifest_yaml(sweep: str, base_url: str, pods: Pods, per_gpu: int | None = 1) -> str:
    """The manifest as YAML, its requirements in a comment above."""
    return HEADER + yaml.safe_dump(manifest(sweep, base_url, pods, per_gpu), sort_keys=False)
