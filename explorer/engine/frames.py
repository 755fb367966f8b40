"""Messages between the web server and a worker: plain values and arrays, never pickled."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from safetensors.numpy import load, save

_LENGTHS = struct.Struct(">II")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message: values that JSON can say, and arrays by name."""

    values: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write a message and send it off."""
    values = json.dumps(frame.values).encode()
    arrays = (
        save({k: np.ascontiguousarray(v) for k, v in frame.arrays.items()}) if frame.arrays else b""
    )
    stream.write(_LENGTHS.pack(len(values), len(arrays)) + values + arrays)
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """Wait for the next message; None when the other side has gone."""
    head = stream.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    n_values, n_arrays = _LENGTHS.unpack(head)
    body = stream.read(n_values + n_arrays)
    if len(body) < n_values + n_arrays:
        return None
    arrays = load(body[n_values:]) if n_arrays else {}
    return Frame(values=json.loads(body[:n_values]), arrays=arrays)
