"""Learning curves: overfitting, and what augmentation did to it."""
