"""Tables of server/README.md."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "server" / "README.md"


def listed(heading: str) -> set[str]:
    """The names in backticks of a section of the README."""
    section = re.search(rf"^### {heading}$(.*?)(?=^##)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    return set(re.findall(r"`(\w+)`", section[1]))
