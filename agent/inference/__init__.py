"""Trained models at work: load one, and the masks that a run predicts."""
