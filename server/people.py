"""Whose key a request brings."""

from server.security import key_in, same
from server.settings import Settings
from server.store import Store, users
from server.store.users import Person


def recognise(store: Store, settings: Settings, authorization: str | None) -> Person | None:
    """The person with the key in an Authorization header; None for a stranger."""
    key = key_in(authorization)
    if same(key, settings.api_key):
        return users.ADMIN
    return users.by_key(store.db, key)
