"""The manifest is one that Kubernetes knows; it has not run on a cluster."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from agent.fleet import options, sweep_setup
from agent.fleet.cluster import flags, kubernetes
from agent.fleet.cluster.kubernetes import Pods
from agent.fleet.sweep_client import Sweep
from agent.fleet.sweep_setup import SweepInfo

SWEEP, SERVER = "team/puzzle/AbC12", "http://login1:8080"
SCHEMAS = "1.33"


def parsed(pods: Pods, per_gpu: int | None = 1) -> dict[str, Any]:
    document = yaml.safe_load(kubernetes.manifest_yaml(SWEEP, SERVER, pods, per_gpu))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("pods", [Pods("lab/bench:1"), Pods("lab/bench:1", n=4, gpus=2, cpus=8, memory="32Gi")])
def test_the_manifest_follows_the_schema_of_kubernetes(pods: Pods) -> None:
    kubernetes_validate.validate(parsed(pods), SCHEMAS, strict=True)


def test_the_schema_refuses_a_manifest_that_is_wrong() -> None:
    document = parsed(Pods("lab/bench:1"))
    document["spec"]["completion"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, SCHEMAS, strict=True)


def test_every_pod_starts_the_fleet_on_the_sweep_and_is_one_index() -> None:
    spec = parsed(Pods("lab/bench:1", n=4, gpus=2, cpus=8), per_gpu=None)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "agent.fleet", SWEEP, "--per-gpu=auto"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"


@pytest.mark.parametrize("gpus", [0, 2])
def test_a_pod_that_asked_for_no_gpu_uses_none(gpus: int) -> None:
    (container,) = parsed(Pods("lab/bench:1", gpus=gpus))["spec"]["template"]["spec"]["containers"]
    hidden = {"name": "CUDA_VISIBLE_DEVICES", "value": ""} in container["env"]
    assert hidden == (gpus == 0)


def test_the_key_is_a_secret_and_not_in_the_manifest() -> None:
    (container,) = parsed(Pods("lab/bench:1"))["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each for each in container["env"]}
    assert environment["WANDB_BASE_URL"]["value"] == SERVER
    assert environment["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "wandb", "key": "api-key"}


def test_a_pod_that_is_evicted_costs_no_try_and_finds_the_checkpoints() -> None:
    spec = parsed(Pods("lab/bench:1"))["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "Ignore"
    assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    claims = {each["name"]: each.get("persistentVolumeClaim") for each in pod["volumes"]}
    folders = {each["name"]: each.get("value", "") for each in container["env"]}
    assert folders["PUZZLE_RUNS"].startswith("/puzzle/")
    assert folders["PUZZLE_FLEET"].startswith("/puzzle/")
    assert claims[mounts["/puzzle"]] == {"claimName": "puzzle"}


def test_the_command_writes_the_manifest_of_the_sweep_that_the_file_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = SweepInfo(Sweep("http://127.0.0.1:8080", "key", "team", "puzzle", "abc"), {}, 4, 0, "made the sweep")
    monkeypatch.setattr(sweep_setup, "find", lambda text, new: made)
    file = tmp_path / "job.yaml"
    words = ["sweep.yaml", "--kubernetes", str(file), "--image=lab/bench:1", "--gpus=1"]
    assert flags.submit(options.read(words, {})) == 0
    document = yaml.safe_load(file.read_text())
    kubernetes_validate.validate(document, SCHEMAS, strict=True)
    (container,) = document["spec"]["template"]["spec"]["containers"]
    assert container["command"][3] == "team/puzzle/abc"
    assert container["resources"]["limits"]["cpu"] == "4"
    assert "only this machine reaches http://127.0.0.1:8080" in capsys.readouterr().out
