"""The `parameters:` of a sweep: how each is written, the values that it takes, and their types."""
