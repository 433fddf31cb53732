"""What a search found: importance, equal budgets, plots."""
