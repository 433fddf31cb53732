"""Four notebooks that read a study through the API, what they show it with, and what writes and runs them."""
