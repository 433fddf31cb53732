"""Reads runs through the W&B API and writes tables and pictures; knows nothing of torch, agent or server."""

from common.cli import end_quietly


class AnalysisError(Exception):
    """An error that a person can mend, as one sentence; the commands print it and exit with 1."""


end_quietly()
