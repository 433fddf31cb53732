"""Learning curves: overfitting."""
