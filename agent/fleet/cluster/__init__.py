"""Clusters that a fleet hands its trials to."""
