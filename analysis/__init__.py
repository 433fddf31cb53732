"""Reads runs through the W&B API and writes tables and pictures; knows nothing of torch, agent or server."""


class AnalysisError(Exception):
    """What a person has to know and do, in one sentence; the commands print it and exit with 1."""
