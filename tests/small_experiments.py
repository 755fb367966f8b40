"""Experiments of a second or two, and what their runs have written."""

from dataclasses import replace

from tiny_llama.comparing.plan import Plan, Side, write_plan
from tiny_llama.comparing.running import Texts
from tiny_llama.config import ModelConfig
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig

SONG = "The cat sat on the mat, and the dog ran to the log. " * 40
HEAD = 'title = "Two norms"\ntext = "song.txt"\nseeds = 2\n'
SETTINGS = """
[settings]
n_layers = 1
d_model = 16
n_heads = 2
context = 16
batch_size = 4
steps = 6
warmup_steps = 2
evaluate_every = 2
evaluate_texts = 4
sample_tokens = 2
"""
SIDES = "[sides.rms]\n[sides.layer]\nnorm = 'layernorm'\n"
PAIR = HEAD + SETTINGS + SIDES


def an_experiment(folder, *, steps=5, **more):
    """Write a plan of two sides and two seeds on a task; give it with its texts."""
    model = ModelConfig(n_layers=1, d_model=16, n_heads=2, context=32)
    training = TrainConfig(
        steps=steps,
        batch_size=4,
        warmup_steps=1,
        evaluate_every=steps // 2,
        evaluate_texts=4,
        sample_tokens=1,
    )
    setup = Setup(model=model, training=training, corpus="copy")
    texts = Texts(folder)
    one = texts.vocabulary(setup)
    other = texts.vocabulary(replace(setup, model=replace(model, norm="layernorm")))
    usual = {"seeds": (0, 1), "comparisons": (("b", "a"),), "learning_rates": (0.001, 0.01)}
    sides = {"a": Side(setup=one), "b": Side(setup=other)}
    plan = Plan(title="", sides=sides, **{**usual, **more})
    write_plan(folder, plan)
    return plan, texts


def written(folder):
    """Give all that runs have written that counts: their rows without times, their weights."""
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        kept = [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(place)]
        found[place.name] = (kept, (place / "model.safetensors").read_bytes())
    return found
