"""what keeps the residual stream's size in hand."""
