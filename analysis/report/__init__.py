"""The report of a study: question, result, limits; as one HTML file or as a W&B Report."""
