"""The comparison as tables to read, in four formats."""
