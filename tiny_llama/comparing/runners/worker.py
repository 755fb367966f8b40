"""A process that does runs, one after another: `python -m tiny_llama.comparing.runners.worker`.

Each line of standard input is an order, each line of standard output the answer: why the run
cannot be done, or nothing. When standard input ends, because the runs are to stop or whoever
ordered them was killed, the run that is being done is kept, and the process ends.
"""

import json
import sys
from collections.abc import Iterable
from queue import SimpleQueue
from threading import Event, Thread

import torch

from tiny_llama.comparing.runners.order import carry_out

END = ""


def main(threads: int) -> None:
    """Carry out orders until there are no more."""
    torch.set_num_threads(threads)
    orders: SimpleQueue[str] = SimpleQueue()
    stopped = Event()
    Thread(target=_listen, args=(sys.stdin, orders, stopped), daemon=True).start()
    for order in iter(orders.get, END):
        answer = carry_out(json.loads(order), stopped)
        if not stopped.is_set():
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _listen(lines: Iterable[str], orders: "SimpleQueue[str]", stopped: Event) -> None:
    for line in lines:
        orders.put(line)
    stopped.set()
    orders.put(END)


if __name__ == "__main__":
    main(int(sys.argv[1]))
