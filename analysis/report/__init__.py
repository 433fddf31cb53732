"""The report of a study: what was asked, what came out, what it cannot say; as one HTML file or as a W&B Report."""
