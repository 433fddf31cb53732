"""Rights to see the parts of an answer, and to make the changes of a mutation.

Both are checked here, for every field of the schema that leads to something that lies in an entity, and for every
string of a mutation's input that names an entity or is an id; resolvers only leave out of a list the items that would
be refused one by one. A thing that a person may not see answers like one that does not exist.
"""

from collections.abc import Iterator
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLSchema, get_named_type, get_nullable_type

from server.graphql import limits
from server.graphql.context import Context, Resolver, fields, parse_id
from server.store import NotFound, Refused, ownership

# Columns that lead to the entity of a row, in the order in which they are tried.
_COLUMNS = {
    "project_id": "Project",
    "collection_id": "ArtifactCollection",
    "sweep_id": "Sweep",
    "artifact_id": "Artifact",
}
_PLACED = {
    *("Project", "Run", "Sweep", "Agent", "View", "Entity", "Artifact", "ArtifactManifest", "ArtifactType"),
    *("ArtifactCollection", "ArtifactSequence", "ArtifactPortfolio", "ArtifactCollectionMembership"),
}
# Inputs that are only read: the right to see is enough.
_READ = {
    *(("useArtifact", "artifact_id"), ("useArtifact", "artifact_entity_name"), ("linkArtifact", "artifact_id")),
    *(("addAliases", "artifact_id"), ("deleteAliases", "artifact_id"), ("unlinkArtifact", "artifact_id")),
    *(("createArtifactManifest", "base_artifact_id"), ("updateArtifactManifest", "base_artifact_id")),
}
_ENTITY = ("entity", "entity_name", "artifact_entity_name")
_LONGEST_ID = 100


def protect(schema: GraphQLSchema) -> None:
    """Puts the checks in front of and behind the resolvers."""
    for kind, name, field in fields(schema):
        assert field.resolve is not None
        if kind == "Mutation":
            field.resolve = _check_mutation(name, field.resolve)
        required = isinstance(field.type, GraphQLNonNull)
        if get_named_type(field.type).name in _PLACED:
            field.resolve = _filter_visible(field.resolve, required)
        if isinstance(get_nullable_type(field.type), GraphQLList):
            field.resolve = _count_items(field.resolve)
        if get_named_type(field.type).name == "JSON":
            field.resolve = _count_text(field.resolve)


def owner_entity(ctx: Context, row: dict[str, Any]) -> str | None:
    """The entity of a row: of a project, or of a thing in one."""
    if isinstance(row.get("entity"), str):
        return str(row["entity"])
    for column, kind in _COLUMNS.items():
        if row.get(column) is not None:
            return ctx.entity_of(kind, row[column])
    return str(row["name"])


def is_visible(ctx: Context, row: dict[str, Any]) -> bool:
    if ctx.person.admin:
        return True
    entity = owner_entity(ctx, row)
    return entity is not None and ctx.person.sees(entity)


def check_visible(ctx: Context, kind: str, number: int) -> int:
    """`number`, when the person may see that thing; raises NotFound as the store does."""
    _check_id(ctx, kind, number, only_read=True)
    return number


def _filter_visible(resolve: Resolver, required: bool) -> Resolver:
    def wrapper(row: Any, ctx: Context, **arguments: Any) -> Any:
        value = resolve(row, ctx, **arguments)
        if ctx.person.admin or value is None:
            return value
        if isinstance(value, list):
            return [item for item in value if is_visible(ctx, item)]
        if is_visible(ctx, value):
            return value
        if required:
            raise NotFound("the thing asked for does not exist")
        return None

    return wrapper


def _count_items(resolve: Resolver) -> Resolver:
    def wrapper(row: Any, ctx: Context, **arguments: Any) -> Any:
        value = resolve(row, ctx, **arguments)
        if isinstance(value, list):
            ctx.count(len(value))
        return value

    return wrapper


def _count_text(resolve: Resolver) -> Resolver:
    """Count the characters of a JSON field against the limit: it is made for the answer, unlike texts in rows."""

    def wrapper(row: Any, ctx: Context, **arguments: Any) -> Any:
        value = resolve(row, ctx, **arguments)
        ctx.count(text=limits.text_size(value))
        return value

    return wrapper


def _check_mutation(mutation: str, resolve: Resolver) -> Resolver:
    def wrapper(root: Any, ctx: Context, **arguments: Any) -> Any:
        if not ctx.person.admin:
            for name, text in _texts("", arguments):
                only_read = (mutation, name) in _READ
                if name in _ENTITY and text:
                    _check_entity(ctx, text, only_read)
                elif (found := parse_id(text)) is not None and found[0] in ownership.KINDS:
                    _check_id(ctx, *found, only_read)
        with ctx.clock.extend():
            return resolve(root, ctx, **arguments)

    return wrapper


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every string of an input that can be a name or an id, with the name of its field."""
    if isinstance(value, str):
        if len(value) <= _LONGEST_ID or name in _ENTITY:
            yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(name, item)


def _check_entity(ctx: Context, entity: str, only_read: bool) -> None:
    if not ctx.person.sees(entity):
        raise NotFound(f"entity {entity} does not exist, or {ctx.person.name} has no right in it")
    if not only_read and not ctx.person.owns(entity):
        raise Refused(f"{ctx.person.name} may read the entity {entity}, not change it")


def _check_id(ctx: Context, kind: str, number: int, only_read: bool) -> None:
    entity = None if ctx.person.admin else ctx.entity_of(kind, number)
    if entity is None:  # the resolver answers for a thing that does not exist
        return
    if not ctx.person.sees(entity):
        raise NotFound(ownership.name(kind, number))
    if not only_read:
        _check_entity(ctx, entity, only_read)
