"""Agreements of all rooms: it imports nothing of the project."""
