"""Training: loader, loop, metrics, BatchNorm statistics, performance, models."""
