"""Runs from a server, as tidy tables."""
