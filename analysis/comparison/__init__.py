"""Runs → rows of models, with their evidence."""
