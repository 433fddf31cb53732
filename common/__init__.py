"""Agreements of all packages: it imports nothing of the project."""
