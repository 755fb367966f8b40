"""The Home page: LLaMA at a glance, its published numbers, how it was trained, what led to it."""
