"""Where a text surprises a model, and what the model expected instead."""

import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.reading import reading
from tiny_llama.analyses.subject import Subject
from tiny_llama.generation import check_finite


@torch.no_grad()
def surprise(subject: Subject, *, text: str) -> Found:
    """Read a text and compare each token with what the model expected there.

    Returns:
        What `reading` gives; and for each token but the first, `t - 1`: `guesses`, what the
        likeliest token reads as, with `guess_probabilities`; and `n_bytes`, of UTF-8, for which
        the token stands.

    Raises:
        UserError: if the text has fewer than two tokens, or the model's scores are no finite
            numbers.
    """
    ids = subject.read(text, fewest=2)
    logits = subject.model(ids[None])[0, :-1]
    check_finite(logits)
    guesses = logits.softmax(-1).max(-1)
    return {
        **reading(subject, text=text),
        "guesses": subject.labels(guesses.indices),
        "guess_probabilities": guesses.values.numpy(),
        "n_bytes": subject.tokenizer.byte_lengths()[ids[1:].numpy()],
    }
