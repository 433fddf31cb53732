"""What the store raises."""


class StoreError(Exception):
    """The folder cannot be used; the message is one sentence for a person."""


class NotFound(LookupError):
    """What a request names does not exist; the message says what."""


class Refused(ValueError):
    """A request that cannot be carried out; the message says why."""
