"""Operations, arguments and input fields that are not here. Each is refused by name, or ignored for a reason.

Every argument and input field that is not listed here reaches its resolver, which reads it:
`tests/server/graphql/test_unsupported.py` walks the schema.
"""

import re
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull, GraphQLSchema

from server.graphql.context import Context, Resolver, fields
from server.store import Refused

# Patterns for GraphQL's messages about a missing field or type.
_ABSENT = {
    "launch queues": r"[rR]unQueue|[lL]aunchAgent|ResourceConfig",
    "automations": r"[tT]rigger|[iI]ntegration",
    "registries": r"artifactMemberships|[rR]egistry|teamMembers|[rR]enameProject|deleteModel|ProjectTeamMember"
    r"|ProjectMember|'(projects?|artifactCollections)' on type 'Entity'|'members' on type 'Project'|featureFlags",
    "way to make users but `python -m server user`": r"create(User|Team|Invite|ServiceAccount)|deleteInvite|ApiKey"
    r"|createAnonymousEntity",
    "rewinding of runs": r"rewindRun",
    "uploads in several parts": r"completeMultipartUploadArtifact",
    "custom chart presets": r"createCustomChart",
}

_MISSING = re.compile(r"Cannot query field|Unknown (argument|type)|unknown field")
_LONGEST = 300

_NO_LAUNCH = "there are no launch queues"
_NO_TAG_CATEGORIES = "a tag is a name"
_NO_DRAFTS = "a view is a text that the client wrote"
_PRIVATE = "a project belongs to its entity, and `server user grant` gives others the right to see it"
_OLD_PROJECT = "each run names its own"

REFUSED = {
    "UpsertSweepInput.launchScheduler": _NO_LAUNCH,
    "UpsertSweepInput.templateVariableValues": _NO_LAUNCH,
    "UpsertModelInput.views": _NO_DRAFTS,
    "UpsertModelInput.isBenchmark": "there are no benchmarks",
    "Project.sweeps.filters": "ask for all sweeps and choose among them",
    "Project.allViews.userName": "views have no owner",
    "Agent.runs.before": "pages go forward",
    "Agent.runs.last": "pages go forward",
    "CreateArtifactFilesInput.cloudRegionID": "there are no regions",
    "TagInput.tagCategoryName": _NO_TAG_CATEGORIES,
    "TagInput.attributes": _NO_TAG_CATEGORIES,
    "UpdateArtifactInput.labels": "use tags or metadata",
    "UpsertViewInput.parentId": _NO_DRAFTS,
    "UpsertViewInput.locked": _NO_DRAFTS,
    "UpsertViewInput.previewUrl": _NO_DRAFTS,
    "UpsertViewInput.coverUrl": _NO_DRAFTS,
    "UpsertViewInput.showcasedAt": _NO_DRAFTS,
}

_ONE_ANSWER = "there is one way to store a file"
_ONE_UPLOAD = "an upload comes in one piece and is known by its MD5"
_BY_ID = "the id names the thing"

