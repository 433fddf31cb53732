"""A project sent to another W&B server: `runs`, `sweeps`, `artifacts`, by way of `remote`."""
