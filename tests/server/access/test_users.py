"""Several people on one server: their keys, who they are, and what they may see and change."""

import contextlib
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from tests.server.running import Server

VIEWER = "query Viewer { viewer { username entity admin teams { edges { node { name } } } } }"


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def command(folder: Path, *words: str) -> Done:
    """`python -m server user …`, while the server of the folder is another process."""
    with contextlib.redirect_stdout(StringIO()) as out, contextlib.redirect_stderr(StringIO()) as err:
        code = main(["user", *words, "--dir", str(folder)])
    return Done(code, out.getvalue(), err.getvalue())


def added(folder: Path, name: str) -> str:
    """The key of a new user."""
    done = command(folder, "add", name)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def viewer(server: Server, key: str) -> tuple[int, Any]:
    status, answer = server.graphql(VIEWER, key=key)
    return status, answer.get("data", {}).get("viewer")


def test_a_user_added_while_the_server_runs_may_come_in_at_once_until_removed(server: Server) -> None:
    key = added(server.folder, "anna")
    me = {"username": "anna", "entity": "anna", "admin": False, "teams": {"edges": [{"node": {"name": "anna"}}]}}
    assert viewer(server, key) == (200, me)
    assert viewer(server, server.key)[1]["admin"] is True
    new = command(server.folder, "rotate", "anna").stdout.strip()
    assert (viewer(server, key)[0], viewer(server, new)[0]) == (401, 200)
    assert command(server.folder, "remove", "anna").returncode == 0
    assert viewer(server, new)[0] == 401


def test_users_are_found_by_a_part_of_their_name_in_either_case_the_one_of_that_name_first(server: Server) -> None:
    keys = {name: added(server.folder, name) for name in ("joanna", "Ann", "anna")}

    def found(query: str, key: str) -> list[str]:
        asked = "query SearchUsers($name: String) { users(query: $name) { edges { node { username } } } }"
        edges = server.graphql(asked, key=key, name=query)[1]["data"]["users"]["edges"]
        return [edge["node"]["username"] for edge in edges]

    try:
        assert found("ANN", server.key) == ["Ann", "anna", "joanna"]
        assert found("anna", server.key) == ["anna", "joanna"]
        assert found("loc", server.key) == ["local"]
        assert found("ann", keys["anna"]) == ["anna"], "who is no admin sees nobody else"
    finally:
        for name in keys:
            command(server.folder, "remove", name)


def test_a_user_whose_name_is_their_key_is_possible(server: Server) -> None:
    name = "user_gw0-" + "0123456789" * 4
    assert command(server.folder, "add", name, "--key", name).stdout.strip() == name
    assert viewer(server, name)[1]["entity"] == name
    assert command(server.folder, "remove", name).returncode == 0


def test_keys_are_kept_as_hashes_and_listed_by_their_beginning_only(server: Server) -> None:
    key = added(server.folder, "hidden")
    assert f"hidden (key {key[:12]}…): owner of hidden" in command(server.folder, "list").stdout.splitlines()
    for file in server.folder.glob("wandb.sqlite*"):
        assert key.encode() not in file.read_bytes()
    command(server.folder, "remove", "hidden")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "local"), "'local' already"),
        (("add", "a/b"), "which no name may have"),
        (("add", "short", "--key", "x" * 39), "at least 40"),
        (("remove", "nobody"), "no user 'nobody'"),
        (("rotate", "local"), "api-key of the folder"),
        (("grant", "nobody", "lab", "reader"), "no user 'nobody'"),
        (("revoke", "nobody", "lab"), "no user 'nobody'"),
    ],
)
def test_a_wrong_command_is_one_sentence(server: Server, words: tuple[str, ...], message: str) -> None:
    done = command(server.folder, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_a_server_is_one_sentence(tmp_path: Path) -> None:
    done = command(tmp_path / "typo", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a server's folder" in done.stderr
    assert not (tmp_path / "typo").exists()
