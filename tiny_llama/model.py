"""TinyLlama: one screen of code from token ids to logits."""

from functools import partial

import torch
from torch import Tensor, nn

from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError
from tiny_llama.menu import ATTENTION, FEED_FORWARD, NORM, POSITION
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
        self.position: Position = POSITION[config.position].load()(
            d_model=config.d_model,
            n_heads=config.n_heads,
            d_head=config.head_width,
            context=config.context,
            theta=config.rope_theta,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.embedded = Tap()
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = _norm(config) if config.norm_placement == "pre" else NoNorm()
        self.unembedding = nn.Linear(config.d_model, config.vocab_size, bias=False)
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
        start = cache.length if cache else 0
        self._check_length(start + tokens.shape[1])
        x = self.position.embed(self.embedding(tokens), start)
        x = self.embedded(self.dropout(x))
        for layer, block in enumerate(self.blocks):
            x = block(x, self.position, start, cache.layers[layer] if cache else None)
        if cache:
            cache.length = start + tokens.shape[1]
        return self.logits(self.unembed(x))

    def unembed(self, x: Tensor) -> Tensor:
        """Turn the residual stream after the last layer, `b t d`, into logits, `b t v`."""
        return self._cap(self.unembedding(self.norm(x)))

    def n_parameters(self) -> int:
        """How many numbers are learned; a tied matrix counts once."""
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
    """One layer: attention, then feed-forward, each added to the residual stream."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.norm_first = config.norm_placement == "pre"
        self.attention_norm = _norm(config) if config.has_attention else NoNorm()
        self.attention = ATTENTION[config.attention].load()(
            d_model=config.d_model,
            n_heads=config.n_heads,
            n_kv_heads=config.kv_heads,
            d_head=config.head_width,
            window=config.window_of(layer),
            softcap=config.attention_softcap,
            qkv_bias=config.bias != "none",
            output_bias=config.bias == "all",
            dropout=config.dropout,
            make_head_norm=partial(_norm, config) if config.qk_norm else NoNorm,
        )
        self.residual_middle = Tap()
        self.feed_forward_norm = _norm(config) if config.has_feed_forward else NoNorm()
        self.feed_forward = FEED_FORWARD[config.feed_forward].load()(
            d_model=config.d_model, d_hidden=config.hidden_width, bias=config.bias == "all"
        )
        self.residual = Tap()
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, position: Position, start: int = 0, cache: LayerCache | None = None
    ) -> Tensor:
        """Carry the residual stream `b t d` one layer up."""
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), position, start, cache))
            x = self.residual_middle(x)
            return self.residual(x + self.dropout(self.feed_forward(self.feed_forward_norm(x))))
        x = self.attention_norm(x + self.dropout(self.attention(x, position, start, cache)))
        x = self.residual_middle(x)
        return self.residual(self.feed_forward_norm(x + self.dropout(self.feed_forward(x))))


def initialize(model: TinyLlama, seed: int) -> None:
    """Draw starting weights from N(0, init_std^2); biases start at 0, norms at 1.

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
            nn.init.normal_(
                parameter, std=residual_std if writes else config.init_std, generator=draw
            )
        elif path.endswith(".bias"):
            nn.init.zeros_(parameter)


def _norm(config: ModelConfig, width: int | None = None) -> nn.Module:
    return NORM[config.norm].load()(width or config.d_model, config.norm_eps)
