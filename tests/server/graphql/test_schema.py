"""Every operation that the installed client can send is answered or listed as refused, in README.md too."""

from graphql import validate, validate_schema

from bench.harness.operations import operations, parse_or_none
from server.graphql.engine import schema
from tests.server.readme import listed

OPERATIONS = operations()
# Texts that the client puts together from pieces; the tests with the real client send them.
COMPOSED = {"UseArtifact", "createLaunchAgent", "pushToRunQueue", "pushToRunQueueByName"}


def is_answered(name: str) -> bool:
    documents = [document for text in OPERATIONS[name] if (document := parse_or_none(text)) is not None]
    return bool(documents) and all(not validate(schema(), document) for document in documents)


def test_the_schema_is_a_schema() -> None:
    assert validate_schema(schema()) == []


def test_the_client_was_really_searched() -> None:
    assert len(OPERATIONS) > 150
    assert {"UpsertBucket", "CommitArtifact", "GetSweep", "Heartbeat", "Runs"} <= OPERATIONS.keys()


def test_the_readme_lists_every_operation_once() -> None:
    sections = [listed(heading) for heading in ("Supported", "Answered, without effect", "Refused")]
    assert set().union(*sections) == OPERATIONS.keys()
    assert sum(map(len, sections)) == len(OPERATIONS)


def test_an_operation_is_answered_exactly_if_the_readme_says_so() -> None:
    answered = {name for name in OPERATIONS.keys() - COMPOSED if is_answered(name)}
    assert answered == OPERATIONS.keys() - COMPOSED - listed("Refused")
