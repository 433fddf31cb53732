"""Results of a search: importance, equal budgets, plots."""
