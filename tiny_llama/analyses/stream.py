"""The residual stream: how long its vectors are, and what each part adds to them."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tiny_llama.analyses import Found
from tiny_llama.analyses.places import stream_places
from tiny_llama.analyses.subject import Subject
from tiny_llama.tap import record


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The residual stream of a model that read a text."""

    values: Tensor
    """Embedded, then after each part, `p t d` with p = 1 + 2 n_layers."""
    given: Tensor
    """What each part gave, attention and feed-forward in turn, `p-1 t d`."""
    added: Tensor
    """What of it was added, after a norm on the part's output if there is one, `p-1 t d`."""


@torch.no_grad()
def read_stream(subject: Subject, ids: Tensor) -> Stream:
    """Let a model read ids, `t`, and keep its residual stream."""
    blocks = [f"blocks.{layer}" for layer in range(subject.model.config.n_layers)]
    places = [f"{block}.{tap}" for block in blocks for tap in ("residual_middle", "residual")]
    parts = [f"{block}.{part}" for block in blocks for part in ("attention", "feed_forward")]
    normed = [f"{part}_output_norm" for part in parts]
    with record(subject.model, "embedded", *places, *parts, *normed) as seen:
        subject.model(ids[None])
    values = torch.cat([seen["embedded"], *(seen[path] for path in places)])
    given, added = (
        torch.cat([values[:0], *(seen[f"{path}{ending}"] for path in parts)])
        for ending in ("", "_output_norm")
    )
    return Stream(values=values, given=given, added=added)


def stream(subject: Subject, *, text: str) -> Found:
    """Measure the residual stream along the layers.

    Returns:
        `tokens`; `places`, what stands where, `p`; `lengths`, |x| of every token at every place,
        `p t`; of each part, `p-1 t`: `added`, the length of what it adds; `shares`, that as a
        share of the length before; `cosines`, between what it adds and what was there; and
        `last`, the stream after the last part, `t d`.

    Raises:
        TextError: if the text has no token.
    """
    ids = subject.read(text)
    found = read_stream(subject, ids)
    lengths, added = found.values.norm(dim=-1), found.added.norm(dim=-1)
    return {
        "tokens": subject.labels(ids),
        "places": stream_places(subject.model.config),
        "lengths": lengths.numpy(),
        "added": added.numpy(),
        "shares": (added / lengths[:-1]).numpy(),
        "cosines": F.cosine_similarity(found.values[:-1], found.added, dim=-1).numpy(),
        "last": found.values[-1].numpy().copy(),
    }
