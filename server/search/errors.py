"""The one exception of this package."""


class SearchError(ValueError):
    """A sweep configuration that cannot work: one sentence that says what, where and how to fix it."""
