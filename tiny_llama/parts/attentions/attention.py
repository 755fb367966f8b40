"""Causal multi-head attention (Vaswani et al. 2017, arXiv:1706.03762), as LLaMA runs it."""

from collections.abc import Callable
from functools import lru_cache

import torch
from einops import repeat
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tiny_llama.parts.attentions.cache import LayerCache
from tiny_llama.parts.linear import Linear
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
        make_norm: Callable[[int], nn.Module],
        norms_all_heads: bool = False,
    ) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.d_head = n_heads, n_kv_heads, d_head
        self.window, self.softcap, self.dropout = window, softcap, dropout
        self.to_qkv = Linear(d_model, (n_heads + 2 * n_kv_heads) * d_head, bias=qkv_bias)
        self.to_output = Linear(n_heads * d_head, d_model, bias=output_bias)
        self.norms_all_heads = norms_all_heads
        widths = (n_heads * d_head, n_kv_heads * d_head) if norms_all_heads else (d_head, d_head)
        self.query_norm, self.key_norm = map(make_norm, widths)
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
        heads = self.heads(self._read(q, k, v, position.bias(x.shape[1], start), start))
        return self.to_output(heads.transpose(1, 2).flatten(2))  # b h t e -> b t (h e)

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute queries `b h t e`, keys and values `b g t e`, from one matrix product."""
        qkv = self.to_qkv(x).unflatten(2, (-1, self.d_head))  # b t (n e) -> b t n e
        q, k, v = qkv.split([self.n_heads, self.n_kv_heads, self.n_kv_heads], dim=2)
        q, k = self._norm(self.query_norm, q), self._norm(self.key_norm, k)
        q, k, v = (z.transpose(1, 2) for z in (q, k, v))
        return self.query(q), self.key(k), self.value(v)

    def _norm(self, norm: nn.Module, z: Tensor) -> Tensor:
        """Normalise `b t n e` head by head, or all heads' coordinates of a token at once."""
        normed: Tensor = norm(z.flatten(2)).view_as(z) if self.norms_all_heads else norm(z)
        return normed

    def _read(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, start: int) -> Tensor:
        """Compute the output of each head at each token, `b h t e`."""
        if self._step_by_step:
            return self._read_step_by_step(q, k, v, bias, start)
        n_readers, n_sources = q.shape[2], k.shape[2]
        reads_all = bias is None and (self.window is None or self.window >= n_sources)
        needs_mask = not reads_all or (start > 0 and n_readers > 1)
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=self._mask(q, bias, start) if needs_mask else None,
            is_causal=not needs_mask and n_readers > 1,
            dropout_p=self.dropout if self.training else 0.0,
            enable_gqa=self.n_kv_heads < self.n_heads,
        )

    def _read_step_by_step(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, start: int
    ) -> Tensor:
        """Compute the same, with every step in sight."""
        k, v = (
            repeat(z, "b g s e -> b (g r) s e", r=self.n_heads // self.n_kv_heads) for z in (k, v)
        )
        return F.dropout(self._pattern(q, k, bias, start), self.dropout, self.training) @ v

    def _pattern(self, q: Tensor, k: Tensor, bias: Tensor | None, start: int) -> Tensor:
        """Compute how much each token reads from each source, `b h t s`; rows sum to 1."""
        scores = self.scores((q / self.d_head**0.5) @ k.mT)
        if self.softcap is not None:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        scores = self.masked_scores(scores + self._mask(q, bias, start))
        return self.pattern(scores.softmax(dim=-1))

    def _mask(self, q: Tensor, bias: Tensor | None, start: int) -> Tensor:
        """Give what to add to the scores of the readers `q`: `t s`, or `1 h t s` with a bias."""
        mask = _hide(q.shape[2], start, self.window, q.device, q.dtype)
        # The fused attention is slow with three axes, so there are four.
        return mask if bias is None else (bias + mask).unsqueeze(0)

    @property
    def _step_by_step(self) -> bool:
        watched = (self.scores.watched, self.masked_scores.watched, self.pattern.watched)
        return self.softcap is not None or any(watched)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _hide(
    n_readers: int, start: int, window: int | None, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Give 0 where a reader may read, -inf in the future and before its window, `t s`."""
    reader = torch.arange(start, start + n_readers, device=device)[:, None]
    source = torch.arange(start + n_readers, device=device)
    hidden = source > reader
    if window is not None:
        hidden |= source <= reader - window
    return torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill(hidden, -torch.inf)
