"""A YAML file as values, with the line of every key and list entry."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.lint.finding import Finding, Rule
from common.sweep_spec.file import syntax_error

Place = tuple[str | int, ...]
"""Keys and list positions from the top of the file to a value."""


UNREADABLE = Rule(
    "Y001", "error", "the file cannot be read: {reason}", "there is nothing to check", "name files, as in sweeps/*.yaml"
)
NOT_YAML = Rule("Y002", "error", "not YAML: {problem}", "nobody can read it", "mend the syntax here or just above")
NO_SWEEP = Rule("Y003", "error", "not a sweep", "a sweep is a mapping of keys", "begin with program:, method:, …")
ENDLESS_ANCHOR = Rule(
    "Y004", "error", "an anchor (&) stands for something that contains it (*)", "it has no end", "write the values out"
)
REPEATED_KEY = Rule(
    "Y005", "error", "{key} stands here a second time", "only the last one counts", "remove one of the two"
)


@dataclass(frozen=True)
class Document:
    """The mapping in a file, and the line of each of its keys and list entries."""

    value: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, *place: str | int) -> int:
        """The line of `place`, or of the nearest thing around it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def key(self, line: int) -> str:
        """The top-level key, or the parameter, that stands at the line or nearest above it; empty if none does."""
        above = [(n, place) for place, n in self.lines.items() if n <= line and len(place) <= 2]
        return str(max(above, key=lambda each: (each[0], len(each[1])))[1][-1]) if above else ""

    def mapping(self, name: str) -> dict[str, Any]:
        """The section of this name; empty if it is missing or no mapping."""
        section = self.value.get(name)
        return section if isinstance(section, dict) else {}


def read(path: Path) -> tuple[Document, list[Finding]]:
    """The document and its faults as YAML; its value is empty if it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no text in UTF-8"
        return Document({}), [UNREADABLE.at(1, reason=reason)]
    return parse(text)


def parse(text: str) -> tuple[Document, list[Finding]]:
    """As `read`, from the text of a file."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as problem:
        line, what = syntax_error(problem)
        return Document({}), [NOT_YAML.at(line, problem=what)]
    finally:
        loader.dispose()
    if node is None or not isinstance(value, dict):
        return Document({}), [NO_SWEEP.at(1)]
    lines: dict[Place, int] = {}
    try:
        findings = list(_walk(loader, node, (), lines))
    except RecursionError:
        return Document({}), [ENDLESS_ANCHOR.at(1)]
    return Document(value, lines), findings


def _walk(loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Iterator[Finding]:
    """Fill `lines`; a key that stands twice is a finding, for YAML silently keeps the last."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            lines[(*place, index)] = child.start_mark.line + 1
            yield from _walk(loader, child, (*place, index), lines)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key_node, child in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            yield REPEATED_KEY.at(line, key=key)
        seen.add(key)
        lines[(*place, key)] = line
        yield from _walk(loader, child, (*place, key), lines)
