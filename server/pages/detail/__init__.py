"""Pages of single things: a run with its tabs, an artifact, a file."""