IGNORED = {
    "Query.organization.name": "there are none",
    "Project.run.desc": "`wandb verify` sends it to make its request large",
    "Project.artifact.enableTracking": "nobody counts the readers of an artifact",
    "Project.artifactTypes.includeAll": "every type is listed anyway",
    "Run.parquetHistory.liveKeys": "one step is answered, which tells the client to read `history`",
    "Run.logLines.useImprovedPagination": "pages are exact",
    "Artifact.filesByManifestEntries.storageLayout": _ONE_ANSWER,
    "Artifact.filesByManifestEntries.manifestVersion": _ONE_ANSWER,
    "Artifact.filesByManifestEntries.storageRegion": _ONE_ANSWER,
    "ArtifactManifestEntryInput.birthArtifactID": "name and digest identify the file",
    "UpsertModelInput.access": _PRIVATE,
    "UpsertModelInput.repo": _OLD_PROJECT,
    "UpsertModelInput.framework": _OLD_PROJECT,
    "UpsertModelInput.dockerImage": _OLD_PROJECT,
    "UpsertBucketInput.debug": "there is no debug mode",
    "AlertInput.waitDuration": "alerts are kept, not sent: none comes too soon after another",
    "DeleteFilesInput.projectId": _BY_ID,
    "AgentHeartbeatInput.metrics": "runs stream their own",
    "CreateArtifactInput.sequenceClientID": "the collection is named",
    "CreateArtifactManifestInput.entityName": _BY_ID,
    "CreateArtifactManifestInput.projectName": _BY_ID,
    "CreateArtifactManifestInput.runName": _BY_ID,
    "CreateArtifactFilesInput.storageLayout": _ONE_ANSWER,
    "CreateArtifactFilesInput.digestAlgorithm": _ONE_UPLOAD,
    "CreateArtifactFileSpecInput.artifactManifestID": _BY_ID,
    "CreateArtifactFileSpecInput.digest": _ONE_UPLOAD,
    "CreateArtifactFileSpecInput.mimetype": "the ending of the name says it",
    "CreateArtifactFileSpecInput.uploadPartsInput": _ONE_UPLOAD,
    "UseArtifactInput.artifactEntityName": _BY_ID,
    "UseArtifactInput.artifactProjectName": _BY_ID,
    "UpsertViewInput.createdUsing": "the text is kept as it is",
    "DeleteViewInput.deleteDrafts": "there are no drafts",
}


def explain(operation: str, problems: Iterable[str]) -> str:
    """One sentence for a document that the schema does not allow."""
    shortened = [problem if len(problem) < _LONGEST else problem[:_LONGEST] + " …" for problem in problems]
    text = "; ".join(shortened)
    for noun, pattern in _ABSENT.items():
        if re.search(pattern, text):
            return f"this server has no {noun}: it refuses {operation}"
    return f"this server does not support {operation}: {text}" if _MISSING.search(text) else f"{operation}: {text}"


def enforce(schema: GraphQLSchema) -> None:
    """Puts the tables in front of the resolvers, and `clientMutationId` of an input into the answer."""
    for kind, name, field in fields(schema):
        if field.args:
            assert field.resolve is not None
            field.resolve = _check_arguments(f"{kind}.{name}", field.args, field.resolve)


def _check_arguments(field: str, arguments: dict[str, Any], resolve: Resolver) -> Resolver:
    def wrapper(row: Any, ctx: Context, **values: Any) -> Any:
        _drop_unsupported(field, arguments, values)
        answer = resolve(row, ctx, **values)
        if field.startswith("Mutation."):
            answer |= {"client_mutation_id": values["input"].get("client_mutation_id")}
        return answer

    return wrapper


def _drop_unsupported(place: str, parts: dict[str, Any], values: dict[str, Any]) -> None:
    """Takes out ignored arguments, here and below. Raises Refused."""
    for name, part in parts.items():
        key = part.out_name or name
        if f"{place}.{name}" in IGNORED:
            values.pop(key, None)
        elif (why := REFUSED.get(f"{place}.{name}")) is not None:
            if not _is_empty(values.pop(key, None)):
                raise Refused(f"{name} is not supported here: {why}")
        elif values.get(key) is not None:
            _drop_unsupported_in(part.type, values[key])


def _drop_unsupported_in(kind: Any, value: Any) -> None:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        for item in value:
            _drop_unsupported_in(kind.of_type, item)
    elif isinstance(kind, GraphQLInputObjectType) and value is not None:
        _drop_unsupported(kind.name, kind.fields, value)


def check_undeclared(name: str, value: Any) -> None:
    """Check a variable that older clients leave in place when they repeat a request without it. Raises Refused."""
    for place, why in REFUSED.items():
        if place.endswith(f"Input.{name}") and not _is_empty(value):
            raise Refused(f"{name} is not supported here: {why}")


def _is_empty(value: Any) -> bool:
    return not value or value in ("null", "{}", "[]")
