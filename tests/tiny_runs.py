"""Runs of a second or less, and how to wait for what becomes of them."""

import os
import signal
import time
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig

TEXT = "the cat sat on the mat and the dog ran to the log. " * 60
MODEL = ModelConfig(context=16, n_layers=1, d_model=16, n_heads=2)
SETUP = Setup(
    model=MODEL,
    training=TrainConfig(steps=40, batch_size=4),
    corpus=OWN_TEXT,
    tokenizer="characters",
)
ENDLESS = replace(SETUP, training=replace(SETUP.training, steps=50_000))
PATIENCE = 120
"""Seconds; only a test that fails waits so long."""


def wait_for(condition, what=lambda: "it never came"):
    """Wait for something to become true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, what()
        time.sleep(0.01)
    return found


def wait_until(engine, run_id, *statuses):
    """Wait until a run stands like this."""
    run = engine.poll(run_id)
    wait_for(lambda: engine.poll(run_id).status in statuses, lambda: f"{run.status}: {run.message}")
    return run


def wait_for_steps(engine, ids, n_steps):
    """Wait until each of some runs has done so many steps."""
    wait_for(lambda: min(engine.poll(run_id).step for run_id in ids) >= n_steps)


def train_a_while(engine, **who):
    """Start a long run and return its id once it has done some steps and looked at step 0."""
    run_id = engine.start(ENDLESS, text=TEXT, **({"owner": "me"} | who))
    wait_for_steps(engine, [run_id], 20)
    wait_for(lambda: engine.poll(run_id).samples)
    return run_id


def kill_workers(engine):
    """Kill the workers, as the kernel does where memory is short."""
    for pid in engine.worker_pids:
        os.kill(pid, signal.SIGKILL)


class Clock:
    """A clock that goes on as a test says."""

    now = 0.0

    def monotonic(self):
        return self.now

    thread_time = monotonic
