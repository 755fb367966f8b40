"""Start a worker: `python -m explorer.engine.worker`, which is what the server does."""

import os
import signal
import sys
from contextlib import suppress

import torch

from explorer.engine.limits import limits
from explorer.engine.worker.serving import Worker
from tiny_llama.tokenizers.alone import hold_to
from tiny_llama.tokenizers.learning import learn_apart


def main() -> None:
    """Serve over standard input and output, on one thread, with manners."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; its end is ours
    if hasattr(os, "nice"):
        os.nice(10)
    torch.set_num_threads(1)
    hold_to(limits().process_bytes)
    learn_apart(limits().learning)
    with suppress(BrokenPipeError), os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        Worker(sys.stdin.buffer, answers).serve()


if __name__ == "__main__":
    main()
