"""The model hub, asked so that a machine without a network loses seconds once, not at every trial.

huggingface_hub by itself retries for 23 s before it says that there is no network.
"""

import contextlib
import functools
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import huggingface_hub
import segmentation_models_pytorch
import timm
from huggingface_hub import constants, errors

from common.environment import CACHE

TIMEOUT_SECONDS = 3.0
"""Time limit of the hub's first answer, the look-up of its address included."""

REMEMBERED_SECONDS = 600.0
"""Time for which other processes take a hub that did not answer for unreachable."""

REFUSAL_FILE = CACHE / "hub-refusal"


class HubFiles(NamedTuple):
    """Files of one repository on the hub."""

    repository: str
    files: tuple[str, ...]
    revision: str | None


def find_files(backbone: str) -> HubFiles | None:
    """Files of ImageNet weights of an SMP encoder (`tu-NAME` is timm's NAME) on the hub; None if it has none."""
    if backbone.startswith("tu-"):
        config = timm.models.get_pretrained_cfg(backbone.removeprefix("tu-"))
        name = config.hf_hub_id if config else None
        return HubFiles(name, ("model.safetensors",), None) if name else None
    settings = segmentation_models_pytorch.encoders.encoders.get(backbone, {}).get("pretrained_settings", {})
    if "imagenet" not in settings:
        return None
    source = settings["imagenet"]
    return HubFiles(source["repo_id"], ("config.json", "model.safetensors"), source["revision"])


def is_cached(where: HubFiles) -> bool:
    """Whether all its files lie in the hub's cache on this machine."""
    return all(
        isinstance(huggingface_hub.try_to_load_from_cache(where.repository, file, revision=where.revision), str)
        for file in where.files
    )


def download(where: HubFiles) -> str:
    """Fetch the files into the cache; returns the reason why that failed, empty if it did not."""
    if reason := refusal():
        return reason
    try:
        for file in where.files:
            huggingface_hub.hf_hub_download(where.repository, file, revision=where.revision)
    except errors.RepositoryNotFoundError:
        return f"it has no {where.repository}"
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        _remember(reason)
        return reason
    return ""


@functools.cache
def refusal() -> str:
    """Reason against asking the hub now, in a few words, else empty. HF_HUB_OFFLINE and HF_ENDPOINT count."""
    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE says not to ask it"
    if reason := _recent_refusal():
        return reason
    if reason := _unreachable(constants.ENDPOINT):
        _remember(reason)
    return reason


def _unreachable(address: str) -> str:
    """Error of asking `address` within TIMEOUT_SECONDS; empty if it answers."""
    outcome = [f"{address} did not answer within {TIMEOUT_SECONDS:g} s"]

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                outcome[0] = ""
        except urllib.error.HTTPError as error:
            outcome[0] = f"{address} answered HTTP {error.code}"
        except (OSError, ValueError) as error:
            outcome[0] = f"{address}: {getattr(error, 'reason', error)}"

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    return outcome[0]


def _recent_refusal() -> str:
    try:
        address, _, reason = REFUSAL_FILE.read_text().partition("\n")
        fresh = time.time() - REFUSAL_FILE.stat().st_mtime < REMEMBERED_SECONDS
    except OSError:
        return ""
    return reason if fresh and address == constants.ENDPOINT else ""


def _remember(reason: str) -> None:
    with contextlib.suppress(OSError):
        REFUSAL_FILE.parent.mkdir(parents=True, exist_ok=True)
        REFUSAL_FILE.write_text(f"{constants.ENDPOINT}\n{reason}")


@contextlib.contextmanager
def from_cache_only() -> Iterator[None]:
    """SMP and timm ask the hub whether its files have changed, even for those in the cache; here they do not."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
