"""Pictures of the pairs of a trained head: what they carry, where, and how they lie."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import numbered
from explorer.figures.picture import Picture, framed
from explorer.figures.rotary import short_wavelength, wavelength_words

MOST_CELLS = 4_096


def pair_bars(
    shares: np.ndarray, differences: np.ndarray, lengths: np.ndarray, *, chosen: int
) -> Picture:
    """Draw how much of a head's scores each pair carries.

    Args:
        shares: of the sizes, `e/2`.
        differences: of what differs between the sources of one reader, `e/2`.
        lengths: wavelengths, `e/2`.
        chosen: the pair that has an outline.
    """
    figure = go.Figure()
    pairs = np.arange(len(shares))
    kinds = ((shares, "share of the size", ""), (differences, "share of the differences", "/"))
    for values, name, shape in kinds:
        figure.add_bar(
            x=pairs,
            y=_rounded(values),
            name=name,
            marker={
                "pattern": {"shape": shape},
                "line": {
                    "width": [3 if each == chosen else 0 for each in pairs],
                    "color": "gray",
                },
            },
            customdata=[wavelength_words(each) for each in lengths],
            hovertemplate="pair %{x}, wavelength %{customdata}: %{y:.1%}<extra></extra>",
        )
    framed(figure, height=300, x="Pair, above its wavelength in positions", y="Share")
    figure.update_yaxes(tickformat=".0%")
    if len(pairs) <= 8:
        names = [f"{i}<br>{short_wavelength(each)}" for i, each in enumerate(lengths)]
        figure.update_xaxes(tickvals=pairs, ticktext=names, tickangle=0)
    first = int(shares.argmax())
    words = f"The size of the scores is carried most by pair {first} ({shares[first]:.0%})"
    if np.isfinite(differences).all():
        most = int(differences.argmax())
        words += (
            f", what differs between sources most by pair {most} ({differences[most]:.0%}, "
            f"wavelength {wavelength_words(lengths[most])})"
        )
    return Picture(figure=figure, alt=f"{words}.")


def pair_distances(values: np.ndarray, lengths: np.ndarray, *, are_shares: bool) -> Picture:
    """Draw what each pair adds to scores at each distance, `e/2 d`; as shares, columns sum to 1."""
    values = values[:, : max(1, MOST_CELLS // len(values))]
    top = max(float(np.abs(values).max()), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=np.round(values, 3).astype(np.float32),
            zmin=0 if are_shares else -top,
            zmax=top,
            autocolorscale=True,
            customdata=np.repeat(
                [[wavelength_words(each)] for each in lengths], values.shape[1], axis=1
            ),
            hovertemplate="pair %{y} (λ %{customdata}), distance %{x}: %{z:.3f}<extra></extra>",
            colorbar={"tickformat": ".0%" if are_shares else "", "thickness": 12},
        )
    )
    framed(figure, height=130 + 22 * min(len(values), 20), x="Distance (tokens)", y="Pair")
    figure.update_yaxes(autorange="reversed", showgrid=False, dtick=max(1, len(values) // 8))
    figure.update_xaxes(showgrid=False)
    pair, distance = divmod(int(np.abs(values).argmax()), values.shape[1])
    what = "Share of the size of the scores" if are_shares else "What each pair adds to the scores"
    number = f"{values[pair, distance]:.0%}" if are_shares else f"{values[pair, distance]:+.2f}"
    return Picture(
        figure=figure,
        alt=f"{what} at distances up to {values.shape[1] - 1}; the largest is {number}, by pair "
        f"{pair} at distance {distance}.",
    )


def planes(
    tokens: Sequence[str],
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
    *,
    pair: int,
) -> Picture:
    """Draw one pair of all queries and keys of a text, before they are turned and, under it, after.

    Args:
        tokens: of the text, `t`.
        before: queries and keys, `t 2` each.
        after: the same, turned.
        pair: its number.
    """
    reach = 1.1 * max(float(np.abs(np.concatenate([*before, *after])).max()), 1e-6)
    names = [f"token {token}" for token in numbered(tokens)]
    figure = go.Figure()
    for at, title in ((reach, "before turning"), (-reach, "after turning")):
        for x, y in (([-reach, reach], [at, at]), ([0, 0], [at - reach, at + reach])):
            figure.add_shape(
                type="line",
                x0=x[0],
                x1=x[1],
                y0=y[0],
                y1=y[1],
                line={"width": 1, "color": "gray", "dash": "dot"},
                layer="below",
            )
        figure.add_annotation(
            x=-0.02, xref="x domain", xanchor="right", y=at, text=title, showarrow=False
        )
    kinds = (("queries", "circle"), ("keys", "x"))
    for name, symbol, first, last in zip(*zip(*kinds, strict=True), before, after, strict=True):
        figure.add_scatter(  # both planes as one trace, so that they have one colour
            x=_rounded(np.concatenate([first[:, 0], last[:, 0]])),
            y=_rounded(np.concatenate([first[:, 1] + reach, last[:, 1] - reach])),
            name=name,
            mode="markers",
            marker={"symbol": symbol, "size": 7, "opacity": 0.7},
            text=names * 2,
            hovertemplate="%{text}<extra></extra>",
        )
    framed(figure, height=500)
    figure.update_xaxes(visible=False, range=[-1.05 * reach, 1.05 * reach], constrain="domain")
    figure.update_yaxes(
        visible=False, range=[-2.05 * reach, 2.05 * reach], scaleanchor="x", constrain="domain"
    )
    lengths = [np.hypot(*values.T).mean() for values in before]
    together = [_together(values) for values in (before[0], after[0])]
    return Picture(
        figure=figure,
        alt=f"Pair {pair} of {len(tokens)} queries and keys: mean lengths {lengths[0]:.2f} and "
        f"{lengths[1]:.2f}. The queries point {_way(together[0])} before turning and "
        f"{_way(together[1])} after.",
    )


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in np.round(values, 4)]


def _together(points: np.ndarray) -> float:
    """Say how far points lie in one direction: 1 all in the same, 0 in all directions."""
    total = np.hypot(*points.T).sum()
    return float(np.hypot(*points.sum(0)) / total) if total > 0 else 0.0


def _way(together: float) -> str:
    how = "mostly one way" if together > 0.7 else "all ways" if together < 0.3 else "several ways"
    return f"{how} ({together:.0%} of their length in one direction)"
