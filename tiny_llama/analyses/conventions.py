"""The two layouts of RoPE's pairs, tried out on a trained head."""

from copy import deepcopy

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tiny_llama.analyses import Found
from tiny_llama.analyses.rotary import turned_head
from tiny_llama.analyses.rotary_theory import to_interleaved, turned_interleaved
from tiny_llama.analyses.subject import Subject
from tiny_llama.generation import check_finite
from tiny_llama.model import TinyLlama
from tiny_llama.parts.attentions.attention import Attention


def conventions(subject: Subject, *, text: str, layer: int, head: int) -> Found:
    """Turn a head's queries in both conventions, and run the model with the wrong one.

    Returns:
        `order`, `e`, by which rotate-half's coordinates stand in the interleaved layout;
        `query`, the last token's, in rotate-half's layout, before it is turned, and its turned
        forms `half` (by the running model) and `interleaved` (in that layout), all `e`;
        `difference`, the largest one between the two after reordering, over all queries and keys;
        `score_difference`, the largest one between their scores; and `loss`, with `mixed_loss`,
        when the rows of the weights stand in the interleaved order but the code turns the other
        pairs (nats a token).

    Raises:
        UserError: if the model has no such head or no RoPE, or the text has fewer than two tokens.
    """
    ids = subject.read(text, fewest=2)
    found = turned_head(subject, text=text, layer=layer, head=head)
    turns, places = found["frequencies"], np.arange(len(found["query"]))
    order = to_interleaved(found["query"].shape[-1])
    q, k = (
        turned_interleaved(found[name][:, order].astype(np.float64), places, turns)
        for name in ("query", "key")
    )
    pairs = ((q, found["rotated_query"]), (k, found["rotated_key"]))
    scores = found["rotated_query"] @ found["rotated_key"].T
    return {
        "order": order,
        "query": found["query"][-1],
        "half": found["rotated_query"][-1],
        "interleaved": q[-1].astype(np.float32),
        "place": int(places[-1]),
        "frequencies": turns,
        "difference": max(float(np.abs(a - b[:, order]).max()) for a, b in pairs),
        "score_difference": float(np.abs(q @ k.T - scores).max()),
        "loss": _loss(subject.model, ids),
        "mixed_loss": _loss(with_rows_interleaved(subject.model), ids),
    }


def with_rows_interleaved(model: TinyLlama) -> TinyLlama:
    """Copy a model so that queries and keys come out interleaved, as in Meta's own files."""
    model = deepcopy(model)
    config = model.config
    order = torch.from_numpy(to_interleaved(config.head_width))
    n_turned = config.n_heads + config.kv_heads  # the values behind them are not turned
    with torch.no_grad():
        for attention in model.modules():
            if not isinstance(attention, Attention):
                continue
            for parameter in attention.to_qkv.parameters():
                heads = rearrange(parameter, "(n e) ... -> n e ...", e=config.head_width).clone()
                heads[:n_turned] = heads[:n_turned][:, order]
                parameter.copy_(rearrange(heads, "n e ... -> (n e) ..."))
            for norm in (attention.query_norm, attention.key_norm):
                for parameter in norm.parameters():
                    heads = rearrange(parameter, "(n e) -> n e", e=config.head_width)
                    parameter.copy_(rearrange(heads[:, order].clone(), "n e -> (n e)"))
    return model


@torch.no_grad()
def _loss(model: TinyLlama, ids: Tensor) -> float:
    logits = model(ids[None])[0, :-1]
    check_finite(logits)
    return float(F.cross_entropy(logits, ids[1:]))
