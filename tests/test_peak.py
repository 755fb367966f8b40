"""What formulas say of memory at its peak, beside what processes really take (Linux: /proc)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.engine.limits import SHARED, held_bytes
from tiny_llama.config import ModelConfig
from tiny_llama.peak import step_bytes
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads /proc"),
]

STEPS = """
import ctypes, gc, json, sys
from dataclasses import replace
import torch
from tiny_llama.checkpoint import new_trainer
from tiny_llama.config import ModelConfig
from tiny_llama.peak import step_bytes
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
torch.set_num_threads(1)
libc = ctypes.CDLL("libc.so.6")
libc.mallopt(-3, 131_072)  # so that what is freed goes back to the system
def field(name):
    return 1000 * next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name))
def peak(work):
    gc.collect(); libc.malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")
    before = field("VmRSS"); work()
    return field("VmHWM") - before
def measured(model, batch_size, tokenizer):
    few = TrainConfig(batch_size=batch_size, evaluate_texts=100, sample_tokens=2)
    setup = Setup(model=ModelConfig(**model), training=few, corpus="tales", tokenizer=tokenizer)
    run = new_trainer(setup)
    setup = replace(setup, model=run.model.config)
    run.skip_untrained()
    run.advance()
    run.advance()
    run.model.train()
    return peak(lambda: run._update(3)), step_bytes(setup), peak(run.evaluate)
print(json.dumps([measured(*case) for case in json.loads(sys.argv[1])]))
"""
SHAPE = {"context": 512, "n_layers": 4, "d_model": 48, "n_heads": 4}
CASES = [
    (SHAPE, 8, "characters"),
    (SHAPE | {"n_heads": 24}, 8, "characters"),
    (SHAPE | {"attention_softcap": 9.0}, 4, "characters"),
    (SHAPE | {"dropout": 0.1}, 4, "characters"),
    (SHAPE | {"position": "alibi", "logit_softcap": 9.0}, 4, "sentencepiece"),
    (SHAPE | {"feed_forward": "moe_swiglu"}, 4, "characters"),
]


@pytest.fixture(scope="module")
def peaks():
    """Give what a step takes, what the formula says, and what a look takes, for each case."""
    return json.loads(said_by(STEPS, json.dumps(CASES)))


def said_by(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_step_takes_no_more_than_the_formula_says_and_a_look_little(peaks, case):
    step, formula, look = peaks[case]
    assert 0.5 * formula < step < 1.1 * formula + 8_000_000
    assert look < 60_000_000


A_CLASS = """
import json, sys, time
from pathlib import Path
import torch
from explorer.engine import store
from explorer.engine.messages import Start
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.worker.live_runs import LiveRuns
from tiny_llama.setup import Setup
torch.set_num_threads(1)
def field(name):
    return 1000 * next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(name))
runs = LiveRuns(lambda message: None)
runs.warm_up()
before = field("VmData")
for name, setup in json.loads(sys.argv[1]).items():
    run = Run(id=name, setup=Setup.from_dict(setup), owner=name, folder=Path(sys.argv[2]) / name)
    store.write_record(run)
    start = Start(run=name, student=name, folder=str(run.folder), state=RunState.RUNNING)
    runs.start(start)()
most = 0
while any(run.trainer.next_step < 4 or run.untrained for run in runs._runs.values()):
    runs.train_a_slice()
    most = max(most, field("VmData") - before)
runs.save()
print(max(most, field("VmData") - before))
"""
"""Lets runs train until each has done some steps, been measured and been looked at untrained."""


def test_a_class_and_as_many_of_the_largest_runs_as_are_let_in_take_what_is_counted(tmp_path):
    quick = {"sample_tokens": 20, "evaluate_texts": 8}
    usual = Setup(training=TrainConfig(**quick))
    shape = ModelConfig(n_layers=4, d_model=200, n_heads=4, context=256)
    largest = Setup(model=shape, training=TrainConfig(batch_size=4, n_snapshots=32, **quick))
    setups = {f"usual{n:03}": usual for n in range(9)} | {f"large{n:03}": largest for n in range(2)}
    counted = sum(map(held_bytes, setups.values())) + step_bytes(largest)
    assert 0.8 * SHARED.training_bytes < counted <= SHARED.training_bytes
    as_plain = {name: setup.as_dict() for name, setup in setups.items()}
    took = int(said_by(A_CLASS, json.dumps(as_plain), str(tmp_path)))
    assert 0.8 * counted < took < 1.25 * counted
