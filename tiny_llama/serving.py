"""What serving a model takes at least: bytes of its weights by precision, and the roofline.

Lower bounds on work make upper bounds on speed: a number may be read from memory more than once,
and a kernel may do more than it must, but never less. So no machine is faster
than said here, as long as the weights do not fit into the chip's own cache and each pass writes one
token for each text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from tiny_llama.config import ModelConfig
from tiny_llama.cost import Shape, kv_cache_bytes, next_token_flops, parameter_kinds

SCALE_BYTES = 2
"""A group of quantised numbers shares one scale, in fp16."""
LOOKED_UP = ("embedding.weight", "position.table")
"""Tables of which a token reads one row and multiplies by none."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How numbers are stored, and in which numbers products are then computed."""

    title: str
    bits: int
    products: str
    """A column of a data sheet: quantised weights are turned back before they are multiplied."""
    is_quantised: bool = False


PRECISIONS: Mapping[str, Precision] = {
    "fp32": Precision(title="fp32", bits=32, products="fp32"),
    "fp16": Precision(title="fp16 or bf16", bits=16, products="fp16"),
    "int8": Precision(title="int8", bits=8, products="fp16", is_quantised=True),
    "int4": Precision(title="int4", bits=4, products="fp16", is_quantised=True),
}


def weight_bytes(
    config: ModelConfig, precision: str = "fp16", *, group_size: int | None = 128
) -> int:
    """Count the bytes of all weights.

    Matrices are quantised where the precision says so, in groups along their rows with a scale of
    two bytes each (as in GPTQ, 2210.17323); vectors, as norms and biases, then stay in fp16.

    Args:
        config: the model.
        precision: one of `PRECISIONS`.
        group_size: numbers that share a scale; None: one scale a row.
    """
    chosen = PRECISIONS[precision]
    return sum(
        kind.times * _tensor_bytes(kind.shape, chosen, group_size)
        for kind in parameter_kinds(config)
    )


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one pass must do at least."""

    flops: float
    weight_bytes: float
    """Read from memory once for the whole batch."""
    cache_bytes: float
    """Keys and values read, or written where they are new."""

    @property
    def n_bytes(self) -> float:
        """All bytes that must move."""
        return self.weight_bytes + self.cache_bytes

    @property
    def intensity(self) -> float:
        """Operations for each byte moved: arithmetic intensity."""
        return self.flops / self.n_bytes


def decode_work(
    config: ModelConfig,
    *,
    n_tokens: int,
    batch_size: int = 1,
    precision: str = "fp16",
    cache_bytes_per_number: int = 2,
    group_size: int | None = 128,
) -> Work:
    """Count the work of writing one more token in each text of a batch, with a KV cache.

    Args:
        config: the model.
        n_tokens: how long each text then is.
        batch_size: texts.
        precision: of the weights, one of `PRECISIONS`.
        cache_bytes_per_number: of keys and values.
        group_size: as in `weight_bytes`.
    """
    cache = kv_cache_bytes(
        config, n_tokens, bytes_per_number=cache_bytes_per_number, is_rolling=True
    )
    return Work(
        flops=batch_size * (_linear_flops(config) + _score_flops(config, n_tokens)),
        weight_bytes=_weights_read(config, precision, group_size, batch_size),
        cache_bytes=batch_size * cache,
    )


def prefill_work(
    config: ModelConfig,
    *,
    n_tokens: int,
    batch_size: int = 1,
    precision: str = "fp16",
    cache_bytes_per_number: int = 2,
    group_size: int | None = 128,
) -> Work:
    """Count the work of reading texts of `n_tokens` at once, up to the first new token of each.

    Scores of the future are not counted, as a good kernel skips them; logits are those of the
    last token alone. Arguments as in `decode_work`.
    """
    unembedding = next_token_flops(config, 1)["unembedding"]
    linear = n_tokens * (_linear_flops(config) - unembedding) + unembedding
    written = kv_cache_bytes(config, n_tokens, bytes_per_number=cache_bytes_per_number)
    return Work(
        flops=batch_size * (linear + _all_score_flops(config, n_tokens)),
        weight_bytes=_weights_read(config, precision, group_size, batch_size * n_tokens),
        cache_bytes=batch_size * written,
    )


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The least time that a pass takes: the roofline (Williams et al. 2009)."""

    moving: float
    """Seconds to move its bytes."""
    computing: float
    """Seconds to do its operations."""

    @property
    def seconds(self) -> float:
        """The longer of the two, which go on side by side."""
        return max(self.moving, self.computing)

    @property
    def is_bandwidth_bound(self) -> bool:
        """Whether memory is what it waits for."""
        return self.moving >= self.computing


