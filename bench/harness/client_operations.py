"""Every GraphQL operation that an installed wandb client can send, found in its files."""

import ast
import functools
import re
from pathlib import Path

import wandb
from graphql import DocumentNode, FragmentDefinitionNode, GraphQLError, parse, print_ast

PINNED = Path(wandb.__file__).parent


def from_core(package: Path) -> dict[str, str]:
    """Operations of wandb-core, by name, with their fragments. They lie in the binary as text."""
    binary = (package / "bin" / "wandb-core").read_bytes()
    texts: dict[str, str] = {}
    for match in re.finditer(rb"\n(query|mutation) (\w+)", binary):
        text = _until_balanced(binary[match.start() + 1 : match.start() + 20_000])
        if text is None:
            continue
        rest = binary[match.start() + 1 + len(text) :][:4000]
        for name in dict.fromkeys(re.findall(rb"\.\.\. (?!on )(\w+)", text)):
            fragment = re.match(rb"\s*(fragment " + name + rb" on .*)", rest, re.DOTALL)
            text += b"\n" + ((_until_balanced(fragment[1]) or b"") if fragment else b"")
        texts[match[2].decode()] = text.decode()
    return texts


def _until_balanced(text: bytes) -> bytes | None:
    """The text up to the brace that closes its first one outside parentheses."""
    depth = parentheses = 0
    for i, byte in enumerate(text):
        character = chr(byte)
        parentheses += (character == "(") - (character == ")")
        if parentheses == 0:
            depth += (character == "{") - (character == "}")
            if character == "}" and depth == 0:
                return text[: i + 1]
    return None


def from_python(package: Path) -> dict[str, list[str]]:
    """Operations in the client's Python files, by name; a name may stand for several texts."""
    files = [_strings(path) for path in sorted(package.rglob("*.py")) if "vendor" not in path.parts]
    everywhere = {name: text for strings in files for name, text in _fragments(strings).items()}
    texts: dict[str, list[str]] = {}
    for strings in files:
        fragments = everywhere | _fragments(strings)
        for string in strings:
            if (name := _OPERATION.match(string)) is not None:
                texts.setdefault(name[1], []).append(_with_fragments(_fill(string), fragments))
    return texts


_OPERATION = re.compile(r"\s*(?:#graphql)?\s*(?:query|mutation)\s+(\w+)\s*[({]")


def _strings(path: Path) -> list[str]:
    """The texts of a file that can be GraphQL."""
    source = path.read_text()
    if not re.search(r"\b(query|mutation|fragment)\s+\w+\s*(on\b|[({])", source):
        return []
    tree = ast.parse(source)
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in formatted for part in node.values}
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    ]
    return strings + [_format_string(node) for node in formatted]


def _fragments(strings: list[str]) -> dict[str, str]:
    return {
        definition.name.value: print_ast(definition)
        for text in strings
        if "fragment " in text and (document := parse_or_none(text)) is not None
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def _format_string(node: ast.JoinedStr) -> str:
    """An f-string, its fragments and their names filled in by those for whole runs."""
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        else:
            parts.append("RunFragment" if "fragment_name" in ast.unparse(part) else "")
    return "".join(parts)


def _fill(text: str) -> str:
    """The text as `str.format` and `replace` leave it before it is sent."""
    if "{{" in text:
        text = text.replace("{}(samples", "history(samples").replace("{}", "").replace("{{", "{").replace("}}", "}")
    text = text.replace("_PROJECT_QUERY_", "project { id name entity { id name } }")
    return re.sub(r"\b_(Server_Settings|[A-Z_]+)_\b", "", text)


_SPREAD = r"\.\.\.\s*(?!on\b)(\w+)"


def _with_fragments(text: str, fragments: dict[str, str]) -> str:
    rest = re.findall(_SPREAD, text)
    while rest:
        name = rest.pop()
        if f"fragment {name} " not in text and name in fragments:
            text += "\n" + fragments[name]
            rest += re.findall(_SPREAD, fragments[name])
    return text


def parse_or_none(text: str) -> DocumentNode | None:
    """The parsed text; None for one that the client puts together from pieces."""
    try:
        return parse(text)
    except GraphQLError:
        return None


@functools.cache
def operations(package: Path = PINNED) -> dict[str, list[str]]:
    """Name → texts, of both halves of the client in the folder `package`."""
    texts = from_python(package)
    for name, text in from_core(package).items():
        texts.setdefault(name, []).append(text)
    return dict(sorted(texts.items()))
