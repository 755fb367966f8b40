"""Any activations of a model that reads a text, by path: the general analysis."""

from collections.abc import Sequence

import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.tap import record


@torch.no_grad()
def trace(subject: Subject, *, text: str, patterns: Sequence[str]) -> Found:
    """Read a text and hand out the activations asked for, without their batch axis.

    Args:
        subject: the model.
        text: what it reads, at most its context.
        patterns: paths of activations; see `tiny_llama.tap.record`.

    Returns:
        `tokens`, `ids` (`t`), and each activation under its path, `t d` or `h t e` or `h t s`.

    Raises:
        TextError: if the text has no token.
        KeyError: if a pattern matches no path of the model.
    """
    ids = subject.read(text)
    with record(subject.model, *patterns) as seen:
        subject.model(ids[None])
    return {
        "tokens": subject.labels(ids),
        "ids": ids.numpy(),
        **{path: tensor[0].numpy() for path, tensor in seen.items()},
    }
