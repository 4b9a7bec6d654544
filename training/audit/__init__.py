"""The fairness audit: whom the model misses, and where it sends police without need."""
