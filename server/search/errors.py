"""The one exception of this package."""


class SearchError(ValueError):
    """A sweep configuration that cannot work: one sentence with fault, place and remedy."""
