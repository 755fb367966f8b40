"""What formulas say of memory at its peak, beside what a process really takes (Linux: /proc)."""

import subprocess
import sys
from pathlib import Path

import pytest

STEPS = """
import ctypes, gc, sys
from dataclasses import replace
import torch
from tiny_llama.checkpoint import new_trainer
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.peak import reading_bytes, step_bytes
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import texts_at_once
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
model = eval(sys.argv[1])
few = TrainConfig(batch_size=int(sys.argv[2]), evaluate_texts=100, sample_tokens=2)
setup = Setup(model=model, training=few, corpus="tales", tokenizer=sys.argv[3])
run = new_trainer(setup)
setup = replace(setup, model=run.model.config)
run.skip_untrained()
run.advance()
run.advance()
run.model.train()
print(peak(lambda: run._update(3)), step_bytes(setup), peak(run.evaluate))
"""
SHAPE = "ModelConfig(context=512, n_layers=4, d_model=48, n_heads=%d%s)"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("model", "batch_size", "tokenizer"),
    [
        (SHAPE % (4, ""), 8, "characters"),
        (SHAPE % (24, ""), 8, "characters"),
        (SHAPE % (4, ", attention_softcap=9.0"), 4, "characters"),
        (SHAPE % (4, ", dropout=0.1"), 4, "characters"),
        (SHAPE % (4, ", position='alibi', logit_softcap=9.0"), 4, "sentencepiece"),
        (SHAPE % (4, ", feed_forward='moe_swiglu'"), 4, "characters"),
    ],
)
def test_a_step_takes_no_more_than_the_formula_says_and_a_look_little(model, batch_size, tokenizer):
    said = subprocess.run(
        [sys.executable, "-c", STEPS, model, str(batch_size), tokenizer],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    step, formula, look = map(int, said.split())
    assert 0.5 * formula < step < 1.1 * formula + 8_000_000
    assert look < 60_000_000
