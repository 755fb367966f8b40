"""What runs in a worker process, the only part of the app that imports PyTorch.

Nobody imports it: the server starts it as `python -m explorer.engine.worker`.
"""
