"""Requests of the fuzzer: operations of `schema.graphql`, file_stream posts, visits to every route, broken HTTP."""

import gzip
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_introspection_query,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)
from hypothesis import strategies as st

from server.graphql import engine
from tests.server.fuzz_values import HINTS, IDS, NUMBERS, ODD, ROWS, WIDE

texts = st.one_of(
    st.sampled_from(["fuzz", "p", "r", "m", "model", "x", "local", "a.txt", "<sweep name>"]),
    st.sampled_from([f"<{kind}>" for kind in IDS]),
    st.sampled_from(ODD),
    st.text(max_size=20),
)
anything = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class Call:
    """One request; `<Run>` and the like stand for ids that exist when it is sent."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


def value_of(draw: Any, kind: Any, name: str) -> Any:
    """A value for an input: mostly of its type and meaning something here, sometimes anything at all."""
    if isinstance(kind, GraphQLNonNull):
        return draw(anything) if draw(st.integers(0, 19)) == 0 else value_of(draw, kind.of_type, name)
    luck = draw(st.integers(0, 9))
    if luck == 0:
        return draw(anything)
    if luck == 1:
        return None
    if isinstance(kind, GraphQLList):
        return [value_of(draw, kind.of_type, name) for _ in range(draw(st.integers(0, 3)))]
    if isinstance(kind, GraphQLInputObjectType):
        return {
            key: value_of(draw, part.type, key)
            for key, part in kind.fields.items()
            if isinstance(part.type, GraphQLNonNull) or draw(st.booleans())
        }
    if isinstance(kind, GraphQLEnumType):
        return draw(st.sampled_from(sorted(kind.values)))
    if kind.name == "Boolean":
        return draw(st.booleans())
    if kind.name in ("Int", "Int64", "Float"):
        return draw(st.sampled_from(NUMBERS) | st.integers(-5, 50))
    likely = {"entityName": "local", "projectName": "fuzz", "modelName": "fuzz", "runName": "r", "entity": "local"}
    likely |= {"md5": "mgNkuembtIDdJeHwKEyFVQ==", "artifactID": "<Artifact>", "sweep": "<sweep name>"}
    if name in likely and luck < 8:
        return likely[name]
    if name in HINTS and luck < 8:
        return draw(st.sampled_from(HINTS[name]))
    return draw(texts)


def selection(draw: Any, schema: GraphQLSchema, kind: Any, depth: int) -> str:
    if not is_composite_type(kind):
        return ""
    if not isinstance(kind, GraphQLObjectType):
        one = draw(st.sampled_from(sorted(schema.get_possible_types(kind), key=lambda each: each.name)))
        return f" {{ __typename ... on {one.name}{selection(draw, schema, one, depth)} }}"
    names = sorted(name for name, part in kind.fields.items() if depth > 0 or is_leaf_type(get_named_type(part.type)))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4)) if names else ["__typename"]
    parts = []
    for i, name in enumerate(chosen):
        if name == "__typename":
            parts.append(name)
            continue
        part = kind.fields[name]
        inner = selection(draw, schema, get_named_type(part.type), depth - 1)
        parts.append(f"a{i}: {name}{_arguments(draw, part)}{inner}")
    return " { " + " ".join(parts) + " }"


def _arguments(draw: Any, part: Any) -> str:
    """The arguments of a field as literals."""
    given = {
        name: value_of(draw, argument.type, name)
        for name, argument in part.args.items()
        if isinstance(argument.type, GraphQLNonNull) or draw(st.booleans())
    }
    return "(" + ", ".join(f"{name}: {_literal(value)}" for name, value in given.items()) + ")" if given else ""


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        names = {re.sub(r"\W", "_", f"k{key}", flags=re.ASCII): item for key, item in value.items()}
        return "{" + ", ".join(f"{name}: {_literal(item)}" for name, item in names.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value)


@st.composite
def operations(draw: Any) -> Call:
    """A query or a mutation of the schema, its input in variables as the client sends it."""
    schema = engine.schema()
    root = schema.query_type if draw(st.booleans()) else schema.mutation_type
    assert root is not None
    name = draw(st.sampled_from(sorted(root.fields)))
    part = root.fields[name]
    below = selection(draw, schema, get_named_type(part.type), draw(st.integers(1, 5)))
    variables: dict[str, Any] = {}
    declared = []
    for argument, detail in part.args.items():
        if isinstance(detail.type, GraphQLNonNull) or draw(st.booleans()):
            variables[argument] = value_of(draw, detail.type, argument)
            declared.append(f"${argument}: {detail.type}")
    head = f"({', '.join(declared)})" if declared else ""
    passed = "(" + ", ".join(f"{name}: ${name}" for name in variables) + ")" if variables else ""
    kind = "query" if root is schema.query_type else "mutation"
    parts = [f"{name}{passed}{below}"]
    if draw(st.integers(0, 9)) == 0:
        parts = [f"again{i}: {parts[0]}" for i in range(draw(st.integers(2, 60)))]
    text = f"{kind} Fuzz{head} {{ {' '.join(parts)} }}"
    if draw(st.integers(0, 14)) == 0:
        cut = draw(st.integers(0, len(text)))
        text = text[:cut] + draw(st.text(max_size=5)) + text[cut + draw(st.integers(0, 5)) :]
    if draw(st.integers(0, 29)) == 0:
        text = get_introspection_query(type_depth=draw(st.integers(1, 30)))
    return Call("POST", "/graphql", json.dumps({"query": text, "variables": variables, "operationName": ""}).encode())


@st.composite
def streams(draw: Any) -> Call:
    """A file_stream post."""
    names = ["wandb-history.jsonl", "wandb-summary.json", "wandb-events.jsonl", "output.log", "x"]
    rows = [*ROWS, '{"_step":1e300}', '{"_step":"a"}', "[]", "3", "{"]
    line = st.sampled_from(rows) | texts
    chunk = st.fixed_dictionaries(
        {"offset": st.sampled_from(NUMBERS) | st.integers(0, 9), "content": st.lists(line, max_size=4)}
    )
    body: Any = {"files": draw(st.dictionaries(st.sampled_from(names), chunk | anything, max_size=4))}
    body |= draw(
        st.dictionaries(st.sampled_from(["complete", "exitcode", "preempting", "uploaded", "dropped"]), anything)
    )
    run = draw(st.sampled_from(["r", "r", "r", "gone", "..%2f..", "%00", "..", ".", "%2e%2e", "a%0ab"]))
    data = json.dumps(draw(anything) if draw(st.integers(0, 9)) == 0 else body).encode()
    if draw(st.integers(0, 199)) == 123:
        data = draw(st.sampled_from(WIDE)).encode()
    packed = draw(st.integers(0, 9))
    headers = {"Content-Encoding": "gzip"} if packed < 2 else {}
    headers |= draw(st.sampled_from([{}, {}, {"X-Wandb-Async-Client-Id": "a"}, {"X-Wandb-Async-Client-Id": "é " * 99}]))
    data = gzip.compress(data) if packed == 0 else gzip.compress(data)[:-9] + b"junkjunk" if packed == 1 else data
    return Call("POST", f"/files/local/fuzz/{run}/file_stream", data, headers)


ROUTES = (
    """
    graphql|files/?/?/?/file_stream|storage/run-files/?/?|storage/wandb_artifacts/?/?/?|storage/?|ready|authorize|
    sdk/otel/?|?/?|?/?/sweeps|?|?/?/runs/?|?/?/runs/?/?|?/?/sweeps/?|?/?/artifacts/?/?/?|login|search|compare
