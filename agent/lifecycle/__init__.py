"""What a run goes through: preflight, lock, state, checkpoints, interruption, failures, clean-up."""
