"""Pure functions from arrays and plain values to pictures, each with words that say the same."""
