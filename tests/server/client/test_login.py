"""Identity of a client: keys from netrc and from the environment, the viewer, wrong keys."""

import json
from typing import Any

import pytest

from tests.server.running import Client, Server

BARE = ("env", "-u", "WANDB_API_KEY", "-u", "WANDB_BASE_URL")
WHO = """
import json, wandb
api = wandb.Api()
with wandb.init(project="login", id="mine") as run:
    run.log({"x": 1})
print(json.dumps([api.viewer.username, api.viewer.entity, api.default_entity, run.entity, run.url]))
"""
WRONG = """
import json, time, wandb
out = []
for call in (lambda: wandb.init(project="login"), wandb.Api):
    start = time.monotonic()
    try:
        call()
        out.append(["accepted", 0])
    except wandb.Error as error:
        out.append([str(error), time.monotonic() - start])
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def logged_in(client: Client) -> Client:
    """A client whose key is in its own netrc only."""
    words = ("wandb", "login", "--relogin", "--verify", "--host", client.server.url, client.server.key)
    code, output = client.command(*BARE, *words, WANDB_SILENT="false")
    assert code == 0, output
    assert "local" in output
    return client


def test_after_login_a_run_needs_neither_key_nor_server_in_the_environment(logged_in: Client, server: Server) -> None:
    code, output = logged_in.command(*BARE, "python", "-c", WHO)
    assert code == 0, output
    found = json.loads(output.splitlines()[-1])
    assert found == ["local", "local", "local", "local", f"{server.url}/local/login/runs/mine"]


def test_a_wrong_key_fails_at_once_with_the_servers_reason(client: Client) -> None:
    found: Any = client.run(WRONG, WANDB_API_KEY="x" * 40)
    assert all("invalid API key" in message for message, _ in found), found
    assert all(seconds < 10 for _, seconds in found), "5xx would be repeated for minutes"
