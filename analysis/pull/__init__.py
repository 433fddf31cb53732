"""What a server holds about the runs asked for, as tidy tables."""
