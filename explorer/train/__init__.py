"""What the Train page shows: the form, the live run, and what was measured."""
