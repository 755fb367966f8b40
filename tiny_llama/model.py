"""TinyLlama: one screen of code from token ids to logits."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import ATTENTION, FEED_FORWARD, NORM, NORM_PLACEMENT, POSITION
from tiny_llama.parts.attentions.cache import Cache, LayerCache
from tiny_llama.parts.norms.none import NoNorm
from tiny_llama.parts.positions.base import Position
from tiny_llama.tap import Tap


class TinyLlama(nn.Module):
    """A decoder-only transformer as LLaMA (Touvron et al. 2023, arXiv:2302.13971) lays it out.

    Args:
        config: every choice and every size.
        seed: draws the starting weights; the global random state is left alone.
    """

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.embedding_norm = _norm(config) if config.embedding_norm else NoNorm()
        self.position = _position(config, config.rope_theta)
        self.dropout = nn.Dropout(config.dropout)
        self.embedded = Tap()
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = _norm(config) if config.has_last_norm else NoNorm()
        self.unembedding = nn.Linear(
            config.d_model, config.vocab_size, bias=config.unembedding_bias
        )
        if config.tied_unembedding:
            self.unembedding.weight = self.embedding.weight
        self.logits = Tap()
        initialize(self, seed)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Score every possible next token after each token.

        Args:
            tokens: ids, `b t`; with a cache, only those that it does not hold yet.
            cache: keys and values of the tokens read so far; it takes in the new ones.

        Returns:
            Logits, `b t v`.

        Raises:
            ConfigError: if the position scheme ends before the text does.
        """
        return self.logits(self.unembed(self.read(tokens, cache)))

    def read(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Give the residual stream after the last layer, `b t d`; as `forward` for the rest."""
        start = cache.length if cache else 0
        self._check_length(start + tokens.shape[1])
        x = self.position.embed(self.embed(tokens), start)
        x = self.embedded(self.dropout(x))
        for layer, block in enumerate(self.blocks):
            x = block(x, self.position, start, cache.layers[layer] if cache else None)
        if cache:
            cache.length = start + tokens.shape[1]
        return x

    def embed(self, tokens: Tensor) -> Tensor:
        """Turn ids, `b t`, into vectors, `b t d`, that know nothing of their order yet."""
        x = self.embedding(tokens)
        if self.config.embedding_scale:
            x = x * self.config.d_model**0.5
        normed: Tensor = self.embedding_norm(x)
        return normed

    def unembed(self, x: Tensor) -> Tensor:
        """Turn the residual stream after the last layer, `b t d`, into logits, `b t v`."""
        return self._cap(self.unembedding(self.norm(x)))

    def position_of(self, layer: int) -> Position:
        """Say where order enters a layer: as in all of them, unless it has a scheme of its own."""
        block = self.blocks[layer]
        assert isinstance(block, Block)
        return block.own_position or self.position

    def n_parameters(self) -> int:
        """Count the numbers that are learned; a tied matrix counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _cap(self, logits: Tensor) -> Tensor:
        cap = self.config.logit_softcap
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def _check_length(self, n_tokens: int) -> None:
        longest = self.position.longest
        if longest is not None and n_tokens > longest:
            raise ConfigError(
                f"A text of {n_tokens} tokens is too long for position='{self.config.position}', "
                f"which knows {longest} positions; shorten the text or choose another scheme."
            )


class Block(nn.Module):
    """One layer: attention and feed-forward, each added to the residual stream."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.norms_sum = NORM_PLACEMENT[config.norm_placement].after
        self.choose_read = _READ_BY_FEED_FORWARD[config.block]
        self.own_position = _own_position(config, layer)
        self.attention_norm = _block_norm(config, "attention_norm")
        self.attention = ATTENTION[config.attention].load()(
            d_model=config.d_model,
            n_heads=config.n_heads,
            n_kv_heads=config.kv_heads,
            d_head=config.head_width,
            window=config.window_of(layer),
            softcap=config.attention_softcap,
            qkv_bias=config.has_bias("qkv"),
            output_bias=config.has_bias("output"),
            dropout=config.dropout,
            make_norm=NoNorm if config.qk_norm == "none" else partial(_norm, config),
            norms_all_heads=config.qk_norm == "all",
        )
        self.attention_output_norm = _block_norm(config, "attention_output_norm")
        self.residual_middle = Tap()
        self.feed_forward_norm = _block_norm(config, "feed_forward_norm")
        self.feed_forward = FEED_FORWARD[config.feed_forward].load()(
            d_model=config.d_model,
            d_hidden=config.hidden_width,
            bias=config.has_bias("feed_forward"),
            n_experts=config.n_experts,
            n_active_experts=config.n_active_experts,
        )
        self.feed_forward_output_norm = _block_norm(config, "feed_forward_output_norm")
        self.residual = Tap()
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, position: Position, start: int = 0, cache: LayerCache | None = None
    ) -> Tensor:
        """Carry the residual stream `b t d` one layer up."""
        position = self.own_position or position
        normed = self._before(x, self.attention_norm)
        given = self.attention_output_norm(self.attention(normed, position, start, cache))
        middle = self.residual_middle(self._add(x, given, self.attention_norm))
        normed = self._before(self.choose_read(x, normed, middle), self.feed_forward_norm)
        given = self.feed_forward_output_norm(self.feed_forward(normed))
        return self.residual(self._add(middle, given, self.feed_forward_norm))

    def _before(self, x: Tensor, norm: nn.Module) -> Tensor:
        return x if self.norms_sum else norm(x)

    def _add(self, x: Tensor, given: Tensor, norm: nn.Module) -> Tensor:
        x = x + self.dropout(given)
        return norm(x) if self.norms_sum else x


_READ_BY_FEED_FORWARD: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "sequential": lambda x, normed, middle: middle,
    "parallel": lambda x, normed, middle: normed,
    "parallel_two_norms": lambda x, normed, middle: x,
}
"""What the feed-forward (or its norm) reads: the stream after attention, what attention read, or
the stream before it."""


def initialize(model: TinyLlama, seed: int) -> None:
    """Draw starting weights from N(0, init_std^2); biases start at 0, norms at 1.

    An embedding that is not the unembedding too starts at N(0, embedding_std^2).
    The projections that write into the residual stream start smaller by 1/sqrt(2 n_layers), one
    for each of the two writes a layer, so that the stream does not grow with depth (GPT-2).
    """
    config = model.config
    draw = torch.Generator().manual_seed(seed)
    residual_std = config.init_std
    if config.scaled_residual_init:
        residual_std /= max(1, 2 * config.n_layers) ** 0.5
    for path, parameter in model.named_parameters():
        if parameter.is_meta:
            continue
        if parameter.dim() > 1:
            writes = path.endswith(("to_output.weight", "to_down.weight"))
            std = residual_std if writes else config.init_std
            if path == "embedding.weight" and not config.tied_unembedding:
                std = config.embedding_std
            nn.init.normal_(parameter, std=std, generator=draw)
        elif path.endswith(".bias"):
            nn.init.zeros_(parameter)


def _position(config: ModelConfig, theta: float | None) -> Position:
    """Build the scheme by which order enters; with no theta, none does."""
    name = "none" if theta is None else config.position
    position: Position = POSITION[name].load()(
        d_model=config.d_model,
        n_heads=config.n_heads,
        d_head=config.head_width,
        context=config.context,
        theta=theta or config.rope_theta,
        d_turned=config.turned_width,
    )
    return position


def _own_position(config: ModelConfig, layer: int) -> Position | None:
    """Build the scheme of a layer that turns by another theta than most, or not at all."""
    theta = config.theta_of(layer)
    if theta == config.rope_theta or not POSITION[config.position].turns:
        return None
    return _position(config, theta)


def _norm(config: ModelConfig, width: int | None = None) -> nn.Module:
    norm: nn.Module = NORM[config.norm].load()(width or config.d_model, config.norm_eps)
    return norm


def _block_norm(config: ModelConfig, name: str) -> nn.Module:
    return _norm(config) if name in config.block_norms else NoNorm()
