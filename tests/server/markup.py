"""Content of a page, read from its HTML as a browser without script would: tables, links, forms."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"input", "img", "meta", "link", "br", "hr", "source"}
FOREIGN = {"object", "embed", "base", "style"}
"""Tags that no page of this server has."""


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    children: "list[Node | str]" = field(default_factory=list)

    def __iter__(self) -> "Iterator[Node]":
        """All below, in order."""
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child

    @property
    def raw(self) -> str:
        return "".join(child if isinstance(child, str) else child.raw for child in self.children)

    @property
    def text(self) -> str:
        return " ".join(self.raw.split())

    def all(self, tag: str = "", **attributes: str) -> "list[Node]":
        """Those below with this tag and these attributes; `class_` is one of several classes."""
        return [
            each
            for each in self
            if (not tag or each.tag == tag) and all(each.has(*item) for item in attributes.items())
        ]

    def one(self, tag: str = "", **attributes: str) -> "Node":
        [found] = self.all(tag, **attributes)
        return found

    def has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in self.attributes.get("class", "").split()
        return self.attributes.get(name.replace("_", "-")) == value

    @property
    def facts(self) -> dict[str, str]:
        """Name → value of a list of facts."""
        return {dt.text: dd.text for dt, dd in zip(self.all("dt"), self.all("dd"), strict=True)}

    @property
    def run_ids(self) -> list[str]:
        """Of the rows of a table of runs."""
        return [each.attributes["data-run"] for each in self.all("tr") if "data-run" in each.attributes]

    @property
    def rows(self) -> list[list[str]]:
        """Texts of the cells of a table, the heading first."""
        return [[cell.text for cell in row.children if isinstance(cell, Node)] for row in self.all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} stands twice: {attrs}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Node:
    """Asserts that every element is closed where it has to be, and that one thing is not called things."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].tag}> is never closed"
    assert not (
        many := re.search(r"(?<![\w.,:/-])1 (run|row|file|group|chart|line|agent|look|value)s\b", reader.root.raw)
    ), many
    return reader.root


def check_harmless(page: Node) -> None:
    """Asserts that nothing on the page acts but the server's own scripts, whatever its texts say."""
    for node in page:
        names = set(node.attributes)
        assert not {name for name in names if name.startswith("on") or name in ("style", "srcdoc")}, node
        for name in ("href", "src", "action", "formaction"):
            address = node.attributes.get(name, "").strip().lower()
            assert not address.startswith(("javascript:", "vbscript:", "data:text")), node
        assert node.tag not in FOREIGN, node
        if node.tag == "script":
            assert node.attributes.get("src", "").startswith("/static/"), node
            assert node.raw == ""
        if node.tag == "iframe":
            assert node.attributes.get("sandbox") == ""
    ids = [node.attributes["id"] for node in page if "id" in node.attributes]
    assert len(ids) == len(set(ids)), sorted({each for each in ids if ids.count(each) > 1})
