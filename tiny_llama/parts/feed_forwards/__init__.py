"""what each token computes on its own."""
