"""Reads runs through the W&B API and writes tables and pictures; knows nothing of torch, agent or server."""


class AnalysisError(Exception):
    """An error that a person can mend, as one sentence; the commands print it and exit with 1."""
