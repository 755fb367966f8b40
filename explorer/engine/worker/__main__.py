"""Start a worker: `python -m explorer.engine.worker`, which is what the server does."""

import os
import signal
import sys
import threading
from contextlib import suppress

import torch

from explorer.engine.limits import limits
from explorer.engine.worker.serving import Worker
from tiny_llama.tokenizers.alone import hold_to
from tiny_llama.tokenizers.learning import learn_apart

THREAD_BYTES = 1 << 20
"""Of stack for each thread beside: the usual eight megabytes count with what may be held."""
SWITCH_SECONDS = 0.0001
"""After which a thread beside lets that of the runs have the interpreter again, which PyTorch gives
up in each operation: a text that is cut beside slows training to a half, and at Python's own 0.005
to a sixth."""


def main() -> None:
    """Serve over standard input and output, on one thread, with manners."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; its end is ours
    if hasattr(os, "nice"):
        os.nice(10)
    torch.set_num_threads(1)
    threading.stack_size(THREAD_BYTES)
    sys.setswitchinterval(SWITCH_SECONDS)
    hold_to(limits().process_bytes)
    with suppress(BrokenPipeError), os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        worker = Worker(sys.stdin.buffer, answers)
        learn_apart(limits().learning, worker.lane.turn)
        worker.serve()


if __name__ == "__main__":
    main()
