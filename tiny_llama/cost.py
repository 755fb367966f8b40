"""What a setup costs: parameters, memory, FLOPs and KV cache, exact and without PyTorch.

Everything is summed from closed formulas over the few kinds of tensors that there are, so a model
is counted in a fraction of a millisecond, whether it has four layers or ten thousand of 512 experts
each. The tests hold them against models that are really built.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from tiny_llama.config import ModelConfig
from tiny_llama.menu import FEED_FORWARD, NORM, NORM_PLACEMENT, POSITION

Shape = tuple[int, ...]

FLOPS_A_TRAINED_TOKEN, FLOPS_A_SERVED_TOKEN = 6, 2
"""For each parameter: forwards and backwards, and forwards alone (Kaplan et al. 2020, section
2.1)."""
COMPONENTS = ("embedding", "position", "attention", "feed_forward", "norm", "unembedding")


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """Learned tensors that are alike: one, one in each layer, or one in each expert of each."""

    path: str
    """In `TinyLlama`, with a star for a number: first the layer's, then the expert's."""
    shape: Shape
    times: int
    """How many there are."""

    @property
    def n_parameters(self) -> int:
        """How many numbers they hold together."""
        return self.times * prod(self.shape)


def parameter_kinds(config: ModelConfig) -> Iterator[Tensors]:
    """Yield every kind of learned tensor once, some twenty at most; a tied matrix once."""
    for path, shape in _starred_shapes(config):
        if times := prod(_counts(config)[: path.count("*")]):
            yield Tensors(path=path, shape=shape, times=times)


def parameter_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Give the shape of every learned tensor by its path in `TinyLlama`; a tied matrix stands once.

    For who has the model as well: ten thousand layers have as many entries and more. What is only
    counted, `parameter_kinds` counts.
    """
    kinds, counts = parameter_kinds(config), _counts(config)
    return {path: kind.shape for kind in kinds for path in _numbered(kind.path, counts)}


def count_parameters(config: ModelConfig) -> int:
    """Count the numbers that the model learns."""
    return sum(parameters_by_component(config).values())


def parameters_by_component(config: ModelConfig) -> dict[str, int]:
    """Count the numbers that each component learns, over all layers.

    QK-norms count as attention, a mixture's router and all its experts as feed-forward, and a norm
    behind the embedding as norm.
    """
    counts = dict.fromkeys(COMPONENTS, 0)
    for kind in parameter_kinds(config):
        counts[_component(kind.path)] += kind.n_parameters
    return counts


def active_parameters(config: ModelConfig) -> int:
    """Count a model's numbers that work on a token: of a mixture, only the chosen experts."""
    return count_parameters(config) - idle_parameters(config)


def idle_parameters(config: ModelConfig) -> int:
    """Count the numbers in the experts that a token leaves out, over all layers."""
    if not config.has_experts:
        return 0
    an_expert = sum(prod(shape) for _, shape in _network_shapes(config, ""))
    return config.n_layers * (config.n_experts - config.n_active_experts) * an_expert


