"""How long the parts of a run take on this machine, measured before there is a run."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from tiny_llama.analyses import Found
from tiny_llama.data import TokenizedText
from tiny_llama.errors import TrainingError
from tiny_llama.generation import generate
from tiny_llama.model import TinyLlama
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import train_tokenizer
from tiny_llama.training import Trainer, texts_at_once

N_STEPS, N_TOKENS = 5, 8
"""Steps, and tokens of a sample, of which the quickest counts: others may have had the processor
meanwhile."""


def pace(*, setup: Mapping[str, Any]) -> Iterator[Found | None]:
    """Time a step, a look at held-out text and a sample of a run, without its text.

    What a text says changes no time, so the model learns from one that says nothing.

    Args:
        setup: a setup in plain values, with the vocabulary of its model.

    Yields:
        Nothing after each piece, then seconds: `step`, `look`, and `sample`.

    Raises:
        UserError: if the setup cannot be built.
    """
    wanted = Setup.from_dict(setup)
    model, training = wanted.model, wanted.training
    n_texts = min(training.evaluate_texts, texts_at_once(model))
    quiet = replace(
        training, steps=10 * N_STEPS, evaluate_every=0, evaluate_texts=n_texts, n_snapshots=0
    )
    quiet = replace(quiet, sample_every=0)
    nothing = "\0" * (20 * (model.context + n_texts + 1))
    corpus = TokenizedText("nothing", nothing, train_tokenizer("bytes", nothing))
    trainer = Trainer(TinyLlama(model), corpus, quiet)
    trainer.skip_untrained()
    steps = []
    try:
        for report in islice(trainer, N_STEPS):
            steps.append(report.seconds)
            yield None
    except TrainingError:  # it diverges at once, and its run will be as short
        pass
    began = time.perf_counter()
    trainer.evaluate()
    look = (time.perf_counter() - began) * training.evaluate_texts / n_texts
    yield None
    tokens = []
    began = time.perf_counter()
    try:
        for _ in generate(trainer.model.eval(), [0], SampleConfig(n_tokens=N_TOKENS)):
            tokens.append(time.perf_counter() - began)
            yield None
            began = time.perf_counter()
    except TrainingError:
        pass
    sample = training.sample_tokens * min(tokens, default=0.0)
    yield {"step": min(steps, default=0.0), "look": look, "sample": sample}
