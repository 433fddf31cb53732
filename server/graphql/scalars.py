"""Values of scalars and counts: whole numbers of 64 bits, texts, nothing less than 0."""

from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError, GraphQLInt, GraphQLSchema

from server.graphql.context import Context, Resolver, fields, snake_case
from server.graphql.limits import MAX_INT
from server.store import Refused


def check_scalars(schema: GraphQLSchema) -> None:
    """Gives the schema's own scalars the checks that GraphQL has for its built-in ones."""
    for name, check in (("Int64", _whole), ("JSONString", _text), ("DateTime", _text), ("Duration", _whole)):
        schema.type_map[name].coerce_input_value = check  # type: ignore[attr-defined]
    schema.type_map["DateTime"].coerce_output_value = _iso  # type: ignore[attr-defined]


def check_counts(schema: GraphQLSchema) -> None:
    """Refuses numbers below 0 of things to answer: `first`, `last`, `samples`."""
    for _, _, field in fields(schema):
        names = [snake_case(name) for name, part in field.args.items() if part.type is GraphQLInt]
        if names:
            assert field.resolve is not None
            field.resolve = _check_counts_of(names, field.resolve)


def _check_counts_of(names: list[str], resolve: Resolver) -> Resolver:
    def wrapper(row: Any, ctx: Context, **arguments: Any) -> Any:
        for name in names:
            if (arguments.get(name) or 0) < 0:
                raise Refused(f"{name} must be 0 or more, not {arguments[name]}")
        return resolve(row, ctx, **arguments)

    return wrapper


def _iso(moment: float | str) -> str:
    """Seconds since 1970 in ISO 8601; a text stays as it is."""
    if isinstance(moment, str):
        return moment
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _whole(value: Any) -> int:
    """A whole number, which the client also sends as text."""
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
