"""Feed-forward networks: activations, gates, hidden units, and their width."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import numbered, visible
from explorer.figures.norms import DASHES, MARK, SYMBOLS
from explorer.figures.picture import Picture, framed, name_tokens, named_axis

N_TOP = 12


def activation_curves(
    z: np.ndarray, curves: Mapping[str, np.ndarray], chosen: int, *, y: str, top: float
) -> Picture:
    """Draw activations, or their derivatives, along what they read.

    Args:
        z: what they read, `n`.
        curves: by title, `n` each.
        chosen: which of `z` is looked at.
        y: what the curves are.
        top: where the picture ends; the curve that grows fastest leaves it.
    """
    figure = go.Figure()
    for (title, values), dash in zip(curves.items(), _dashes(), strict=False):
        figure.add_scatter(
            x=z,
            y=[round(float(v), 4) for v in values],
            name=title,
            mode="lines",
            line={"dash": dash},
            hovertemplate="%{y:.3f}",
        )
    figure.add_vline(x=float(z[chosen]), line=MARK)
    framed(figure, height=360, x="z", y=y)
    figure.update_yaxes(range=[-0.12 * top, top])
    figure.update_layout(hovermode="x unified")
    said = "; ".join(
        f"{title} {values[0]:.3f} at {z[0]:g}, {values[chosen]:.3f} at {z[chosen]:g}, lowest "
        f"{values.min():.3f}, {values[-1]:.3f} at {z[-1]:g}"
        for title, values in curves.items()
    )
    return Picture(figure=figure, alt=f"{y}: {said}.")


def product_map(z: np.ndarray, values: np.ndarray, title: str, *, most: float = 4.0) -> Picture:
    """Draw what a gated unit gives, for every pair of gate input and up.

    Args:
        z: what the activation reads, `n`.
        values: the activation there, `n`.
        title: of the gated network.
        most: how far either axis goes.
    """
    inside = np.flatnonzero(np.abs(z) <= most + 1e-9)[::4]
    across, gate = z[inside], values[inside]
    products = np.round(np.outer(across, gate), 3)
    figure = go.Figure(
        go.Heatmap(
            x=np.round(across, 3),
            y=np.round(across, 3),
            z=products,
            zmid=0,
            autocolorscale=True,
            hovertemplate="gate input %{x}, up %{y}: %{z:.2f}<extra></extra>",
            colorbar={"thickness": 12},
        )
    )
    framed(figure, height=380, x="z, what the gate reads", y="up")
    size = np.abs(products)
    return Picture(
        figure=figure,
        alt=f"{title}: activation of z times up, for both between {-most:g} and {most:g}. Where z "
        f"is negative the product stays within {size[:, across < 0].max():.2f}; where it is "
        f"positive it reaches {size.max():.2f}, with the sign of up.",
    )


def unit_map(
    tokens: Sequence[str], units: Sequence[int], values: np.ndarray, *, first: int, what: str
) -> Picture:
    """Draw the busiest hidden units (rows) on the tokens of a stretch (columns).

    Args:
        tokens: `t`.
        units: `n`.
        values: `n t`.
        first: the place of the first token in the text, counted from 0.
        what: what the values are.
    """
    most = float(np.nanmax(np.abs(values), initial=1e-6))
    figure = go.Figure(
        go.Heatmap(
            x=np.arange(first, first + len(tokens)),
            y=np.arange(len(units)),
            z=np.round(values, 2),
            zmin=-most,
            zmax=most,
            autocolorscale=True,
            customdata=[numbered(tokens, first)] * len(units),
            text=[[str(unit)] * len(tokens) for unit in units],
            hovertemplate="unit %{text}, token %{customdata}: %{z}<extra></extra>",
            colorbar={"thickness": 12},
        )
    )
    framed(figure, height=150 + 16 * len(units), y="Hidden unit")
    name_tokens(figure, tokens, first)
    figure.update_yaxes(**named_axis([str(unit) for unit in units]))
    figure.update_yaxes(range=[len(units) - 0.5, -0.5])
    row, column = np.unravel_index(int(np.nanargmax(np.abs(values))), values.shape)
    return Picture(
        figure=figure,
        alt=f"{what} of the {len(units)} units that do most on the text, for tokens {first} to "
        f"{first + len(tokens) - 1}; from {np.nanmin(values):.2f} to {np.nanmax(values):.2f}. The "
        f"strongest is unit {units[int(row)]} on token {visible(tokens[int(column)])} (place "
        f"{first + column}), {values[row, column]:.2f}.",
    )


def top_units(hidden: np.ndarray, gate: np.ndarray, up: np.ndarray, token: str) -> Picture:
    """Draw the units that do most on one token.

    Args:
        hidden: of every unit, `f`.
        gate: likewise.
        up: likewise.
        token: what it reads as.
    """
    order = np.argsort(-np.abs(hidden), kind="stable")[:N_TOP]
    places = np.arange(len(order))
    figure = go.Figure(
        go.Bar(
            x=places,
            y=[round(float(v), 3) for v in hidden[order]],
            customdata=[[int(u), round(float(gate[u]), 3), round(float(up[u]), 3)] for u in order],
            hovertemplate="unit %{customdata[0]}: %{y:.2f} = gate %{customdata[1]} × up "
            "%{customdata[2]}<extra></extra>",
        )
    )
    framed(figure, height=280, x="Hidden unit", y="hidden")
    figure.update_xaxes(**named_axis([str(unit) for unit in order]), tickangle=-90)
    said = ", ".join(f"unit {unit} {hidden[unit]:+.2f}" for unit in order[:5])
    return Picture(
        figure=figure,
        alt=f"The {len(order)} of {len(hidden)} units that do most on token {visible(token)}: "
        f"{said}, and so on.",
    )


def gate_density(
    counts: np.ndarray, gate_edges: np.ndarray, up_edges: np.ndarray, *, x: str, y: str
) -> Picture:
    """Draw how often a gate and what it multiplies take which values, over all units and tokens.

    Args:
        counts: `n_up n_gate`.
        gate_edges: of the columns.
        up_edges: of the rows.
        x: what is across.
        y: what is up.
    """
    middles = [(edges[1:] + edges[:-1]) / 2 for edges in (gate_edges, up_edges)]
    figure = go.Figure(
        go.Heatmap(
            x=np.round(middles[0], 4),
            y=np.round(middles[1], 4),
            z=np.round(np.log10(1 + counts), 2),
            zmin=0,
            customdata=counts,
            hovertemplate="%{x:.2f}, %{y:.2f}: %{customdata:,} values<extra></extra>",
            colorbar={
                "thickness": 12,
                "title": "values",
                "tickvals": [0, 1, 2, 3, 4],
                "ticktext": ["0", "9", "99", "999", "9,999"],
            },
        )
    )
    framed(figure, height=380, x=x, y=y)
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    return Picture(
        figure=figure,
        alt=f"{counts.sum():,} pairs of {x} (across) and {y} (up). Across from "
        f"{gate_edges[0]:.2f} to {gate_edges[-1]:.2f}, up from {up_edges[0]:.2f} to "
        f"{up_edges[-1]:.2f}; they are densest near ({middles[0][column]:.2f}, "
        f"{middles[1][row]:.2f}).",
    )


def near_zero(
    thresholds: np.ndarray, shares: Mapping[str, np.ndarray], threshold: float
) -> Picture:
    """Draw what share of hidden values is smaller than a threshold, for several models.

    Args:
        thresholds: as shares of the layer's root mean square, `n`.
        shares: by title, `n` each.
        threshold: the one that counts as near zero.
    """
    figure = go.Figure()
    for (title, values), dash, symbol in zip(shares.items(), DASHES, SYMBOLS, strict=False):
        figure.add_scatter(
            x=thresholds,
            y=[round(float(v), 4) for v in values],
            name=title,
            mode="lines+markers",
            line={"dash": dash},
            marker={"symbol": symbol, "size": 5},
            hovertemplate="%{y:.0%}",
        )
    framed(figure, height=340, x="Threshold, as a share of the layer's rms", y="Values below it")
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(
        type="log", tickvals=[0.001, 0.01, 0.1, 1, 10], ticktext=["0.001", "0.01", "0.1", "1", "10"]
    )
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.add_vline(x=np.log10(threshold), line=MARK)
    said = "; ".join(
        f"{title} {np.interp(np.log(threshold), np.log(thresholds), values):.0%}"
        for title, values in shares.items()
    )
    return Picture(
        figure=figure,
        alt=f"Share of hidden values below a threshold. Below {threshold:g} of the rms: {said}.",
    )


def width_lines(
    widths: np.ndarray,
    lines: Mapping[str, np.ndarray],
    points: Mapping[str, tuple[float, float]],
    budget: float,
) -> Picture:
    """Draw the parameters of a feed-forward network by its hidden width, with a gate and without.

    Args:
        widths: hidden widths, `n`.
        lines: parameters by title, `n` each.
        points: what is marked, by title: hidden width and parameters.
        budget: what the plain network of four times the width takes.
    """
    figure = go.Figure()
    for (title, values), dash in zip(lines.items(), DASHES, strict=False):
        figure.add_scatter(
            x=widths,
            y=values,
            name=title,
            mode="lines",
            line={"dash": dash},
            hovertemplate="%{y:,}",
        )
    for place, ((title, (x, y)), symbol) in enumerate(zip(points.items(), SYMBOLS, strict=False)):
        figure.add_scatter(
            x=[x],
            y=[y],
            name=title,
            mode="markers",
            marker={"symbol": f"{symbol}-open", "size": 12 + 4 * place, "line": {"width": 3}},
            hovertemplate="d_hidden %{x:,}: %{y:,} parameters",
        )
    figure.add_hline(y=budget, line=MARK | {"dash": "dot"})
    framed(figure, height=400, x="d_hidden", y="Parameters of a layer's feed-forward")
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(rangemode="tozero")
    said = "; ".join(
        f"{title}: d_hidden {x:,.0f}, {y:,.0f} parameters" for title, (x, y) in points.items()
    )
    return Picture(
        figure=figure,
        alt=f"Two lines that rise with d_hidden, three matrices steeper than two. {said}. The "
        f"level of the plain network of 4 d is {budget:,.0f}.",
    )


def _dashes() -> Sequence[str]:
    return ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
