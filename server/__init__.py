"""The embedded server that the unmodified wandb client talks to; see README.md."""
