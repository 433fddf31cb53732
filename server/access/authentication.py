"""The user behind a request: by its key, or by the login of a browser."""

from server.access.signatures import is_same_key, parse_authorization
from server.settings import Settings
from server.store import Store, logins, users
from server.store.users import Person


def recognise(store: Store, settings: Settings, authorization: str | None) -> Person | None:
    """The person with the key in an Authorization header; None for a stranger."""
    return by_key(store, settings, parse_authorization(authorization))


def by_key(store: Store, settings: Settings, key: str) -> Person | None:
    return users.ADMIN if is_same_key(key, settings.api_key) else users.by_key(store.db, key)


def by_session(store: Store, settings: Settings, token: str) -> Person | None:
    """The person whose browser holds the token of a valid login; None without one."""
    key_hash = logins.key_hash(store.db, token, logins.SESSION, store.clock())
    if key_hash is None:
        return None
    if is_same_key(key_hash, users.hash_key(settings.api_key)):
        return users.ADMIN
    return users.by_key_hash(store.db, key_hash)
