"""What a page says, read by the standard library's parser: elements with their attributes and texts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr", "source"}
NEVER_ALONE = {"script", "iframe", "object", "embed", "base", "style"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list)

    def __iter__(self) -> "Iterator[Element]":
        """Itself and all below, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str, **attributes: str) -> "list[Element]":
        """The elements of a tag with these attributes; `class_` stands for class, `_` for `-`."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            each
            for each in self
            if each.tag == tag and all(each.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str, **attributes: str) -> "Element":
        [found] = self.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        assert len(element.attributes) == len(attrs), f"an attribute of {tag} stands twice: {attrs}"
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(text: str) -> Element:
    """Asserts that every element is closed where it has to be."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader._open == [reader.root], f"<{reader._open[-1].tag}> is never closed"
    return reader.root


def check_harmless(page: Element) -> None:
    """Asserts that nothing on the page acts, but for the server's own scripts, whatever stands in its texts."""
    for element in page:
        names = set(element.attributes)
        assert not {name for name in names if name.startswith("on") or name in ("style", "srcdoc")}, element
        for name in ("href", "src", "action", "formaction"):
            address = element.attributes.get(name, "")
            assert not address.strip().lower().startswith(("javascript:", "vbscript:", "data:text")), element
        if element.tag == "script":
            assert element.attributes.get("src", "").startswith("/static/"), element
            assert element.text == ""
        elif element.tag == "iframe":
            assert element.attributes.get("sandbox") == ""
        else:
            assert element.tag not in NEVER_ALONE, element
    ids = [element.attributes["id"] for element in page if "id" in element.attributes]
    assert len(ids) == len(set(ids)), sorted(each for each in ids if ids.count(each) > 1)
