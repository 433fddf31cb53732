"""How large a document may be and what its scalars may hold: checked before anything is executed."""

from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLSchema,
    is_introspection_type,
)

from server.graphql.common import Info, Resolver, snake
from server.store import Refused

MAX_QUERY = 100_000  # characters
MAX_TOKENS = 10_000
MAX_DEPTH = 40  # of fields within each other; the client's deepest operation has 12
MAX_FIELDS = 2_000  # with every fragment written out; the client's widest operation has 120
MAX_INT = 2**63


def excess(document: DocumentNode) -> str | None:
    """What is too much about a document, with its fragments written out; None where all is well."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    known: dict[str, tuple[int, int]] = {}
    fields = depth = 0
    for definition in document.definitions:
        if not isinstance(definition, FragmentDefinitionNode):
            more, deep = _extent(definition, fragments, known, ())
            fields, depth = fields + more, max(depth, deep)
    if depth > MAX_DEPTH:
        return f"its fields are nested more than {MAX_DEPTH} deep"
    return f"it asks for more than {MAX_FIELDS} fields" if fields > MAX_FIELDS else None


def _extent(
    node: Any,
    fragments: dict[str, FragmentDefinitionNode],
    known: dict[str, tuple[int, int]],
    inside: tuple[str, ...],
) -> tuple[int, int]:
    """Number and depth of the fields below a node. A fragment within itself counts as endless."""
    fields = depth = 0
    chosen = getattr(node, "selection_set", None)
    for part in chosen.selections if chosen is not None else ():
        if isinstance(part, FragmentSpreadNode):
            name = part.name.value
            if name in inside:
                return MAX_FIELDS + 1, MAX_DEPTH + 1
            if name in fragments and name not in known:
                known[name] = _extent(fragments[name], fragments, known, (*inside, name))
            more, deep = known.get(name, (0, 0))
        else:
            more, deep = _extent(part, fragments, known, inside)
            more, deep = more + 1, deep + 1
        fields, depth = fields + more, max(depth, deep)
    return fields, depth


def check_scalars(schema: GraphQLSchema) -> None:
    """Gives the schema's own scalars the checks that GraphQL has for its built-in ones."""
    for name, check in (("Int64", _whole), ("JSONString", _text), ("DateTime", _text), ("Duration", _whole)):
        schema.type_map[name].coerce_input_value = check  # type: ignore[attr-defined]


def check_counts(schema: GraphQLSchema) -> None:
    """Refuses what is less than 0 as the number of things to answer: `first`, `last`, `samples`."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            for field in kind.fields.values():
                names = [snake(name) for name, part in field.args.items() if part.type is GraphQLInt]
                if names:
                    assert field.resolve is not None
                    field.resolve = _counting(names, field.resolve)


def _counting(names: list[str], resolve: Resolver) -> Resolver:
    def counting(row: Any, info: Info, **arguments: Any) -> Any:
        for name in names:
            if (arguments.get(name) or 0) < 0:
                raise Refused(f"{name} must be 0 or more, not {arguments[name]}")
        return resolve(row, info, **arguments)

    return counting


def _whole(value: Any) -> int:
    """The client also sends whole numbers as text."""
    try:
        if isinstance(value, int | str) and not isinstance(value, bool) and abs(int(value)) < MAX_INT:
            return int(value)
    except ValueError:
        pass
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_INT:
        return int(value)
    raise GraphQLError("Int64 stands for a whole number of 64 bits")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise GraphQLError("a text is expected")
