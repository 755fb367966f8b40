"""Fair comparisons: matched models, paired runs, verdicts, and laws fitted to many runs."""
