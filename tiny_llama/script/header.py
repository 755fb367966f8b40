"""What a script says of itself at its top, and where it differs from its setup."""

import textwrap
from collections.abc import Iterator

from tiny_llama.corpora import CORPORA, Task
from tiny_llama.setup import OWN_TEXT, Setup, setup_in_one_line
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.tokenizers.characters import MOST_CHARACTERS

SCRIPT_NAME = "my_model.py"
"""What the file is called in its own words; any name will do."""


def header(setup: Setup) -> str:
    """Write the script's docstring, without its quotes."""
    size, _, _ = setup_in_one_line(setup).rpartition(" · ")
    usage = (
        f"`python {SCRIPT_NAME} text.txt` learns from a UTF-8 text, or else from this very file. "
        "Weights start as in the setup's own run, under the same names; batches are others."
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
    if TOKENIZERS[setup.tokenizer].vocab_size_bounds and not isinstance(corpus, Task):
        yield (
            f"The setup cuts text by {TOKENIZERS[setup.tokenizer].title}, which PyTorch does not "
            f"have; here each character is a token, so losses do not compare."
        )
    elif setup.model.vocab_size > MOST_CHARACTERS + 1:
        yield (
            f"The setup's vocabulary has {setup.model.vocab_size:,} tokens; here each character "
            f"of the text is one."
        )
