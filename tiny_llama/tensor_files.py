"""Tensors in safetensors files: written in one move with their digest, and checked when read."""

import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tiny_llama.cost import Shape
from tiny_llama.errors import CheckpointError
from tiny_llama.files import DIGEST, damaged, digest, write_whole

ABOUT = "about"
"""The one entry of a file's metadata: a JSON object, as safetensors keeps entries in no order."""
_ABOUT_BEFORE = {"next_step", "step"}
"""What stood there in files from before there were digests."""
_KINDS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
"""What safetensors calls the kinds of numbers that we write."""
About = dict[str, str]


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, str],
    *,
    before: Path | None = None,
) -> None:
    """Write a safetensors file in one move; the one that stood there is kept as `before`, if given.

    Args:
        path: where to.
        tensors: what to write, by name.
        about: what else to say, in words; the digest covers all of it.
        before: where the file before goes.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    said = {**about, DIGEST: _digest(whole, about)}
    names = sorted(whole, key=lambda name: (-whole[name].element_size(), name))
    head = _head({name: whole[name] for name in names}, said)
    write_whole(path, head, *(_bytes(whole[name]) for name in names), before=before)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], About]:
    """Read a safetensors file: tensors by name, and what else it says.

    Raises:
        CheckpointError: if it is missing or damaged.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = _about(path, file.metadata())
    found = about.pop(DIGEST, None)
    if found is not None and found != _digest(tensors, about):
        raise damaged(path.name)
    return tensors, about


def read_about(path: Path) -> About:
    """Read what a safetensors file says beside its tensors; these are neither read nor checked.

    Raises:
        CheckpointError: if it is missing or no such file.
    """
    with _opened(path) as file:
        return _about(path, file.metadata())


def check_tensors(
    name: str, tensors: Mapping[str, Tensor], wanted: Mapping[str, Shape], kind: torch.dtype
) -> None:
    """Refuse tensors that are not exactly the wanted ones.

    Args:
        name: of their file, for the sentence.
        tensors: what was found, by name.
        wanted: the shape of each by its name.
        kind: what kind of numbers all are.

    Raises:
        CheckpointError: names the first that is missing, unknown, or of another shape or kind.
    """
    for path, shape in wanted.items():
        if path not in tensors:
            raise CheckpointError(f"In {name}, {path} is missing; take a whole checkpoint.")
        if tuple(tensors[path].shape) != shape:
            raise CheckpointError(
                f"In {name}, {path} has the shape {tuple(tensors[path].shape)}, but the setup says "
                f"{shape}; take both from the same run."
            )
        if tensors[path].dtype != kind:
            raise CheckpointError(
                f"In {name}, the numbers of {path} are {_word(tensors[path].dtype)} and must be "
                f"{_word(kind)}; take a whole checkpoint."
            )
    if unknown := tensors.keys() - wanted.keys():
        raise CheckpointError(
            f"In {name}, nothing is called {min(unknown)[:80]!r}; take a whole checkpoint."
        )


def _head(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> bytes:
    """Give what stands before the numbers in a safetensors file: what each tensor is, and where.

    The library's own way to write first copies all numbers, which a full memory has no room for.
    """
    head: dict[str, Any] = {"__metadata__": {ABOUT: json.dumps(said, sort_keys=True)}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        kind, shape = _KINDS[tensor.dtype], list(tensor.shape)
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    words = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    words += b" " * (-len(words) % 8)
    return struct.pack("<Q", len(words)) + words


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """Compute a digest of tensors' names, kinds, shapes and bytes, and what else the file says."""
    shapes = {name: [_word(each.dtype), *each.shape] for name, each in tensors.items()}
    head = json.dumps([shapes, dict(about)], sort_keys=True).encode()
    return digest(head, *(_bytes(tensors[name]) for name in sorted(tensors)))


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file to read; whatever is wrong with it becomes a sentence."""
    if not path.is_file():
        raise CheckpointError(f"The file {path.name} is missing; take a whole checkpoint.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except CheckpointError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The file {path.name} is no whole safetensors file ({error}); take another copy."
        ) from None


def _about(path: Path, metadata: Mapping[str, str] | None) -> About:
    entries = dict(metadata or {})
    if entries.keys() <= _ABOUT_BEFORE:
        return entries
    try:
        about = json.loads(entries[ABOUT])
        if len(entries) == 1 and DIGEST in about and all(map(_is_word, about.values())):
            return dict(about)
    except (KeyError, ValueError, RecursionError, AttributeError, TypeError):
        pass
    raise damaged(path.name)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _word(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
