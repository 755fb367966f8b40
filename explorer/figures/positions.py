"""Pictures of position schemes: scores of two tokens by place, by distance, and longer texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from explorer.figures.picture import Picture, framed

MOST_PLACES = 64
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "cross", "star", "pentagon")


def toeplitz(
    scores: np.ndarray, *, places: Sequence[tuple[int, int]], title: str, along: float
) -> Picture:
    """Draw the score of one token at every place with another at every place.

    Args:
        scores: `t s`; the first ones are shown.
        places: of query and key, before and after both are moved.
        title: the scheme.
        along: the largest difference on one diagonal.
    """
    shown = scores[:MOST_PLACES, :MOST_PLACES]
    top = max(float(np.abs(shown).max()), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=np.round(shown, 3).astype(np.float32),
            zmin=-top,
            zmax=top,
            autocolorscale=True,
            hovertemplate="query at %{y}, key at %{x}: %{z:.3f}<extra></extra>",
            colorbar={"thickness": 12},
        )
    )
    inside = [each for each in dict.fromkeys(places) if max(each) < len(shown)]
    figure.add_scatter(
        x=[n for _, n in inside],
        y=[m for m, _ in inside],
        mode="lines+markers",
        line={"color": "gray", "width": 2},
        marker={
            "size": 11,
            "symbol": ["circle", "square"][: len(inside)],
            "color": "white",
            "line": {"color": "black", "width": 2},
        },
        hoverinfo="skip",
        showlegend=False,
    )
    framed(figure, height=380, x="Position of the key", y="Position of the query")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False)
    return Picture(
        figure=figure,
        alt=f"Scores under {title} for {len(shown)} × {len(shown)} positions, from "
        f"{shown.min():.2f} to {shown.max():.2f}; the largest difference between two of one "
        f"distance is {along:.2g}.",
    )


def moved_together(lines: Mapping[str, np.ndarray], *, m: int, n: int, by: int) -> Picture:
    """Draw scores as query and key move along together.

    Args:
        lines: the score by how far both have moved, by scheme.
        m: where the query starts.
        n: where the key starts.
        by: how far both have been moved.
    """
    figure = go.Figure()
    for at, (name, scores) in enumerate(lines.items()):
        figure.add_scatter(
            x=np.arange(len(scores)),
            y=_rounded(scores),
            name=name,
            mode="lines",
            line={"dash": _DASHES[at % len(_DASHES)], "width": 2.5},
            hovertemplate="%{y:.3f}",
        )
    figure.add_vline(x=by, line={"width": 1.5, "dash": "dot", "color": "gray"})
    framed(figure, height=380, x=f"Both moved by (from {m} and {n})", y="Score")
    figure.update_layout(hovermode="x unified")
    changes = [f"{name} {np.ptp(scores):.2g}" for name, scores in lines.items() if len(scores)]
    return Picture(
        figure=figure,
        alt=f"Scores of a query at {m} and a key at {n} as both move along. How much each "
        f"changes: {'; '.join(changes)}.",
    )


def random_decay(
    alike: tuple[np.ndarray, np.ndarray],
    unlike: tuple[np.ndarray, np.ndarray],
    bound: np.ndarray,
    *,
    context: int,
) -> Picture:
    """Draw scores of random queries and keys by distance, and the bound, each as a share.

    Args:
        alike: mean and spread for keys that equal their queries, `d`.
        unlike: the same for keys that have nothing to do with them.
        bound: of the paper, `d`.
        context: how many tokens the model reads in training.
    """
    unit = float(alike[0][0]) or 1.0
    figure = go.Figure()
    _add_band(figure, "key like the query", alike[0] / unit, alike[1] / unit, "solid")
    _add_band(figure, "key unlike the query", unlike[0] / unit, unlike[1] / unit, "dash")
    figure.add_scatter(
        x=np.arange(len(bound)),
        y=_rounded(bound / bound[0]),
        name="factor of the paper's bound",
        mode="lines",
        line={"dash": "dot"},
        hovertemplate="%{y:.3f}",
    )
    framed(figure, height=340, x="Distance (tokens)", y="Share of the score at distance 0")
    _mark_context(figure, context, len(bound))
    figure.update_layout(hovermode="x unified")
    last = len(bound) - 1
    return Picture(
        figure=figure,
        alt=f"Scores of random vectors by distance: those of keys like their queries fall from 1 "
        f"to {alike[0][last] / unit:.2f} at distance {last}, the bound to "
        f"{bound[last] / bound[0]:.2f}. Those of keys unlike their queries stay at "
        f"{np.abs(unlike[0]).max() / unit:.2f} or less on average.",
    )


def real_decay(
    means: np.ndarray, spreads: np.ndarray, happened: np.ndarray, *, context: int
) -> Picture:
    """Draw scores of a trained head by distance.

    Args:
        means: of all its queries with all its keys, `d`.
        spreads: their standard deviation, `d`.
        happened: means of those that stand so far apart in the text, NaN where none do, `d`.
        context: how many tokens the model reads in training.
    """
    figure = go.Figure()
    _add_band(figure, "all queries with all keys", means, spreads, "solid")
    known = np.flatnonzero(np.isfinite(happened))
    figure.add_scatter(
        x=known,
        y=_rounded(happened[known]),
        name="those so far apart in the text",
        mode="markers",
        marker={"symbol": "x", "size": 5},
        hovertemplate="%{y:.3f}",
    )
    framed(figure, height=340, x="Distance (tokens)", y="Score")
    _mark_context(figure, context, len(means))
    figure.update_layout(hovermode="x unified")
    inside = means[: max(1, context)]
    best = int(inside.argmax())
    return Picture(
        figure=figure,
        alt=f"Mean score of a head's queries and keys by distance: {means[0]:.2f} at distance 0, "
        f"highest within the context at distance {best} ({inside[best]:.2f}), "
        f"{means[-1]:.2f} at distance {len(means) - 1}. Spread at distance 0: {spreads[0]:.2f}.",
    )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Loss by position of one model."""

    name: str
    starts: np.ndarray
    """First position of each bin, from 1."""
    losses: np.ndarray
    errors: np.ndarray
    """Standard errors."""
    context: int
    bin: int


