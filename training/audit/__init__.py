"""Whom the model misses, whom it sends police to, and whether the difference is real."""
