"""Where runs live: `server` is what pages call, `worker` holds the tensors in a process of its own.

What stands here belongs to both: messages and their frames, run folders, limits, how a run stands.
"""
