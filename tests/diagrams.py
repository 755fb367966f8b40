"""Setups whose diagrams have all that a diagram can have, beside whatever it can stand beside.

The panels of a diagram follow from different settings, so each setup tries something out in all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tiny_llama.config import ModelConfig
from tiny_llama.menu import CHOICES, MENU

SMALL = ModelConfig(vocab_size=11, context=16, n_layers=2, d_model=16, n_heads=4, window=3)

Changes = Mapping[str, Any]


def _every(slot: str) -> list[Changes]:
    return [{slot: option} for option in (MENU | CHOICES)[slot] if option != "none"]


BESIDE: Sequence[Changes] = [
    {"block": block, "norm_placement": placement}
    for block in CHOICES["block"]
    for placement in CHOICES["norm_placement"]
    if (block, placement) != ("parallel", "post")
]
ALONE: Sequence[Changes] = [
    {**beside, part: "none"} for beside in BESIDE for part in ("attention", "feed_forward")
]
SHAPES: Sequence[Changes] = [
    {},
    {"n_kv_heads": 2, "qk_norm": "head", "attention_softcap": 50.0},
    {"qk_norm": "all"},
    {"n_kv_heads": 1},
    {"rope_fraction": 0.5, "nope_every": 2},
]
ENDS: Sequence[Changes] = [
    {},
    {"embedding_scale": True, "embedding_norm": True, "logit_softcap": 30.0},
    {"tied_unembedding": True, "bias": "all", "unembedding_bias": True},
    {"bias": "qkv", "embedding_norm": True},
    {"bias": "feed_forward"},
    {"logit_softcap": 30.0},
]
WHOLE = (*map(_every, MENU), SHAPES, ENDS, BESIDE)
"""Lists of settings that act in different places: the n-th of each go together."""


def _together(n: int) -> Changes:
    changes: dict[str, Any] = {}
    for choices in WHOLE:
        changes |= choices[n % len(choices)]
    return changes


SETUPS: Sequence[Changes] = [
    *map(_together, range(max(map(len, WHOLE)))),
    *({**_together(n), **alone} for n, alone in enumerate(ALONE)),
    {"norm": "none"},
    {"position": "none"},
    {"attention": "none", "feed_forward": "none"},
    {"attention": "none", "feed_forward": "none", "block": "parallel"},
    {"n_layers": 0},
    {"n_layers": 1},
]
CONFIGS = [replace(SMALL, **changes) for changes in SETUPS]