def bound(work: Work, *, peak_flops: float, bandwidth: float) -> Bound:
    """Compute the least time of a pass.

    Args:
        work: what must be done.
        peak_flops: of the accelerator, operations a second.
        bandwidth: of its memory, bytes a second.
    """
    return Bound(moving=work.n_bytes / bandwidth, computing=work.flops / peak_flops)


def share_of_experts_read(config: ModelConfig, n_tokens: int) -> float:
    """Say which share of a mixture's experts a pass over `n_tokens` is expected to need.

    Each token is taken to choose its experts evenly and by itself: one token needs as many as
    work on it, and many tokens need nearly all.
    """
    if not config.has_experts:
        return 1.0
    left_out = 1 - config.n_active_experts / config.n_experts
    return 1 - left_out**n_tokens


def largest_batch(free_bytes: float, bytes_per_text: float) -> int | None:
    """Count the texts whose caches fit at once; None: any number, as a text keeps nothing."""
    if not bytes_per_text:
        return None
    return max(0, int(free_bytes // bytes_per_text))


def longest_text(
    config: ModelConfig,
    free_bytes: float,
    *,
    batch_size: int,
    bytes_per_number: int,
    is_rolling: bool = False,
) -> int | None:
    """Say how many tokens each text of a batch can have while its cache fits; None: any number."""

    def fits(n_tokens: int) -> bool:
        cache = kv_cache_bytes(
            config, n_tokens, bytes_per_number=bytes_per_number, is_rolling=is_rolling
        )
        return batch_size * cache <= free_bytes

    most = 1
    while fits(most):
        if most > _BEYOND_EVERY_TEXT:
            return None
        most *= 2
    least = 0
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least


_BEYOND_EVERY_TEXT = 10**12


def _tensor_bytes(shape: Shape, precision: Precision, group_size: int | None) -> int:
    numbers = prod(shape)
    if len(shape) < 2 or not precision.is_quantised:
        return numbers * max(precision.bits, 16) // 8
    width = shape[-1]
    groups = numbers // width * -(-width // (group_size or width))
    return -(-numbers * precision.bits // 8) + groups * SCALE_BYTES


def _weights_read(
    config: ModelConfig, precision: str, group_size: int | None, n_tokens: int
) -> float:
    """Count the bytes of the weights that a pass over `n_tokens` must read, each once."""
    experts = share_of_experts_read(config, n_tokens)
    looked_up = {LOOKED_UP[1]} if config.tied_unembedding else set(LOOKED_UP)
    chosen = PRECISIONS[precision]
    read = 0.0
    for kind in parameter_kinds(config):
        row = (n_tokens, *kind.shape[1:])
        whole = row if kind.path in looked_up and n_tokens < kind.shape[0] else kind.shape
        share = experts if ".experts." in kind.path else 1.0
        read += share * kind.times * _tensor_bytes(whole, chosen, group_size)
    return read


def _linear_flops(config: ModelConfig) -> int:
    """Count the operations for one token apart from its scores and the sum of values."""
    return sum(next_token_flops(config, 0).values())


def _score_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count the operations where the last of `n_tokens` meets the keys and values it may read."""
    return _over_layers(config, lambda window: min(n_tokens, window or n_tokens))


def _all_score_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count the same for every token of a text, summed."""
    return _over_layers(config, lambda window: _pairs(n_tokens, window))


def _a_pair(config: ModelConfig) -> int:
    """Count the operations of a reader and a source in all heads: a score, its share of a value."""
    return config.has_attention * 2 * 2 * config.n_heads * config.head_width


def _over_layers(config: ModelConfig, n_pairs: Callable[[int | None], int]) -> int:
    """Count the operations in all layers, where one that reads this window has so many pairs."""
    windowed = config.n_windowed_layers
    whole = config.n_layers - windowed
    return _a_pair(config) * (windowed * n_pairs(config.window) + whole * n_pairs(None))


def _pairs(n_tokens: int, window: int | None) -> int:
    """Count the pairs of reader and source in a causal text."""
    reach = min(n_tokens, window or n_tokens)
    return reach * (reach + 1) // 2 + (n_tokens - reach) * reach