def forward_flops(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    """Count the floating-point operations to read `n_tokens` at once, by component.

    Two for each multiply-and-add of every matrix product; attention's scores are counted over the
    whole square, future included, as dense kernels compute them. Of a mixture of experts, the
    router counts, and those experts alone that work on a token. Norms, activations and the softmax
    are left out, as is usual: they are few.
    """
    d, e = config.d_model, config.head_width
    queries, kept = config.n_heads * e, config.kv_heads * e
    projections = 2 * n_tokens * d * (2 * queries + 2 * kept)
    scores_and_values = 2 * 2 * n_tokens * n_tokens * queries
    attention = config.has_attention * (projections + scores_and_values)
    a_network = FEED_FORWARD[config.feed_forward].n_matrices * d * config.hidden_width
    n_networks = config.n_active_experts if config.has_experts else 1
    router = d * config.n_experts * config.has_experts
    return {
        "attention": config.n_layers * attention,
        "feed_forward": config.n_layers * 2 * n_tokens * (n_networks * a_network + router),
        "unembedding": 2 * n_tokens * d * config.vocab_size,
    }


def hidden_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count those of `forward_flops` that a kernel saves which skips what the mask hides.

    They are scores and values of sources after the reader, and before its window where a layer has
    one. LLaMA was trained with such a kernel (2302.13971, section 2.4).
    """
    n_windowed = config.n_windowed_layers
    read = n_windowed * _pairs_read(n_tokens, config.window)
    read += (config.n_layers - n_windowed) * _pairs_read(n_tokens, n_tokens)
    hidden = config.n_layers * n_tokens * n_tokens - read
    return config.has_attention * 2 * 2 * hidden * config.n_heads * config.head_width


def next_token_flops(config: ModelConfig, n_tokens: int) -> dict[str, int]:
    """Count the operations to read the last of `n_tokens` with a KV cache, by component.

    Counted as in `forward_flops`: all but the scores is done for one token alone, and its query
    meets the keys of all `n_tokens`.
    """
    one = forward_flops(config, 1)
    more_scores = 2 * 2 * (n_tokens - 1) * config.n_heads * config.head_width
    one["attention"] += config.n_layers * config.has_attention * more_scores
    return one


def training_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count the floating-point operations of one training step on a text of `n_tokens`.

    Each matrix product of the forward pass has two of the same size in the backward pass: one for
    the gradient of its input, one for that of its weight.
    """
    return 3 * sum(forward_flops(config, n_tokens).values())


def six_n_d(config: ModelConfig, n_tokens: int) -> int:
    """Estimate training FLOPs as usual, 6 x parameters x tokens (Kaplan et al., 2001.08361).

    N is `multiplying_parameters`.
    """
    return FLOPS_A_TRAINED_TOKEN * multiplying_parameters(config) * n_tokens


def multiplying_parameters(config: ModelConfig) -> int:
    """Count a model's numbers that multiply for a token, as laws of scaling have it.

    They leave out the embedding and position tables, which multiply nothing, and the experts that a
    token leaves out; they keep the unembedding, tied or not, which multiplies.
    """
    counts = parameters_by_component(config)
    unembedding = config.vocab_size * (config.d_model + config.unembedding_bias)
    inside = sum(counts[name] for name in ("attention", "feed_forward", "norm"))
    return inside - idle_parameters(config) + unembedding


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes that training holds at once, by what they are for."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.gradients + self.optimizer


def training_memory(
    config: ModelConfig, *, optimizer: str = "adamw", bytes_per_number: int = 4
) -> TrainingMemory:
    """Count the bytes of weights, gradients and the optimizer's state."""
    weights = bytes_per_number * count_parameters(config)
    return TrainingMemory(
        weights=weights,
        gradients=weights,
        optimizer=_optimizer_bytes(config, optimizer, bytes_per_number),
    )


def activation_bytes(config: ModelConfig, *, batch_size: int, n_tokens: int) -> int:
    """Count the bytes that a training step's forward pass keeps for the backward pass, in float32.

    Exact for this library's model without dropout and soft-caps, whose own copies are not
    counted, while nobody watches its activations. Each tensor counts once, however often it is
    used; weights, and tables and masks that are shared by all steps, count elsewhere or not.

    Args:
        config: the model.
        batch_size: texts a step.
        n_tokens: tokens a text.
    """
    n = batch_size * n_tokens
    layers = config.n_layers * (_stream_kept(config, n) + _feed_forward_kept(config, n))
    n_turning = config.n_turning_layers
    layers += n_turning * _attention_kept(config, n, n_tokens, turns=True)
    layers += (config.n_layers - n_turning) * _attention_kept(config, n, n_tokens, turns=False)
    outer_norms = (config.embedding_norm + config.has_last_norm) * _norm_kept(config, n)
    logits = n * config.vocab_size
    ids = 2 * 2 * n  # of 8 bytes each: what is read, and what should come next
    return 4 * (ids + layers + outer_norms + n * config.d_model + logits + 1)


def kv_cache_bytes_per_token(config: ModelConfig, *, bytes_per_number: int = 4) -> int:
    """Count the bytes of keys and values that generation keeps of a token, over all layers."""
    if not config.has_attention:
        return 0
    return 2 * config.n_layers * config.kv_heads * config.head_width * bytes_per_number


def kv_cache_bytes(
    config: ModelConfig, n_tokens: int, *, bytes_per_number: int = 4, is_rolling: bool = False
) -> int:
    """Count the bytes of keys and values that generation keeps of a text of `n_tokens`.

    Args:
        config: the model.
        n_tokens: tokens read so far.
        bytes_per_number: 2 in half precision.
        is_rolling: whether windowed layers keep no more than their window (Mistral 7B,
            2310.06825); this library's cache keeps all.
    """
    if not config.n_layers:
        return 0
    a_layer = kv_cache_bytes_per_token(config, bytes_per_number=bytes_per_number) // config.n_layers
    n_windowed = config.n_windowed_layers if is_rolling else 0
    whole = (config.n_layers - n_windowed) * n_tokens
    return a_layer * (whole + n_windowed * min(n_tokens, config.window))


def _pairs_read(n_tokens: int, window: int) -> int:
    """Count the pairs of a reader and a source that it may read, itself included."""
    width = min(window, n_tokens)
    return width * (width + 1) // 2 + (n_tokens - width) * width


def _counts(config: ModelConfig) -> tuple[int, int]:
    """Say what the stars of a path count: layers, and in each the experts."""
    return config.n_layers, config.n_experts


def _numbered(path: str, counts: Sequence[int]) -> Iterator[str]:
    """Yield every path that a path with stars stands for."""
    before, star, after = path.partition("*")
    if not star:
        yield path
        return
    for number in range(counts[0]):
        yield from _numbered(f"{before}{number}{after}", counts[1:])


def _starred_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    yield "embedding.weight", (config.vocab_size, config.d_model)
    if config.embedding_norm:
        yield from _norm_shapes(config, "embedding_norm", config.d_model)
    if POSITION[config.position].has_table:
        yield "position.table", (config.context, config.d_model)
    for path, shape in _block_shapes(config):
        yield f"blocks.*.{path}", shape
    if config.has_last_norm:
        yield from _norm_shapes(config, "norm", config.d_model)
    if not config.tied_unembedding:
        yield "unembedding.weight", (config.vocab_size, config.d_model)
    if config.unembedding_bias:
        yield "unembedding.bias", (config.vocab_size,)


def _block_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    for name in config.block_norms:
        yield from _norm_shapes(config, name, config.d_model)
    if config.has_attention:
        yield from _attention_shapes(config)
    if config.has_feed_forward:
        yield from _feed_forward_shapes(config)


def _attention_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    queries, keys = config.n_heads * config.head_width, config.kv_heads * config.head_width
    yield "attention.to_qkv.weight", (queries + 2 * keys, config.d_model)
    if config.has_bias("qkv"):
        yield "attention.to_qkv.bias", (queries + 2 * keys,)
    yield "attention.to_output.weight", (config.d_model, queries)
    if config.has_bias("output"):
        yield "attention.to_output.bias", (config.d_model,)
    for name, all_heads in (("query_norm", queries), ("key_norm", keys)):
        widths = {"none": 0, "head": config.head_width, "all": all_heads}
        if width := widths[config.qk_norm]:
            yield from _norm_shapes(config, f"attention.{name}", width)


def _feed_forward_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    if not config.has_experts:
        yield from _network_shapes(config, "feed_forward")
        return
    yield "feed_forward.router.weight", (config.n_experts, config.d_model)
    yield from _network_shapes(config, "feed_forward.experts.*")


def _network_shapes(config: ModelConfig, path: str) -> Iterator[tuple[str, Shape]]:
    """Yield the shapes of one feed-forward network, which may be an expert of several."""
    d, f = config.d_model, config.hidden_width
    up, down = (f, d), (d, f)
    n_matrices = FEED_FORWARD[config.feed_forward].n_matrices
    matrices = {"to_gate": up, "to_up": up, "to_down": down}
    for name, shape in list(matrices.items())[3 - n_matrices :]:
        yield f"{path}.{name}.weight", shape
        if config.has_bias("feed_forward"):
            yield f"{path}.{name}.bias", shape[:1]


def _norm_shapes(config: ModelConfig, path: str, width: int) -> Iterator[tuple[str, Shape]]:
    for name in ("weight", "bias")[: NORM[config.norm].n_vectors]:
        yield f"{path}.{name}", (width,)


def _stream_kept(config: ModelConfig, n: int) -> int:
    """Count the numbers of the residual stream that one block keeps of `n` tokens, normed or not.

    A norm in front of a part keeps what it reads, and the part what the norm gives; without one,
    the part keeps the stream itself. Side by side, both parts read the same stream, and with one
    norm between them the same normed copy. A norm on an output or on a sum keeps that.
    """
    norm, place = NORM[config.norm], NORM_PLACEMENT[config.norm_placement]
    n_parts = config.has_attention + config.has_feed_forward
    n_streams = n_parts if config.block == "sequential" else min(n_parts, 1)
    n_copies = min(n_parts, 1) if config.block == "parallel" else n_parts
    vectors = n_streams
    if norm.is_present:
        vectors += n_copies * place.before + n_parts * (place.output + place.after)
    return n * (config.d_model * vectors + norm.n_statistics * len(config.block_norms))


def _attention_kept(config: ModelConfig, n: int, n_tokens: int, *, turns: bool) -> int:
    """Count the numbers that a layer's attention keeps of `n` tokens, its input aside.

    A layer that turns queries and keys keeps them turned, too.
    """
    if not config.has_attention:
        return 0
    queries, keys = config.n_heads * config.head_width, config.kv_heads * config.head_width
    position, norm = POSITION[config.position], NORM[config.norm]
    n_normed = {"none": 0, "head": config.n_heads + config.kv_heads, "all": 2}[config.qk_norm]
    kept = n * (queries + 2 * keys)  # the projection, of which the values are a part
    if turns or (norm.is_present and n_normed):
        kept += n * (queries + keys)
    kept += n * norm.n_statistics * n_normed
    if position.bias:
        kept += config.n_heads * n_tokens * n_tokens
    return kept + n * (queries + config.n_heads)  # the heads, and a sum a softmax


def _feed_forward_kept(config: ModelConfig, n: int) -> int:
    """Count the numbers that one feed-forward keeps of `n` tokens, its input aside."""
    hidden = FEED_FORWARD[config.feed_forward].n_kept * config.hidden_width
    if not config.has_experts:
        return n * hidden
    rows = n * config.n_active_experts  # each token once for each expert that works on it
    a_place = 2  # a whole number of 8 bytes: chosen expert, token, and where its row has gone
    return rows * (2 * config.d_model + hidden + 1 + 3 * a_place)  # the 1: an expert's weight


def _norm_kept(config: ModelConfig, n: int) -> int:
    """Count the numbers that a norm keeps of `n` tokens: its input and its statistics."""
    norm = NORM[config.norm]
    return n * (config.d_model + norm.n_statistics) if norm.is_present else 0


def _component(path: str) -> str:
    """Say which component a parameter's path belongs to."""
    first = path.removeprefix("blocks.*.").partition(".")[0]
    return "norm" if first.endswith("norm") else first


def _optimizer_bytes(config: ModelConfig, optimizer: str, bytes_per_number: int) -> int:
    """Count its bytes: AdamW two averages and a step count a tensor, SGD one, Muon one a matrix."""
    n_bytes = 0
    for kind in parameter_kinds(config):
        has_one = optimizer == "sgd" or (
            optimizer == "muon" and is_muon_matrix(kind.path, kind.shape)
        )
        averages = (1 if has_one else 2) * bytes_per_number * kind.n_parameters
        n_bytes += averages + (0 if has_one else 4 * kind.times)
    return n_bytes


def is_muon_matrix(path: str, shape: Shape) -> bool:
    """Tell whether Muon moves this parameter, a matrix inside the blocks (Jordan et al. 2024)."""
    return path.startswith("blocks.") and len(shape) > 1
