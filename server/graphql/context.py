"""Shared by all resolvers: the context of a request, ids, times, pages."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, is_introspection_type

from server.access.signatures import Signer
from server.graphql import limits
from server.settings import Settings
from server.store import Connection, NotFound, Refused, Row, Store, ownership, projects, users
from server.store.users import Person

MAX_PAGE = 10_000
MAX_ITEMS = 200_000  # in all the lists of one answer
Resolver = Callable[..., Any]
"""Resolver of a field: called with the row that it belongs to, the Context, and the arguments in snake_case."""
Resolvers = dict[str, dict[str, Resolver]]


@dataclass(frozen=True)
class Context:
    """Context of one request.

    `base_url` is the server's address as the client sees it, without a slash at the end; `client` tells apart the
    clients that write one run (`mode="shared"`).
    """

    store: Store
    settings: Settings
    signer: Signer
    base_url: str
    person: Person
    client: str = ""
    _entities: dict[tuple[str, int], str | None] = field(default_factory=dict)
    clock: limits.Clock = field(default_factory=limits.Clock)
    _counts: Counter[str] = field(default_factory=Counter)

    def count(self, items: int = 0, text: int = 0) -> None:
        """Raises Refused when the answer grows too large."""
        self._counts.update(items=items, text=text)
        if self._counts["items"] > MAX_ITEMS:
            raise Refused(f"the answer would hold more than {MAX_ITEMS} items; ask for smaller pages")
        if self._counts["text"] > limits.MAX_TEXT:
            raise Refused(f"the answer would hold more than {limits.MAX_TEXT} characters; ask for smaller pages")

    def entity_of(self, kind: str, number: int) -> str | None:
        """The entity of a thing, looked up once per request."""
        if (kind, number) not in self._entities:
            self._entities[kind, number] = ownership.entity(self.db, kind, number)
        return self._entities[kind, number]

    @property
    def entity(self) -> str:
        """The default entity: the person's own."""
        return self.person.name

    @property
    def db(self) -> Connection:
        """The connection. Raises Refused when the request's time is over."""
        if self.clock.is_over():
            raise Refused(limits.TOO_SLOW)
        return self.store.db

    def now(self) -> float:
        return self.store.clock()

    def signed_url(self, method: str, path: str) -> str:
        return self.signer.url(self.base_url, method, path, self.person.number, self.now())


def fields(schema: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField]]:
    """(type, name, field) of every field of the schema that has a resolver."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            yield from ((kind.name, name, field) for name, field in kind.fields.items())


def snake_case(name: str) -> str:
    """`artifactID` → `artifact_id`, `displayName` → `display_name`, `md5` → `md5`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z]+)", r"_\1", name).lower()


def global_id(kind: str, number: int) -> str:
    """Base64 of `Kind:number`: the client needs ids to be base64."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def parse_id(text: str) -> tuple[str, int] | None:
    """Kind and number of a global id, with or without its `=`; None for anything else."""
    try:
        kind, _, number = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode().partition(":")
    except ValueError:
        return None
    known = number.isascii() and number.isdecimal() and len(number) < 19
    return (kind, int(number)) if known else None


def read_id(kind: str, text: str) -> int:
    """The number in a global id. Raises NotFound for anything else."""
    found = parse_id(text)
    if found is None or found[0] != kind:
        raise NotFound(f"{text!r} is not the id of a {kind}")
    return found[1]


def id_of(kind: str) -> Resolver:
    """Resolver of `id`: the global id of a row's number; other values hold the id itself."""
    return lambda row, ctx: global_id(kind, row["id"]) if isinstance(row["id"], int) else row["id"]


def column(name: str) -> Resolver:
    return lambda row, ctx: row[name]


def constant(value: Any) -> Resolver:
    return lambda row, ctx: value


def page(items: Sequence[Any], first: int | None, after: str | None, key: Callable[[Any], Any]) -> tuple[int, int]:
    """Start and end of the page behind the cursor `after`, which is `position:key` of the last item seen.

    If the item was deleted meanwhile, the page starts at its old position.
    """
    start = 0
    if after:
        position, _, wanted = after.partition(":")
        if not position.isdecimal() or len(position) > 18:
            raise Refused(f"not a cursor: {after!r}")
        start = int(position)
        if start >= len(items) or str(key(items[start])) != wanted:
            places = [i for i, item in enumerate(items) if str(key(item)) == wanted]
            start = places[0] + 1 if places else min(start, len(items))
        else:
            start += 1
    size = MAX_PAGE if first is None else max(0, min(first, MAX_PAGE))
    return start, min(start + size, len(items))


def connection(
    items: Sequence[Any],
    first: int | None = None,
    after: str | None = None,
    key: Callable[[Any], Any] = lambda row: row["id"],
    load: Callable[[Any], Any] = list,
) -> dict[str, Any]:
    """A page of `items` as GraphQL connections have it; `load` turns the items of the page into nodes."""
    start, end = page(items, first, after, key)
    cursors = [f"{start + i}:{key(item)}" for i, item in enumerate(items[start:end])]
    return {
        "edges": [
            {"node": node, "cursor": cursor} for node, cursor in zip(load(items[start:end]), cursors, strict=True)
        ],
        "page_info": {"end_cursor": cursors[-1] if cursors else None, "has_next_page": end < len(items)},
        "total_count": len(items),
    }


def paginate(items: Resolver) -> Resolver:
    """Resolver of a field that answers the items of a list page by page."""

    def page_of(row: Any, ctx: Context, first: int | None = None, after: str | None = None) -> dict[str, Any]:
        return connection(items(row, ctx), first, after)

    return page_of


def project_of(row: Row, ctx: Context) -> Row:
    return projects.by_id(ctx.db, row["project_id"])


def find_project(ctx: Context, entity: str | None, name: str | None) -> Row | None:
    return projects.find(ctx.db, entity or ctx.entity, name or "")


def get_project(ctx: Context, entity: str | None, name: str | None) -> Row:
    row = find_project(ctx, entity, name)
    if row is None:
        raise NotFound(f"project {entity or ctx.entity}/{name} does not exist")
    return row


def ensure_project(ctx: Context, entity: str | None, name: str | None) -> Row:
    """The project, made when it is first named; without an entity it is the person's, as `wandb sync` means it."""
    return projects.ensure(ctx.db, entity or ctx.entity, name or "uncategorized", ctx.now())[0]


def user(ctx: Context, name: str | None = None) -> Row:
    """The person of that name; if there is none, the person who asks."""
    person = (users.by_name(ctx.db, name) if name and name != ctx.person.name else None) or ctx.person
    return {"id": person.number, "name": person.name, "username": person.name, "entity": person.name}