""".replace("\n", "")
    .replace(" ", "")
    .split("|")
)
PLACES = ["local", "fuzz", "r", "runs", "sweeps", "artifacts", "model", "m", "v0", "x"]
QUERIES = ["", "", "?page=2", "?page=-1", "?page=%C2%B2", "?page=" + "9" * 5000, "?" + "a" * 3000]
QUERIES += ["?expires=99999999999&sig=" + "0" * 32, "?expires=%C2%B2&sig=%C3%A9"]
HEADERS = ["Range", "Content-Range", "Content-Encoding", "Accept", "Cookie", "If-Range", "Content-Type", "Origin"]
HEADERS += ["X-Forwarded-For", "Host", "Sec-Fetch-Site"]
CONTENTS = ["gzip", "bytes=0-", "bytes=9-1", "bytes=" + "0-1," * 50, "*", "é", "text/html", "", "text/plain", "null"]
CONTENTS += ["application/json; charset=x", "http://[x", "cross-site", "same-origin"]


@st.composite
def visits(draw: Any) -> Call:
    """Any method at any route, with odd path parts, headers and bodies."""
    parts = st.sampled_from(PLACES) | texts
    words = [draw(parts) if word == "?" else word for word in draw(st.sampled_from(ROUTES)).split("/")]
    slash = draw(st.sampled_from(["/", "/", "/", "//"]))
    path = slash + slash.join(quote(word.encode("utf-8", "replace"), safe="<>") for word in words)
    path += draw(st.sampled_from(["", "", "", "/", "//"]))
    signed = path.startswith("/storage/") and draw(st.integers(0, 3))
    query = "?signed" if signed else draw(st.sampled_from(QUERIES))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(CONTENTS), max_size=2))
    method = draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]))
    body = draw(st.none() | st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
    return Call(method, path + query, body, headers)


WHOLE = b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
BROKEN = [b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 70_000, b"\x16\x03\x01\x02\x00"]
BROKEN += [b"GET http://x/ HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
BROKEN += [b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"]
BROKEN += [b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"]


@st.composite
def malformed(draw: Any) -> Call:
    """Bytes that are not quite HTTP."""
    cut = draw(st.integers(0, len(WHOLE)))
    mutated = WHOLE[:cut] + draw(st.binary(max_size=30)) + WHOLE[cut + draw(st.integers(0, 8)) :]
    return Call("RAW", "", raw=draw(st.just(mutated) | st.sampled_from(BROKEN)))


calls = st.integers(0, 19).flatmap(
    lambda luck: operations() if luck < 11 else streams() if luck < 14 else visits() if luck < 19 else malformed()
)
