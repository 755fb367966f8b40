"""What a browser is given to train with: values and arrays, packed as `material.js` reads them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from explorer.components.browser_trainer.build import HERE
from explorer.components.browser_trainer.shape import shape
from tiny_llama.setup import Setup

BUILD_FILES = {"plain": "engine.wasm", "relaxed": "engine.relaxed.wasm"}
"""By what `bestBuild` in engine.js calls them."""
TEXTS_AT_ONCE = 4
"""So many are read by one call of the engine at most, as a page must not stand still for longer."""
_ALIGNED = 8
_KINDS = ("int32", "uint16", "float32", "uint8")


def material(setup: Setup, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Pack a run for the browser: its setup, where it stands, its text, and the engine.

    Args:
        setup: what is trained; the vocabulary is the tokenizer's.
        values: what the worker found to be said besides.
        arrays: likewise; see `explorer.engine.worker.lending`.
    """
    said = {
        "shape": asdict(shape(setup.model, n_texts=TEXTS_AT_ONCE)),
        "texts_at_once": TEXTS_AT_ONCE,
        "training": asdict(setup.training),
        "context": setup.model.context,
        **values,
    }
    builds = {
        name: np.frombuffer((HERE / file).read_bytes(), np.uint8)
        for name, file in BUILD_FILES.items()
    }
    return pack(said, {**arrays, **builds})


def pack(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Pack values that JSON knows, and arrays after them, each where any kind may begin."""
    listed, contents, at = [], [], 0
    for name, array in arrays.items():
        assert array.dtype.name in _KINDS, (name, array.dtype)
        listed.append([name, array.dtype.name, at, array.size])
        contents.append(_filled(array.tobytes()))
        at += len(contents[-1])
    header = _filled(json.dumps({**values, "arrays": listed}).encode(), b" ")
    return b"".join([len(header).to_bytes(_ALIGNED, "little"), header, *contents])


def _filled(content: bytes, filler: bytes = b"\0") -> bytes:
    """Fill up, so that what follows begins where an array of any kind may."""
    return content + filler * (-len(content) % _ALIGNED)
