"""Four notebooks that read a study through the API, their functions, and the command that writes and runs them."""
