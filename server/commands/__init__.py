"""`python -m server NAME …`: each module has `main(arguments) -> int`, the exit code."""
