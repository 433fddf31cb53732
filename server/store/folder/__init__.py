"""The folder as a whole: open it, bring it to today's format, check, back up, collect garbage."""
