"""What the Scaling page shows: the published laws on a map, and laws of our own tiny models."""
