"""Charts as SVG text, and the numbers in them."""
