"""The pictures of a study: curves, intervals, masks with their errors, the hardest images."""
