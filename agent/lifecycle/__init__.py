"""The life of a run: plan, folder, preflight, resume, state, checkpoints, interruption, failures."""
