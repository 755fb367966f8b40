"""The likeliest next tokens, before and after the settings of the draw."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import plotted, visible
from explorer.figures.picture import Picture, framed

STAGES: Mapping[str, str] = {
    "softmax": "softmax",
    "temperature": "temperature",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
}
"""What the stages of `tiny_llama.generation` are called."""


def next_tokens(
    tokens: Sequence[str],
    probabilities: np.ndarray,
    kept: np.ndarray,
    *,
    stages: Sequence[str],
    n_kept: int,
    most: float = 0.0,
) -> Picture:
    """Draw bars of what the model itself expects, and on them of what the next token is drawn from.

    Args:
        tokens: the likeliest, likeliest first, `n`.
        probabilities: after each stage, `s n`.
        kept: whether each can still be drawn after each stage, `s n`.
        stages: names of the stages, the model's own probabilities first.
        n_kept: how many tokens of all can still be drawn at the end.
        most: a probability for which the axis has room, too.
    """
    own, last = probabilities[0], probabilities[-1]
    ends = [
        percent(share) if is_in else f"out by {_which_took(column, stages)}"
        for share, is_in, column in zip(last, kept[-1], kept.T, strict=True)
    ]
    places = list(range(len(tokens)))
    figure = go.Figure(
        [
            _bars("the model's own", own, width=0.84, opacity=0.4),
            _bars("drawn from", last, width=0.42, opacity=1.0).update(
                text=ends,
                textposition="none",
            ),
            go.Scatter(
                x=np.maximum(own, last).round(4),
                y=places,
                mode="text",
                text=[f"  {end}" for end in ends],
                textposition="middle right",
                showlegend=False,
                hoverinfo="skip",
                cliponaxis=False,
            ),
        ]
    )
    framed(figure, height=90 + 24 * len(tokens), x="Probability")
    figure.update_layout(barmode="overlay", bargap=0)
    most = max(most, float(own.max()), float(last.max()))
    figure.update_xaxes(range=[0, 1.25 * most], tickformat=".0%")
    figure.update_yaxes(
        tickvals=places,
        ticktext=[plotted(token) for token in tokens],
        range=[len(tokens) - 0.5, -0.5],
        showgrid=False,
    )
    said = "; ".join(
        f"{visible(token)} {percent(share)}, {end if not is_in else f'drawn with {end}'}"
        for token, share, end, is_in in zip(tokens[:5], own[:5], ends[:5], kept[-1], strict=False)
    )
    return Picture(
        figure=figure,
        alt=f"The likeliest next tokens with the model's own probability and what the settings "
        f"make of it: {said}. {n_kept:,} token{'s' * (n_kept != 1)} can be drawn.",
    )


def percent(share: float) -> str:
    """Write a probability in percent, also a very small one."""
    if share >= 0.001:
        return f"{share:.1%}"
    return f"{100 * share:.1g}%" if share >= 1e-6 else "≈ 0%"


def _bars(name: str, shares: np.ndarray, *, width: float, opacity: float) -> go.Bar:
    return go.Bar(
        x=shares.round(5),
        y=list(range(len(shares))),
        orientation="h",
        name=name,
        width=width,
        opacity=opacity,
        hovertemplate="%{y}. %{x:.2%}<extra>" + name + "</extra>",
    )


def _which_took(kept: np.ndarray, stages: Sequence[str]) -> str:
    """Name the first stage after which a token was out."""
    return STAGES[stages[int(np.argmin(kept))]]
