"""how tokens read from one another."""
