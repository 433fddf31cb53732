"""`python -m server user`: people, their keys and rights. Works while the server runs; it sees the change at once."""

import argparse
import sys
import time

from common.cli import Parser
from server.commands import folder
from server.store import Connection, Refused, api_key, folder_transaction, logins, users

DESCRIPTION = """People who may use the server of a folder, beside its own user `local` (key in DIR/api-key), who may do
everything. Each has an entity of their own name; `grant` lets them read, or also write, another one. Works while the
server runs: it sees the change at once."""


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    with folder_transaction(options.dir) as db:
        options.act(db, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m server user", description=DESCRIPTION)
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, act: object, help: str, *positional: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=help, description=help)
        for word in positional:
            sub.add_argument(word.lower(), metavar=word)
        sub.add_argument("--dir", type=folder, required=True, help="the server's folder")
        sub.set_defaults(act=act)
        return sub

    key_help = "40 characters or more (default: a random one); a list of processes shows a key that is given here"
    action("add", _add, "a new user; prints the key, which is shown only now", "NAME").add_argument(
        "--key", help=key_help
    )
    action("list", _list, "all users with their rights")
    action("remove", _remove, "their key works no longer; their runs stay", "NAME")
    action("rotate", _rotate, "a new key in place of the old one; prints it", "NAME").add_argument(
        "--key", help=key_help
    )
    action("grant", _grant, "let them read an entity, or own it (read and write)", "NAME", "ENTITY").add_argument(
        "role", choices=users.ROLES
    )
    action("link", _link, "a link that logs a browser in, once, within a day", "NAME")
    action("revoke", _revoke, "take a granted right back", "NAME", "ENTITY")
    return parser


def _choose_key(options: argparse.Namespace) -> str:
    if options.key and options.key == api_key(options.dir):
        raise Refused("this is the key of the folder's own user; choose another one")
    return options.key or users.new_key()


def _add(db: Connection, options: argparse.Namespace) -> None:
    key = _choose_key(options)
    users.add(db, options.name, key, time.time())
    print(key)


def _rotate(db: Connection, options: argparse.Namespace) -> None:
    key = _choose_key(options)
    users.rotate(db, options.name, key)
    print(key)


def _list(db: Connection, options: argparse.Namespace) -> None:
    print(f"{users.LOCAL} (the folder's own key): everything")
    for person in users.all_users(db):
        rights = ", ".join(f"{role} of {entity}" for entity, role in sorted(person.roles.items()))
        print(f"{person.name} (key {person.key_id or ''}…): {rights}")


def _remove(db: Connection, options: argparse.Namespace) -> None:
    users.remove(db, options.name)


def _grant(db: Connection, options: argparse.Namespace) -> None:
    users.grant(db, options.name, options.entity, options.role)


def _revoke(db: Connection, options: argparse.Namespace) -> None:
    users.revoke(db, options.name, options.entity)


def _link(db: Connection, options: argparse.Namespace) -> None:
    """Print the link with the address of the running server; if none runs, only its last part."""
    key_hash = users.hash_key(api_key(options.dir)) if options.name == users.LOCAL else users.key_hash(db, options.name)
    token = logins.start(db, logins.LINK, key_hash, time.time())
    address = options.dir / "address"
    if not address.exists():
        print("no server is running on this folder: put the address of one that you start before this", file=sys.stderr)
    print(f"{address.read_text().strip() if address.exists() else ''}/login?once={token}")
