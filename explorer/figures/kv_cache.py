"""The size of the KV cache, and the time that it saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from explorer.figures.amounts import in_bytes
from explorer.figures.picture import Picture, framed


@dataclass(frozen=True, kw_only=True)
class CacheSizes:
    """The bytes of one model's cache, by how many key/value heads it might have."""

    title: str
    n_heads: int
    kv_heads: int
    multi_head: int
    own: int
    multi_query: int

    @property
    def kind(self) -> str:
        """Which of the three the model is."""
        if self.kv_heads == self.n_heads:
            return "multi-head"
        return "multi-query" if self.kv_heads == 1 else "grouped-query"


def cache_sizes(rows: Sequence[CacheSizes], *, n_tokens: int) -> Picture:
    """Draw what the cache of each model takes, beside what more or fewer heads would take.

    Args:
        rows: a model each, the first on top.
        n_tokens: the length of the text.
    """
    places = list(range(len(rows)))
    figure = go.Figure(
        [
            _dots("as multi-head", "circle-open", [row.multi_head for row in rows]),
            _dots("as multi-query", "square-open", [row.multi_query for row in rows]),
            _dots("as it is", "diamond", [row.own for row in rows], size=12),
        ]
    )
    framed(
        figure,
        height=90 + 34 * len(rows),
        x=f"Bytes of the cache at {n_tokens:,} tokens",
        y="Model, key/value heads : heads",
    )
    figure.update_xaxes(type="log", exponentformat="SI", ticksuffix="B", dtick=1)
    figure.update_yaxes(
        tickvals=places,
        ticktext=[f"{row.title}, {row.kv_heads} : {row.n_heads}" for row in rows],
        range=[len(rows) - 0.5, -0.5],
    )
    said = "; ".join(
        f"{row.title} ({row.kind}, {row.n_heads} heads, {row.kv_heads} key/value heads) "
        f"{in_bytes(row.own)}, {in_bytes(row.multi_head)} as multi-head, "
        f"{in_bytes(row.multi_query)} as multi-query"
        for row in rows
    )
    return Picture(figure=figure, alt=f"Bytes of the KV cache at {n_tokens:,} tokens: {said}.")


def cache_growth(lengths: Sequence[int], lines: Mapping[int, Sequence[int]], own: int) -> Picture:
    """Draw how the cache of one model grows with the text, by its number of key/value heads.

    Args:
        lengths: of the text, in tokens.
        lines: bytes at each length, by number of key/value heads.
        own: the number that the model has.
    """
    n_heads = max(lines)
    figure = go.Figure(
        [
            go.Scatter(
                x=list(lengths),
                y=list(n_bytes),
                mode="lines",
                name=f"{_kind(heads, n_heads)}{', this model' if heads == own else ''}",
                line={
                    "dash": "solid" if heads == own else "dot",
                    "width": 3 if heads == own else 2,
                },
                hovertemplate="%{x} tokens: %{y:,} bytes",
            )
            for heads, n_bytes in lines.items()
        ]
    )
    framed(figure, height=320, x="Tokens of the text", y="Bytes")
    figure.update_yaxes(exponentformat="SI", ticksuffix="B", rangemode="tozero")
    said = "; ".join(
        f"{_kind(heads, n_heads)} {in_bytes(n_bytes[-1])}" for heads, n_bytes in lines.items()
    )
    return Picture(
        figure=figure,
        alt=f"The bytes of this model's cache grow in a straight line with the text's length; at "
        f"{lengths[-1]:,} tokens: {said}. This model has {own} key/value head{'s' * (own != 1)}.",
    )


def token_times(lengths: np.ndarray, with_cache: np.ndarray, without_cache: np.ndarray) -> Picture:
    """Draw how long one more token takes after texts of several lengths.

    Args:
        lengths: tokens of the text, `n`.
        with_cache: seconds, `n`.
        without_cache: seconds, `n`.
    """
    lines = {"without the cache": (without_cache, "dash"), "with the cache": (with_cache, "solid")}
    figure = go.Figure(
        [
            go.Scatter(
                x=lengths,
                y=(1000 * seconds).round(3),
                mode="lines+markers",
                name=name,
                line={"dash": dash},
                hovertemplate="%{x} tokens: %{y:.2f} ms",
            )
            for name, (seconds, dash) in lines.items()
        ]
    )
    framed(figure, height=320, x="Tokens of the text", y="Milliseconds for one more token")
    figure.update_yaxes(rangemode="tozero")
    said = "; ".join(
        f"{name} {1000 * seconds[0]:.2f} ms at {lengths[0]} and {1000 * seconds[-1]:.2f} ms at "
        f"{lengths[-1]} tokens"
        for name, (seconds, _) in lines.items()
    )
    return Picture(figure=figure, alt=f"Measured time of one more token: {said}.")


def _kind(kv_heads: int, n_heads: int) -> str:
    if kv_heads == n_heads:
        return f"multi-head, {n_heads}"
    return "multi-query, 1" if kv_heads == 1 else f"grouped-query, {kv_heads}"


def _dots(name: str, symbol: str, n_bytes: Sequence[int], *, size: int = 10) -> go.Scatter:
    return go.Scatter(
        x=list(n_bytes),
        y=list(range(len(n_bytes))),
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": size, "line": {"width": 2}},
        text=[in_bytes(n) for n in n_bytes],
        hovertemplate="%{text}<extra>" + name + "</extra>",
    )
