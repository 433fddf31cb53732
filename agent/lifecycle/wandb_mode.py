"""WANDB_MODE and its like: modes in which a run says nothing to its server, so that no sweep can work."""

import os
import re
from collections.abc import Iterable, Mapping

OFFLINE_MODES = ("offline", "dryrun", "disabled")
FALSE_WORDS = ("", "0", "false", "no", "off")
ASSIGNMENT = re.compile(r"\b(WANDB_MODE|WANDB_DISABLED)=['\"]?(\w+)")
WHY_ONLINE = "the server of a sweep would hear nothing of its runs and hand them out again and again"


def offline_assignment(words: Iterable[object]) -> str:
    """The assignment among the words of a command that silences its runs; empty if there is none."""
    for word in words:
        for name, value in ASSIGNMENT.findall(str(word)):
            if _is_offline(name, value):
                return f"{name}={value}"
    return ""


def offline_setting(environ: Mapping[str, str] = os.environ) -> str:
    """The setting that silences the runs of this process and its children; empty if there is none.

    Raises ValueError: the client does not know the mode.
    """
    for name in ("WANDB_MODE", "WANDB_DISABLED"):
        if name in environ and _is_offline(name, environ[name]):
            return f"{name}={environ[name]}"
    import wandb

    settings = wandb.Settings(silent=True)
    if environ.get("WANDB_DIR"):
        settings.root_dir = environ["WANDB_DIR"]
    settings.update_from_system_settings()
    if "WANDB_MODE" in environ:
        settings.mode = environ["WANDB_MODE"]  # type: ignore[assignment]
    return f"mode = {settings.mode} in the client's settings file" if settings.mode in OFFLINE_MODES else ""


def why_offline(environ: Mapping[str, str] = os.environ) -> str:
    """The setting that keeps sweeps from working here, in one sentence; empty if there is none."""
    try:
        found = offline_setting(environ)
    except ValueError:
        return f"WANDB_MODE is {environ['WANDB_MODE']!r}, which the client does not know: unset it"
    way_out = "unset it" if found.startswith("WANDB") else "`wandb online` takes it back"
    return f"{found}: {WHY_ONLINE}; {way_out}" if found else ""


def _is_offline(name: str, value: str) -> bool:
    return value in OFFLINE_MODES if name == "WANDB_MODE" else value.lower() not in FALSE_WORDS
