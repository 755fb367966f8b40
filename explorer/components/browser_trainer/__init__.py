"""Training in the student's own browser: the engine, in C, and what it is told of a setup."""
