"""Older releases of the wandb client, each in an environment of its own; `python -m bench.clients` drives a dozen."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import clients as bench
from server import clients
from tests.server.readme import listed
from tests.server.running import Server

RELEASES = (clients.OLDEST, "0.24.2", clients.NEWEST)


@pytest.fixture(scope="module")
def installed() -> tuple[str, ...]:
    """The releases, installed into `.cache/clients` where they are not there yet."""
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(bench.install, RELEASES))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"pip cannot install these releases here: {(error.stderr or '').strip().splitlines()[-1:]}")
    return RELEASES


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_oldest_a_middle_and_the_newest_release_do_everything_a_person_does(installed: tuple[str, ...]) -> None:
    with ThreadPoolExecutor(len(installed)) as pool:
        results = dict(zip(installed, pool.map(bench.drive, installed), strict=True))
    assert {release: {s: p for s, p in steps.items() if p} for release, steps in results.items()} == {
        release: {} for release in installed
    }
    assert {len(steps) for steps in results.values()} == {12}


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_what_a_release_can_ask_is_answered_or_listed_as_refused(installed: tuple[str, ...], release: str) -> None:
    assert release in installed
    refused = bench.invalid_operations(release)
    assert refused.keys() <= listed("Refused") | listed("Refused to older releases")
    assert not any(name in listed("Supported") for name in refused)


@pytest.mark.parametrize("kind", ["Internal", "Public"])
def test_a_client_that_is_too_old_hears_so_in_one_sentence(server: Server, kind: str) -> None:
    def viewer(agent: str) -> tuple[int, str]:
        body = b'{"query": "{ viewer { username } }"}'
        status, answer = server.send(
            "POST", "/graphql", body, Authorization=server.basic(), User_Agent=agent, Content_Type="application/json"
        )
        return status, answer.decode()

    status, answer = viewer(f"W&B {kind} Client 0.16.6")
    assert status == 200
    assert '"message":"wandb 0.16.6 is too old' in answer
    for agent in (f"W&B {kind} Client {clients.OLDEST}", f"W&B {kind} Client 1.0.0", "wandb-core", ""):
        assert viewer(agent) == (200, '{"data":{"viewer":{"username":"local"}}}')
