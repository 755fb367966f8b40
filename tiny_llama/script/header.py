"""What a script says of itself at its top, and where it differs from its setup."""

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.cost import count_parameters
from tiny_llama.setup import OWN_TEXT, Setup, setup_in_one_line
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.tokenizers.characters import MOST_CHARACTERS
from tiny_llama.train_config import TrainConfig

SCRIPT_NAME = "my_model.py"
"""What the file is called in its own words; any name will do."""
LONGEST_CONTEXT = 32_768
"""For which the stories that a script makes up are long enough."""
MOST_PARAMETERS = 5_000_000
"""Of a model that is still tiny; the usual training settings are made for such."""
BY_SIZE = ("steps", "batch_size", "learning_rate", "warmup_steps")
"""Training settings that go with a model's size."""


def header(setup: Setup) -> str:
    """Write the script's docstring, without its quotes."""
    size, _, _ = setup_in_one_line(setup).rpartition(" · ")
    else_ = " (or else little stories)" if setup.model.context <= LONGEST_CONTEXT else ""
    usage = (
        f"`python {SCRIPT_NAME} text.txt 4` learns from a UTF-8 text{else_} on 4 threads (or else "
        f"one). {_weights(setup)}"
    )
    paragraphs = (
        f"In one file: {size}.",
        " ".join([usage, *differences(setup)]),
        "Letters in shapes: b text, t reader, s source, h head, g key/value head, e head width, "
        "d model width, f hidden width, v vocabulary.",
    )
    return "\n\n".join(textwrap.fill(each, 97) for each in paragraphs)


def differences(setup: Setup) -> Iterator[str]:
    """Say in sentences what the script does otherwise than the setup."""
    corpus = CORPORA.get(setup.corpus)
    if setup.corpus == OWN_TEXT:
        yield "The setup's text is your own: name its file."
    elif isinstance(corpus, Task):
        yield f"In the setup's task, {corpus.name}, only answers count; here every token does."
    elif corpus:
        yield f"The setup's text is the built-in corpus {corpus.name}."
    yield from _other_vocabulary(setup)
    yield from _tiny_training(setup)


def _weights(setup: Setup) -> str:
    """Say how the weights start, which depends on the size of the vocabulary."""
    if any(_other_vocabulary(setup)):
        return "Weights have the names of `tiny_llama`; their first values and batches are others."
    return (
        "Given the setup's text, weights start as in its run by `python -m tiny_llama train`, "
        "under the same names; batches are others."
    )


def _other_vocabulary(setup: Setup) -> Iterator[str]:
    """Say why the script's vocabulary is not the setup's, where it is not."""
    if TOKENIZERS[setup.tokenizer].vocab_size_bounds and not _is_task(setup):
        yield (
            f"The setup cuts text by {TOKENIZERS[setup.tokenizer].title}, which PyTorch does not "
            f"have; here each character is a token, so losses do not compare."
        )
    elif setup.model.vocab_size > MOST_CHARACTERS + 1:
        yield (
            f"The setup's vocabulary has {setup.model.vocab_size:,} tokens; here each character "
            f"of the text is one."
        )


def _tiny_training(setup: Setup) -> Iterator[str]:
    """Say which training settings are still a tiny model's, where the model is none."""
    model = replace(setup.model, vocab_size=ModelConfig.vocab_size)
    usual = TrainConfig()
    kept = [each for each in BY_SIZE if getattr(setup.training, each) == getattr(usual, each)]
    if kept and count_parameters(model) > MOST_PARAMETERS:
        yield (
            f"Not as published, but as for a tiny model: {', '.join(kept).upper()}. A model of "
            "this size usually learns at a lower rate, from far more tokens a step, for far longer."
        )


def _is_task(setup: Setup) -> bool:
    return isinstance(CORPORA.get(setup.corpus), Task)
