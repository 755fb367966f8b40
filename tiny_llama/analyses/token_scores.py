"""Two tokens at any two places: what their score in the first layer owes to position alone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tiny_llama.analyses import Found
from tiny_llama.analyses.heads import check_layer
from tiny_llama.analyses.subject import Subject
from tiny_llama.generation import check_finite
from tiny_llama.tap import record

MOST_PLACES = 256


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far a matrix of scores is from depending on the distance alone."""

    along: float
    """The largest difference between two scores of one distance; 0: a Toeplitz matrix."""
    overall: float
    """The largest difference between any two scores."""


@torch.no_grad()
def token_scores(subject: Subject, *, query: str, key: str, head: int, n_places: int) -> Found:
    """Put one token at every place as a query and another at every place as a key.

    In the first layer, what a query or key holds is the token and its position and nothing else.
    The scores are taken before the mask and the softmax, with whatever the position scheme adds.

    Args:
        subject: the model.
        query: the text of the token that asks; its last token is taken.
        key: the text of the token that is asked; its last token is taken.
        head: which head of the first layer, from 0.
        n_places: how many places; a model with learned positions has no more than its context.

    Returns:
        `scores`, `t s`; `query` and `key`, what the two tokens read as; `along` and `overall`, as
        in `Spread`.

    Raises:
        UserError: if the model has no such head, or a text has no token.
    """
    check_layer(subject, 0, head)
    n_places = min(n_places, MOST_PLACES, subject.model.position.longest or MOST_PLACES)
    asking, asked = subject.read(query, most=None)[-1:], subject.read(key, most=None)[-1:]
    scores = _scores(subject, asking.expand(n_places), asked.expand(n_places), head)
    check_finite(scores)
    found = scores.numpy()
    spread = spread_of(found)
    return {
        "scores": found,
        "query": subject.labels(asking)[0],
        "key": subject.labels(asked)[0],
        "along": spread.along,
        "overall": spread.overall,
    }


def spread_of(scores: np.ndarray) -> Spread:
    """Measure how far a square matrix is from one number a diagonal."""
    n = len(scores)
    along = max(float(np.ptp(scores.diagonal(at))) for at in range(1 - n, n))
    return Spread(along=along, overall=float(np.ptp(scores)))


def _scores(subject: Subject, asking: Tensor, asked: Tensor, head: int) -> Tensor:
    """Score one text's queries with another's keys in the first layer, `t s`."""
    config, position = subject.model.config, subject.model.position
    queries, _ = _rotated(subject, asking)
    _, keys = _rotated(subject, asked)
    group = head * config.kv_heads // config.n_heads
    scores: Tensor = queries[head] @ keys[group].T / config.head_width**0.5
    if config.attention_softcap is not None:
        scores = config.attention_softcap * torch.tanh(scores / config.attention_softcap)
    bias = position.bias(len(asking))
    return scores if bias is None else scores + bias[head]


def _rotated(subject: Subject, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Give queries `h t e` and keys `g t e` of the first layer, with their positions in them."""
    path = "blocks.0.attention."
    with record(subject.model, path + "rotated_query", path + "rotated_key") as seen:
        subject.model(ids[None])
    return seen[path + "rotated_query"][0], seen[path + "rotated_key"][0]
