"""The residual stream along the layers, and the gradients that come back through it."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import numbered, visible
from explorer.figures.norms import DASHES, SYMBOLS, kept
from explorer.figures.picture import Picture, framed, log_axis, name_tokens, named_axis


def stream_map(
    tokens: Sequence[str], places: Sequence[str], lengths: np.ndarray, *, first: int
) -> Picture:
    """Draw how long the residual vector of each token is at each place.

    Args:
        tokens: the stretch shown, `t`.
        places: from the embedding on, `p`.
        lengths: `p t`.
        first: the place of the first token in the text, counted from 0.
    """
    figure = go.Figure(
        go.Heatmap(
            x=np.arange(first, first + len(tokens)),
            y=np.arange(len(places)),
            z=np.round(lengths, 2),
            zmin=0,
            customdata=[numbered(tokens, first)] * len(places),
            text=[[place] * len(tokens) for place in places],
            hovertemplate="token %{customdata}<br>%{text}: %{z}<extra></extra>",
            colorbar={"title": "|x|", "thickness": 12},
        )
    )
    framed(figure, height=120 + 22 * len(places))
    name_tokens(figure, tokens, first)
    figure.update_yaxes(**named_axis([_short(place) for place in places]))
    low, high = np.unravel_index(int(np.nanargmax(lengths)), lengths.shape)
    return Picture(
        figure=figure,
        alt=f"Length of the residual vectors of tokens {first} to {first + len(tokens) - 1}, from "
        f"{lengths.min():.2f} to {lengths.max():.2f}; the longest is that of token "
        f"{visible(tokens[int(high)])} (place {first + high}) at {places[int(low)]}. Averages: "
        + ", ".join(
            f"{place} {value:.2f}" for place, value in zip(places, lengths.mean(1), strict=True)
        )
        + ".",
    )


def parts_added(
    places: Sequence[str], lengths: np.ndarray, added: np.ndarray, shares: np.ndarray
) -> Picture:
    """Draw how long the stream is at each place, and what each part adds, on average.

    Args:
        places: from the embedding on, `p`.
        lengths: of the stream, averaged over the tokens, `p`.
        added: of what each part gives, likewise, `p-1`.
        shares: that as a share of the length before, likewise, `p-1`.
    """
    figure = go.Figure()
    figure.add_bar(
        y=np.arange(1, len(places)),
        x=kept(added),
        orientation="h",
        name="what the part adds",
        customdata=kept(shares),
        hovertemplate="%{x:.2f}, %{customdata:.0%} of the length before",
        marker={"pattern": {"shape": ["" if i % 2 == 0 else "/" for i in range(len(added))]}},
    )
    figure.add_scatter(
        y=np.arange(len(places)),
        x=kept(lengths),
        name="the stream after it",
        mode="lines+markers",
        hovertemplate="%{x:.2f}",
    )
    framed(figure, height=120 + 22 * len(places), x="Average length")
    figure.update_layout(hovermode="y unified")
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(**named_axis([_short(place) for place in places]))
    said = "; ".join(
        f"{place} adds {size:.2f} ({share:.0%} of the length before), which makes {length:.2f}"
        for place, size, share, length in zip(places[1:], added, shares, lengths[1:], strict=True)
    )
    return Picture(
        figure=figure, alt=f"The embedding is {lengths[0]:.2f} long. {said or 'No layers'}."
    )


def gradients_by_layer(gradients: np.ndarray, depth: int) -> Picture:
    """Draw the first gradient of every layer, norm before and norm after.

    Args:
        gradients: lengths, `2 l`, pre-norm first.
        depth: how many layers the models have.
    """
    figure = go.Figure()
    for name, values, dash, symbol in zip(_PLACED, gradients, DASHES, SYMBOLS, strict=False):
        figure.add_scatter(
            x=np.arange(depth),
            y=kept(values[:depth], 5),
            name=name,
            mode="lines+markers",
            line={"dash": dash},
            marker={"symbol": symbol},
            hovertemplate="%{y:.3g}",
        )
    framed(figure, height=340, x="Layer", y="Length of the gradient")
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(dtick=1 if depth <= 12 else 4)
    _log_axis(figure, gradients[:, :depth])
    said = "; ".join(
        f"{name}: {values[0]:.3g} in the first layer, {values[depth - 1]:.3g} in the last"
        for name, values in zip(_PLACED, gradients, strict=True)
    )
    return Picture(figure=figure, alt=f"Gradient at the first step of {depth} layers. {said}.")


def last_gradients(depths: np.ndarray, gradients: np.ndarray) -> Picture:
    """Draw the last layer's first gradient, against depth, with a line of 1 / sqrt(depth).

    Args:
        depths: `n`.
        gradients: of the last layer, `2 n`, pre-norm first.
    """
    figure = go.Figure()
    for name, values, dash, symbol in zip(_PLACED, gradients, DASHES, SYMBOLS, strict=False):
        figure.add_scatter(
            x=depths,
            y=kept(values, 5),
            name=name,
            mode="lines+markers",
            line={"dash": dash},
            marker={"symbol": symbol},
            hovertemplate="%{y:.3g}",
        )
    guide = gradients[0, 0] * np.sqrt(depths[0] / depths)
    figure.add_scatter(
        x=depths,
        y=kept(guide, 5),
        name="1/√depth",
        mode="lines",
        line={"dash": "dot", "width": 1},
        hoverinfo="skip",
    )
    framed(figure, height=340, x="Number of layers", y="Gradient of the last layer")
    figure.update_layout(hovermode="x unified")
    _log_axis(figure, np.stack([*gradients, guide]))
    figure.update_xaxes(type="log", tickvals=depths, ticktext=[str(depth) for depth in depths])
    said = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{value:.3g} with {depth} layers" for depth, value in zip(depths, values, strict=True)
        )
        for name, values in zip(_PLACED, gradients, strict=True)
    )
    return Picture(figure=figure, alt=f"Gradient of the last layer at the first step. {said}.")


_PLACED = ("Norm before (pre-norm)", "Norm after (post-norm)")


def _short(place: str) -> str:
    return place.replace("attention, layer ", "attn ").replace("feed-forward, layer ", "ff ")


def _log_axis(figure: go.Figure, values: np.ndarray) -> None:
    """Let a logarithmic axis span at least a power of ten, so that a flat line looks flat."""
    kept = values[np.isfinite(values) & (values > 0)]
    if kept.size:
        low, high = np.log10(kept.min()), np.log10(kept.max())
        spare = max(0.08, (1 - (high - low)) / 2)
        figure.update_yaxes(**log_axis(10 ** (low - spare), 10 ** (high + spare)))
