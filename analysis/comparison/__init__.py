"""Runs → rows of models, with what they can prove."""
