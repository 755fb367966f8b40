"""Weights are given the names, and cut into the pieces, that a class of Hugging Face's has."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from tiny_llama.config import ModelConfig
from tiny_llama.hugging_face_layout import WeightNames


def renamed(
    names: WeightNames, config: ModelConfig, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Give our weights (or gradients) their names, as views: copying into them fills ours."""
    return {
        name: part
        for path, tensor in tensors.items()
        for name, part in _parts(names, config, path, tensor)
    }


def _parts(
    names: WeightNames, config: ModelConfig, path: str, tensor: Tensor
) -> Iterator[tuple[str, Tensor]]:
    owner, kind = path.rsplit(".", 1)
    ending = "bias" if kind == "bias" else "weight"
    prefix, table = "", names.outer
    if owner.startswith("blocks."):
        _, layer, owner = owner.split(".", 2)
        prefix, table = f"{names.block_prefix}.{layer}.", names.of_block
    transposed = bool(prefix) and tensor.dim() == 2 and names.transposes_blocks
    theirs = table[owner]
    parts = tensor.split_with_sizes(_heights(config, tensor, len(theirs)))
    for name, part in zip(theirs, parts, strict=True):
        yield f"{prefix}{name}.{ending}", part.T if transposed else part


def _heights(config: ModelConfig, tensor: Tensor, n_parts: int) -> list[int]:
    """Count the rows of each part of a matrix: queries, keys and values, or equal shares."""
    if n_parts == 3:
        return [n * config.head_width for n in (config.n_heads, config.kv_heads, config.kv_heads)]
    return [len(tensor) // n_parts] * n_parts
