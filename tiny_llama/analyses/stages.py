"""How one token of one head comes to its reading, in stages: every number on the way."""

import numpy as np
import torch

from tiny_llama.analyses import Found
from tiny_llama.analyses.heads import check_layer
from tiny_llama.analyses.subject import Subject
from tiny_llama.tap import record

_TAPS = ["query", "key", "value", "rotated_query", "rotated_key"]
_TAPS += ["scores", "masked_scores", "pattern", "heads"]


@torch.no_grad()
def stages(subject: Subject, *, text: str, layer: int, head: int, reader: int) -> Found:
    """Follow one token's reading from its query to its output.

    Args:
        subject: the model.
        text: what it reads.
        layer: which layer, from 0.
        head: which head, from 0.
        reader: which token reads, from 0.

    Returns:
        For the reader: `query`, `rotated_query` and `output`, `e`. For every source of the text:
        `keys`, `rotated_keys` and `values`, `s e`; `unrotated`, q·k before the position turns
        either; `products`, q·k as it counts; `scaled`, divided by sqrt(e); `capped`, after the soft
        cap, if there is one; `biased`, with what the position adds; `masked`, -inf where nothing
        may be read; and `pattern`, all `s`. Plain: `d_head`, `softcap`.

    Raises:
        ConfigError: if the model has no such layer, head or attention.
        TextError: if the text has no token.
    """
    check_layer(subject, layer, head)
    config = subject.model.config
    ids = subject.read(text)
    reader = max(0, min(reader, len(ids) - 1))
    path = f"blocks.{layer}.attention."
    with record(subject.model, *(path + name for name in _TAPS)) as seen:
        subject.model(ids[None])
    group = head * config.kv_heads // config.n_heads
    shared = {"key", "value", "rotated_key"}  # by the heads of a group
    mine = {name: seen[path + name][0, group if name in shared else head] for name in _TAPS}
    scaled = mine["scores"][reader]
    capped = scaled if config.attention_softcap is None else _capped(subject, scaled)
    bias = subject.model.position.bias(len(ids))
    found = {
        "query": mine["query"][reader],
        "rotated_query": mine["rotated_query"][reader],
        "output": mine["heads"][reader],
        "keys": mine["key"],
        "rotated_keys": mine["rotated_key"],
        "values": mine["value"],
        "unrotated": mine["key"] @ mine["query"][reader],
        "products": mine["rotated_key"] @ mine["rotated_query"][reader],
        "scaled": scaled,
        "capped": capped,
        "biased": capped if bias is None else capped + bias[head, reader],
        "masked": mine["masked_scores"][reader],
        "pattern": mine["pattern"][reader],
    }
    return {
        "tokens": subject.labels(ids),
        "reader": reader,
        "d_head": config.head_width,
        "softcap": config.attention_softcap,
        "has_bias": bias is not None,
        **{name: np.ascontiguousarray(value.numpy()) for name, value in found.items()},
    }


def _capped(subject: Subject, scores: torch.Tensor) -> torch.Tensor:
    cap = subject.model.config.attention_softcap
    assert cap is not None
    return cap * torch.tanh(scores / cap)
