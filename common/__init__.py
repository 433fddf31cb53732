"""What every room agrees on: it imports nothing of the project."""
