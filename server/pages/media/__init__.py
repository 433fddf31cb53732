"""Media of runs: images with masks, tables, histograms, sounds."""