def losses_by_position(curves: Sequence[Curve], *, guessing: float) -> Picture:
    """Draw the loss by position, in units of each model's context in training.

    Args:
        curves: one a model.
        guessing: the loss of a guess at random (nats).
    """
    figure = go.Figure()
    for at, curve in enumerate(curves):
        last = curve.starts + curve.bin - 1
        figure.add_scatter(
            x=_rounded((curve.starts - 1 + curve.bin / 2) / curve.context),
            y=_rounded(curve.losses),
            name=curve.name,
            mode="lines+markers",
            line={"dash": _DASHES[(at + at // 6) % len(_DASHES)], "width": 2},  # 6 colours
            marker={"symbol": _SYMBOLS[at % len(_SYMBOLS)], "size": 6},
            customdata=np.stack([curve.starts, last, np.round(curve.errors, 3)], -1),
            hovertemplate=(
                "positions %{customdata[0]:.0f} to %{customdata[1]:.0f}: %{y:.3f} "
                "± %{customdata[2]:.3f}"
            ),
        )
    figure.add_vline(x=1, line={"width": 1.5, "dash": "dash", "color": "gray"})
    figure.add_hline(
        y=guessing,
        line={"width": 1.5, "dash": "dot", "color": "gray"},
        annotation={"text": "guessing at random"},
        annotation_position="top left",
    )
    framed(
        figure,
        height=400 + 12 * len(curves),
        x="Position, in lengths of the training context",
        y="Loss (nats a token)",
    )
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(range=[0, 4.02], dtick=1)
    said = [_said(curve) for curve in curves]
    return Picture(
        figure=figure,
        alt=f"Loss by position, up to four contexts; guessing at random is {guessing:.2f}. "
        f"{'; '.join(said)}.",
    )


def _said(curve: Curve) -> str:
    inside = curve.losses[curve.starts + curve.bin - 1 <= curve.context]
    words = f"{curve.name}: {inside[-1]:.2f} at the end of the context"
    if len(curve.losses) > len(inside):
        return f"{words}, {curve.losses[-1]:.2f} at {curve.starts[-1] / curve.context:.0f} contexts"
    return f"{words}, where it ends"


def _add_band(
    figure: go.Figure, name: str, means: np.ndarray, spreads: np.ndarray, dash: str
) -> None:
    """Draw a line with one standard deviation to either side."""
    x = np.arange(len(means))
    for edge, fill in ((means - spreads, None), (means + spreads, "tonexty")):
        figure.add_scatter(
            x=x,
            y=_rounded(edge),
            mode="lines",
            line={"width": 0, "color": "gray"},
            fill=fill,
            fillcolor="rgba(128, 128, 128, 0.2)",
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=x,
        y=_rounded(means),
        name=f"{name} (± 1 sd)",
        mode="lines",
        line={"dash": dash, "width": 1.5},
        legendgroup=name,
        hovertemplate="%{y:.3f}",
    )


def _mark_context(figure: go.Figure, context: int, shown: int) -> None:
    if context < shown:
        figure.add_vline(
            x=context,
            line={"width": 1.5, "dash": "dash", "color": "gray"},
            annotation={"text": f"context {context:,}"},
        )


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in np.round(values, 4)]
