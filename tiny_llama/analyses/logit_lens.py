"""What a model would say after each of its layers: the logit lens (nostalgebraist 2020)."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tiny_llama.analyses import Found
from tiny_llama.analyses.subject import Subject
from tiny_llama.generation import check_finite
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record

N_TOP = 3


@torch.no_grad()
def logit_lens(subject: Subject, *, text: str) -> Iterator[Found | None]:
    """Read a text and let every layer say what comes next.

    The rows are the embedding and each layer, `l` = n_layers + 1; the last one is the model itself.

    Yields:
        None after each row; at the end `tokens`; `ids`, `t`; `tops`, the likeliest tokens of each
        row and place, `l t 3` in lists, with their `top_probabilities`, `l t 3`; `entropies`, `l t`
        (nats); `final_ranks`, `l t`: how many tokens the row thinks at least as likely as the one
        that the model ends up with; `true_ranks`, `l t - 1`: the same of the token that follows;
        and `last_logits`, `l v`, after the last token.

    Raises:
        UserError: if the text has no token, or the model's scores are no finite numbers.
    """
    ids = subject.read(text)
    layers = _residuals(subject.model, ids)
    said = _said(subject.model, layers[-1])
    rows = []
    for residual in layers:
        rows.append(_row(subject, residual, ids, said))
        yield None
    yield {
        "tokens": subject.labels(ids),
        "ids": ids.numpy(),
        "tops": [row.pop("tops") for row in rows],
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
    }


@torch.no_grad()
def lens_logits(model: TinyLlama, ids: Tensor) -> Iterator[Tensor]:
    """Send the residual stream after the embedding and each layer through the model's own end.

    That end is the final norm where there is one (blocks with the norm behind have theirs inside),
    the unembedding and the soft-cap of the logits.

    Args:
        model: in evaluation mode.
        ids: what it reads, `t`.

    Yields:
        Logits, `t v`; the last ones are the model's own.
    """
    for residual in _residuals(model, ids):
        yield model.unembed(residual)[0]


NUMBERS_AT_ONCE = 1_000_000
"""Of logits: with a large vocabulary, some places at a time are looked at."""


def _residuals(model: TinyLlama, ids: Tensor) -> list[Tensor]:
    """Record the residual stream after the embedding and each layer, `1 t d` each."""
    layers = ["blocks.*.residual"] if model.config.n_layers else []
    with record(model, "embedded", *layers) as seen:
        model.read(ids[None])
    return list(seen.values())


def _pieces(model: TinyLlama, residual: Tensor) -> Iterator[Tensor]:
    """Yield a residual stream `1 t d`, some places at a time."""
    yield from residual.split(max(1, NUMBERS_AT_ONCE // model.config.vocab_size), dim=1)


def _said(model: TinyLlama, residual: Tensor) -> Tensor:
    """Find the tokens that the model ends up with, `t`."""
    said = []
    for piece in _pieces(model, residual):
        logits = model.unembed(piece)[0]
        check_finite(logits)
        said.append(logits.argmax(-1))
    return torch.cat(said)


def _row(subject: Subject, residual: Tensor, ids: Tensor, said: Tensor) -> Found:
    """Tell what one layer says at every place, some of them at a time."""
    parts, at = [], 0
    for piece in _pieces(subject.model, residual):
        end = at + piece.shape[1]
        logits = subject.model.unembed(piece)[0]
        parts.append(_part(subject, logits, said[at:end], ids[at + 1 : end + 1]))
        at = end
    *_, last = [part.pop("last_logits") for part in parts]
    tops = [top for part in parts for top in part.pop("tops")]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {"tops": tops, **joined, "last_logits": last}


def _part(subject: Subject, logits: Tensor, said: Tensor, following: Tensor) -> Found:
    probabilities = logits.softmax(-1)
    top = probabilities.topk(min(N_TOP, probabilities.shape[-1]))
    return {
        "tops": [subject.labels(each) for each in top.indices],
        "top_probabilities": top.values.numpy(),
        "entropies": torch.special.entr(probabilities).sum(-1).numpy(),
        "final_ranks": _ranks(logits, said),
        "true_ranks": _ranks(logits[: len(following)], following),
        "last_logits": logits[-1].numpy().copy(),  # the rest of them need not be kept
    }


def _ranks(logits: Tensor, tokens: Tensor) -> np.ndarray:
    """Rank the token of each place: 1 for the likeliest."""
    return (logits >= logits.gather(1, tokens[:, None])).sum(-1).numpy().astype(np.int64)
