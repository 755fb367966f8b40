"""Causal multi-head attention (Vaswani et al. 2017, arXiv:1706.03762), as LLaMA runs it."""

from collections.abc import Callable
from functools import lru_cache

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.parts.attentions.cache import LayerCache
from tiny_llama.parts.positions.base import Position
from tiny_llama.tap import Tap


class Attention(nn.Module):
    """Each token asks (query), is asked (key) and hands over (value); nobody sees the future.

    Fewer key/value heads than query heads make it grouped-query (Ainslie et al. 2023,
    arXiv:2305.13245) or, with one, multi-query (Shazeer 2019, arXiv:1911.02150). A `window`
    narrows how far back a token reads (Mistral 7B, arXiv:2310.06825; GPT-3's banded layers).

    While nobody watches, it runs fused; as soon as its scores or pattern are watched, or a
    soft-cap asks for it, the same is computed step by step.
    """

    def __init__(
        self,
        *,
        d_model: int,
        n_heads: int,
        n_kv_heads: int,
        d_head: int,
        window: int | None,
        softcap: float | None,
        qkv_bias: bool,
        output_bias: bool,
        dropout: float,
        make_head_norm: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.d_head = n_heads, n_kv_heads, d_head
        self.window, self.softcap, self.dropout = window, softcap, dropout
        self.to_qkv = nn.Linear(d_model, (n_heads + 2 * n_kv_heads) * d_head, bias=qkv_bias)
        self.to_output = nn.Linear(n_heads * d_head, d_model, bias=output_bias)
        self.query_norm, self.key_norm = make_head_norm(d_head), make_head_norm(d_head)
        self.query, self.key, self.value = Tap(), Tap(), Tap()
        self.rotated_query, self.rotated_key = Tap(), Tap()
        self.scores, self.masked_scores, self.pattern = Tap(), Tap(), Tap()
        self.heads = Tap()

    def forward(
        self, x: Tensor, position: Position, start: int = 0, cache: LayerCache | None = None
    ) -> Tensor:
        """Let each of the tokens `b t d` read from itself and those before it.

        Args:
            x: the normed residual stream, `b t d`.
            position: where order may enter.
            start: the position of the first token in `x`.
            cache: keys and values of the tokens before `start`; needed if start > 0.
        """
        q, k, v = self._project(x)
        q, k = position.rotate(q, k, start)
        q, k = self.rotated_query(q), self.rotated_key(k)
        if cache is not None:
            k, v = cache.extend(k, v, start)
        k, v = (
            repeat(z, "b g s e -> b (g r) s e", r=self.n_heads // self.n_kv_heads) for z in (k, v)
        )
        heads = self.heads(self._read(q, k, v, position.bias(x.shape[1], start), start))
        return self.to_output(rearrange(heads, "b h t e -> b t (h e)"))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries `b h t e`, keys and values `b g t e`, from one matrix product."""
        qkv = rearrange(self.to_qkv(x), "b t (n e) -> b n t e", e=self.d_head)
        q, k, v = qkv.split([self.n_heads, self.n_kv_heads, self.n_kv_heads], dim=1)
        return self.query(self.query_norm(q)), self.key(self.key_norm(k)), self.value(v)

    def _read(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, start: int) -> Tensor:
        """What each head of each token takes home, `b h t e`."""
        dropout = self.dropout if self.training else 0.0
        if self._step_by_step:
            return F.dropout(self._pattern(q, k, bias, start), dropout, self.training) @ v
        if bias is None and start == 0 and (self.window is None or self.window >= q.shape[2]):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        hidden = _hidden(q.shape[2], start, self.window, q.device)
        mask = ~hidden if bias is None else bias.masked_fill(hidden, -torch.inf)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)

    def _pattern(self, q: Tensor, k: Tensor, bias: Tensor | None, start: int) -> Tensor:
        """How much each token reads from each source, `b h t s`; rows sum to 1."""
        scores = self.scores(q @ k.mT / self.d_head**0.5)
        if self.softcap is not None:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        if bias is not None:
            scores = scores + bias
        hidden = _hidden(q.shape[2], start, self.window, q.device)
        scores = self.masked_scores(scores.masked_fill(hidden, -torch.inf))
        return self.pattern(scores.softmax(dim=-1))

    @property
    def _step_by_step(self) -> bool:
        watched = (self.scores.watched, self.masked_scores.watched, self.pattern.watched)
        return self.softcap is not None or any(watched)


@lru_cache(maxsize=32)
def _hidden(n_readers: int, start: int, window: int | None, device: torch.device) -> Tensor:
    """Which sources a reader must not read, `t s`: the future, and what lies before its window."""
    reader = torch.arange(start, start + n_readers, device=device)[:, None]
    source = torch.arange(start + n_readers, device=device)
    future = source > reader
    return future if window is None else future | (source <= reader - window)
