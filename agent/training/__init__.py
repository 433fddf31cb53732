"""What trains: loader, loop, metrics, BatchNorm statistics, performance, models."""
