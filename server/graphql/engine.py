"""Executes documents against `schema.graphql`.

An operation either succeeds whole or answers an error without data: the wandb client takes `data: null` for success.
"""

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    is_abstract_type,
    is_interface_type,
    parse,
    type_from_ast,
    validate,
)

from common.names import BadName
from server.graphql import limits, rights, scalars, unsupported
from server.graphql.context import Context, fields, id_of, snake_case
from server.graphql.resolvers import (
    artifact_uploads,
    artifacts,
    collections,
    files,
    history,
    projects,
    reports,
    runs,
    sweeps,
    viewer,
)
from server.store import DatabaseError, NotFound, Refused
from server.store.disk.disk_errors import explain, is_temporary, is_timeout

log = logging.getLogger(__name__)
MODULES = (viewer, projects, runs, history, files, sweeps, artifacts, collections, artifact_uploads, reports)


@dataclass(frozen=True)
class Answer:
    """`status` is the HTTP status; `body` the JSON value."""

    body: dict[str, Any]
    status: int = 200


@dataclass(frozen=True)
class _Document:
    node: DocumentNode
    name: str
    problem: str | None = None


@functools.cache
def schema() -> GraphQLSchema:
    """The schema with its resolvers; arguments and input fields reach them in snake_case."""
    built = build_schema(Path(__file__).with_name("schema.graphql").read_text())
    for kind in built.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            for name, field in kind.fields.items():
                field.out_name = snake_case(name)
        if is_abstract_type(kind):
            kind.resolve_type = _kind_of_collection if is_interface_type(kind) else _creator
    for kind_name, name, output in fields(built):
        output.resolve = id_of(kind_name) if name == "id" else _default(snake_case(name))
        for argument_name, argument in output.args.items():
            argument.out_name = snake_case(argument_name)
    for module in MODULES:
        for type_name, resolvers in module.RESOLVERS.items():
            for field_name, resolver in resolvers.items():
                built.type_map[type_name].fields[field_name].resolve = resolver  # type: ignore[attr-defined]
    unsupported.enforce(built)
    rights.protect(built)
    scalars.check_scalars(built)
    scalars.check_counts(built)
    for _, _, output in fields(built):
        output.resolve = _in_context(output.resolve)
    return built


def _default(column: str) -> Any:
    return lambda row, ctx: row.get(column)


def _in_context(resolve: Any) -> Any:
    return lambda row, info, **arguments: resolve(row, info.context, **arguments)


def _kind_of_collection(row: dict[str, Any], info: Any, kind: Any) -> str:
    return str(row["kind"])


def _creator(row: dict[str, Any], info: Any, kind: Any) -> str:
    return "Run" if "project_id" in row else "User"


@functools.lru_cache(maxsize=512)
def _document(text: str) -> _Document:
    """Parsed and validated once per text: that costs more than most resolvers."""
    try:
        node = parse(text, max_tokens=limits.MAX_TOKENS, no_location=True)
    except GraphQLError as error:
        return _Document(DocumentNode(definitions=()), "this text", f"not GraphQL: {error.message}")
    except RecursionError:
        return _Document(DocumentNode(definitions=()), "this text", "not GraphQL: nested too deeply")
    names = [
        f"{d.operation.value} {d.name.value if d.name else '(no name)'}"
        for d in node.definitions
        if isinstance(d, OperationDefinitionNode)
    ]
    name = names[0] if names else "(no operation)"
    if (too_much := limits.excess(node)) is not None:
        return _Document(node, name, f"this server does not support {name}: {too_much}")
    errors = validate(schema(), node, max_errors=3, hide_suggestions=True)
    problem = unsupported.explain(name, [error.message for error in errors]) if errors else None
    return _Document(node, name, problem)


def execute(context: Context, query: str, variables: dict[str, Any] | None, operation_name: str | None) -> Answer:
    """Answers one request. Never raises; bugs are logged and answered without their details."""
    if len(query) > limits.MAX_QUERY:
        return _error("the query is too long")
    try:
        with context.clock.limit(context.store.db):
            return _answer(context, _document(query), variables or {}, operation_name or None)
    except Refused as error:
        return _error(str(error))
    except Exception as error:  # a client that got a 5xx would repeat the request for 18 minutes
        log.exception("a request failed")
        return _error(f"the request failed: {type(error).__name__}; the server's log says more")


def _answer(context: Context, document: _Document, variables: dict[str, Any], operation_name: str | None) -> Answer:
    if document.problem is not None:
        return _error(document.problem)
    result = execute_sync(
        schema(),
        document.node,
        context_value=context,
        variable_values=_prune_variables(document.node, variables),
        operation_name=operation_name,
    )
    if result.errors:
        return _answer_errors(document.name, result.errors)
    if limits.text_size(result.data) > limits.MAX_TEXT:
        return _error(f"the answer would hold more than {limits.MAX_TEXT} characters; ask for smaller pages")
    return Answer({"data": result.data})


def _prune_variables(document: DocumentNode, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables without input fields that the schema does not know: newer clients may send more."""
    known = dict(variables)
    declared = set()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for variable in definition.variable_definitions or ():
                name = variable.variable.name.value
                declared.add(name)
                if name in known:
                    known[name] = _prune(type_from_ast(schema(), variable.type), known[name])
    for name in variables.keys() - declared:
        unsupported.check_undeclared(name, variables[name])
    return known


def _prune(kind: Any, value: Any) -> Any:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList) and isinstance(value, list):
        return [_prune(kind.of_type, item) for item in value]
    if isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        return {name: _prune(kind.fields[name].type, item) for name, item in value.items() if name in kind.fields}
    return value


def _answer_errors(name: str, errors: list[GraphQLError]) -> Answer:
    cause = errors[0].original_error
    if cause is None or isinstance(cause, GraphQLError):
        return _error(f"{name}: {errors[0].message}")
    if isinstance(cause, NotFound):
        gone = name == "mutation Heartbeat" or "agentHeartbeat" in (errors[0].path or ())
        return _error(str(cause), status=404 if gone else 200)
    if isinstance(cause, Refused | BadName):
        return _error(str(cause))
    if is_timeout(cause):
        return _error(limits.TOO_SLOW)
    if isinstance(cause, DatabaseError | OSError) and is_temporary(cause):
        log.error("%s failed: %s", name, explain(cause))
        return _error(f"{name} failed: {explain(cause)}", status=503)
    log.error("%s failed", name, exc_info=cause)
    return _error(f"{name} failed: a fault of this server; its log says more")


def _error(message: str, status: int = 200) -> Answer:
    return Answer({"errors": [{"message": message}]}, status)
