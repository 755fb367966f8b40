"""The views of the Architecture page: what a setup is made of, and what it costs."""
