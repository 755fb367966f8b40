"""Runners that do several runs at once."""
