"""What a model expects at every place of a text, and what surprises it."""

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.cutting import are_unknown, spelled_in_bytes
from tiny_llama.analyses.subject import Subject


@torch.no_grad()
def reading(subject: Subject, *, text: str) -> Found:
    """Read a text as every analysis of it does.

    Returns:
        `tokens`; `ids`, `t`; `n_left_out`, how many more tokens the text has than the model reads;
        `n_unknown`, how many of those read stand for a character that the tokenizer does not know;
        `in_bytes`, the characters among them that are spelled in bytes for want of a piece;
        and for each token but the first, `t - 1`: `losses`, -ln of the probability that the model
        gave it (nats); `ranks`, how many tokens it thought at least as likely (1: its first
        guess); `entropies` of what it expected (nats); and `counts`, whether the token counts when
        the model is judged: in a task, only those of answers do. `note` says what of the model's
        folder was damaged, so that another of its checkpoints has read the text.

    Raises:
        TextError: if the text has no token.
    """
    every = subject.read_all(text)
    ids = every[: subject.most_tokens]
    logits = subject.model(ids[None])[0, :-1]
    log_probabilities = logits.log_softmax(-1)
    true = log_probabilities.gather(1, ids[1:, None])
    entropies = -(log_probabilities.exp() * log_probabilities).sum(-1)
    return {
        "tokens": subject.labels(ids),
        "ids": ids.numpy(),
        "note": subject.note,
        "n_left_out": len(every) - len(ids),
        "n_unknown": sum(are_unknown(subject.tokenizer, ids.tolist())),
        "in_bytes": spelled_in_bytes(subject.tokenizer, ids.tolist()),
        "losses": -true[:, 0].numpy(),
        "ranks": (log_probabilities >= true).sum(-1).numpy().astype(np.int64),
        "entropies": entropies.numpy(),
        "counts": subject.counts(text, ids)[1:].numpy(),
    }
