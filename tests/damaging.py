"""Ways to damage a run folder, and a run that is worth damaging."""

import json
from dataclasses import replace
from itertools import islice

from safetensors.torch import save_file
from tiny_runs import MODEL

from tiny_llama.checkpoint import new_trainer, prepare_corpus, start_folder
from tiny_llama.corpora import own_text
from tiny_llama.metrics import METRICS, read_metrics
from tiny_llama.recording import Recorder
from tiny_llama.setup import OWN_TEXT, SETUP, Setup
from tiny_llama.tensor_files import load_tensors
from tiny_llama.train_config import TrainConfig

TEXT = own_text("the cat sat on the mat and the dog ran to the log. " * 60)
TRAINING = TrainConfig(steps=20, batch_size=4, sample_tokens=5, evaluate_every=5, n_snapshots=4)
RUN = Setup(model=MODEL, training=TRAINING, corpus=OWN_TEXT, tokenizer="characters")


def record(folder, setup=RUN, *, reports=(9, 4), text=TEXT):
    """Train in a folder, with a checkpoint after so many reports, and after so many more."""
    run = new_trainer(setup, prepare_corpus(setup, text))
    start_folder(folder, setup, run, text)
    recorder = Recorder(folder, run)
    for n in reports:
        for report in islice(run, n):
            recorder.keep(report)
        recorder.checkpoint()
    return run


def other_run(folder):
    """Train a run of the same shape that learns otherwise, from other words in the same letters."""
    training = replace(TRAINING, learning_rate=1e-3, seed=1)
    text = own_text(TEXT.text().replace("cat sat on the mat", "mat sat on the cat"))
    return record(folder, replace(RUN, training=training), text=text)


def flip(path, at, bit=0):
    """Let one bit of a file be the other one."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def make_older(folder):
    """Take all digests out of a run folder, as it was written before there were any."""
    for path in (folder / SETUP, folder / "tokenizer.json"):
        stored = json.loads(path.read_text())
        path.write_text(json.dumps({key: it for key, it in stored.items() if key != "digest"}))
    for path in folder.rglob("*.safetensors"):
        rewrite(path)
    rows = read_metrics(folder)
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def rewrite(path, change=lambda tensors: None, **said):
    """Write a safetensors file anew, changed, and without a digest."""
    tensors, about = load_tensors(path)
    change(tensors)
    kept = {name: about[name] for name in ("step", "next_step") if name in about}
    save_file(tensors, path, kept | said)


def edit(path, **settings):
    """Change settings of the model in a `setup.json`, as somebody with an editor would."""
    stored = json.loads(path.read_text())
    stored["model"] |= settings
    path.write_text(json.dumps(stored))
