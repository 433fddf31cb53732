"""Errors of the store."""


class StoreError(Exception):
    """The folder cannot be used; the message is one sentence for a person."""


class NotFound(LookupError):
    """A thing that a request names does not exist; the message names it."""


class Refused(ValueError):
    """A request that cannot be carried out; the message has the reason."""
