"""Releases of the wandb client that this server works with; `python -m bench.clients` drives them."""

import re

OLDEST = "0.17.9"
NEWEST = "0.31.0"  # a newer one warns its user and works on
_AGENT = re.compile(r"W&B (?:Internal|Public) Client (\d+)\.(\d+)\.(\d+)")


def refuse_if_too_old(user_agent: str) -> str | None:
    """One sentence for the user of a client that is older than OLDEST; such a client names its release."""
    release = _AGENT.match(user_agent)
    if release is None or tuple(map(int, release.groups())) >= tuple(map(int, OLDEST.split("."))):
        return None
    return (
        f"wandb {'.'.join(release.groups())} is too old for this server, which works with {OLDEST} and newer:"
        " pip install --upgrade wandb"
    )
