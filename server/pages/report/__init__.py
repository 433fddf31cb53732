"""Saved reports of W&B: text, panels, run sets."""
