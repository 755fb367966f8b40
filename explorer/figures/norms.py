"""Norms: RMSNorm beside LayerNorm, what leaves them unmoved, and what they cost."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import visible
from explorer.figures.picture import Picture, framed, name_tokens

NORMS = ("RMSNorm", "LayerNorm")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "cross")
MOST_TOKENS, MOST_BESIDE = 40, 20
"""Of a text in a picture, so that most of them can be named; and in one beside another."""
MARK = {"color": "gray", "width": 1}
"""Of lines that point at something: seen on light and on dark."""


def norm_statistics(
    tokens: Sequence[str],
    means: np.ndarray,
    stds: np.ndarray,
    rms: np.ndarray,
    *,
    first: int,
    chosen: int,
) -> Picture:
    """Draw mean, standard deviation and root mean square of each token's vector.

    Args:
        tokens: the stretch shown, `t`.
        means: of each, `t`.
        stds: likewise.
        rms: likewise.
        first: the place of the first token in the text, counted from 0.
        chosen: the token that is looked at, counted likewise.
    """
    figure = go.Figure()
    places = np.arange(first, first + len(tokens))
    lines = {"root mean square": rms, "standard deviation": stds, "mean": means}
    for (name, values), dash, symbol in zip(lines.items(), DASHES, SYMBOLS, strict=False):
        figure.add_scatter(
            x=places,
            y=kept(values),
            name=name,
            mode="lines+markers",
            line={"dash": dash},
            marker={"symbol": symbol, "size": 5},
            hovertemplate="%{y:.3f}",
        )
    framed(figure, height=300, y="Size of a number")
    if first <= chosen < first + len(tokens):
        figure.add_vline(x=chosen - first, line=MARK)
    figure.update_layout(hovermode="x unified")
    name_tokens(figure, tokens, first)
    return Picture(
        figure=figure,
        alt=f"For tokens {first} to {first + len(tokens) - 1}: the mean lies between "
        f"{means.min():.3f} and {means.max():.3f}, the root mean square between {rms.min():.3f} "
        f"and {rms.max():.3f}, the standard deviation between {stds.min():.3f} and "
        f"{stds.max():.3f}.",
    )


def two_results(results: np.ndarray, token: str) -> Picture:
    """Draw each number of one token's vector after RMSNorm and after LayerNorm.

    Args:
        results: `2 d`, RMSNorm first.
        token: whose vector it is.
    """
    rms, layer = results
    limit = float(np.nanmax(np.abs(results), initial=1e-3)) * 1.05
    figure = go.Figure()
    figure.add_scatter(
        x=[-limit, limit],
        y=[-limit, limit],
        mode="lines",
        name="the same by both",
        line={"dash": "dot", "width": 1},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=kept(rms),
        y=kept(layer),
        mode="markers",
        name="a number of the vector",
        customdata=np.arange(len(rms)),
        hovertemplate="number %{customdata}: RMSNorm %{x:.3f}, LayerNorm %{y:.3f}<extra></extra>",
    )
    framed(figure, height=360, x="After RMSNorm", y="After LayerNorm")
    differences = np.abs(rms - layer)
    return Picture(
        figure=figure,
        alt=f"The {len(rms)} numbers of the vector of token {visible(token)} after RMSNorm "
        f"(across) and after LayerNorm (up). They differ by {differences.mean():.3f} on average "
        f"and by {differences.max():.3f} at most; the mean after RMSNorm is {rms.mean():+.3f}, "
        f"after LayerNorm {layer.mean():+.3f}.",
    )


def invariance(
    by: np.ndarray, changes: np.ndarray, chosen: float, *, multiplies: bool, edge: float = 0.0
) -> Picture:
    """Draw how much each norm's result moves when all its input is multiplied, or shifted.

    Args:
        by: the factors or the shifts, `n`.
        changes: the relative change of each norm's result, `2 n`, RMSNorm first.
        chosen: the factor or the shift looked at.
        multiplies: whether `by` are factors, on a logarithmic axis.
        edge: the factor at which eps begins to count, if it is known.
    """
    figure = go.Figure()
    for name, values, dash, symbol in zip(NORMS, changes, DASHES, SYMBOLS, strict=False):
        figure.add_scatter(
            x=by,
            y=kept(values, 6),
            name=name,
            mode="lines+markers",
            line={"dash": dash},
            marker={"symbol": symbol, "size": 5},
            hovertemplate="%{y:.1%}",
        )
    word = "multiplied by c" if multiplies else "shifted by c × rms"
    framed(figure, height=300, x=f"Input {word}", y="Change of the result")
    figure.update_layout(hovermode="x unified")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", range=[0, None])
    x = np.log10(chosen) if multiplies else chosen
    figure.add_vline(x=x, line=MARK)
    if multiplies:
        figure.update_xaxes(type="log", dtick=3, exponentformat="power")
        if edge > 0:
            figure.add_vline(
                x=np.log10(edge),
                line=MARK | {"dash": "dot"},
                annotation={"text": "eps"},
                annotation_position="right",
            )
    said = "; ".join(
        f"{name}: {values[0]:.1%} at c = {by[0]:g}, {values[len(by) // 2]:.1%} at "
        f"{by[len(by) // 2]:g}, {values[-1]:.1%} at {by[-1]:g}"
        for name, values in zip(NORMS, changes, strict=True)
    )
    return Picture(figure=figure, alt=f"Change of the result, input {word}. {said}.")


def norm_operations(operations: Mapping[str, Mapping[str, int]]) -> Picture:
    """Draw the operations of each norm for one token, by what they are for.

    Args:
        operations: by norm, then by part.
    """
    figure = go.Figure()
    names = list(operations)
    parts = [
        part for part in operations[names[0]] if any(each[part] for each in operations.values())
    ]
    for part, pattern in zip(parts, ("", "/", "x", "-", "+", "."), strict=False):
        figure.add_bar(
            y=names,
            x=[operations[name][part] for name in names],
            name=part,
            orientation="h",
            marker={"pattern": {"shape": pattern}},
            hovertemplate="%{x:,}",
        )
    framed(figure, height=260, x="Operations a token")
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed")
    said = "; ".join(
        f"{name} {sum(each.values()):,} ("
        + ", ".join(f"{part} {n:,}" for part, n in each.items() if n)
        + ")"
        for name, each in operations.items()
    )
    return Picture(figure=figure, alt=f"Operations a token: {said}.")


def kept(values: np.ndarray, decimals: int = 4) -> list[float | None]:
    """Write numbers as they travel: rounded, and a gap for what is none."""
    return [
        round(float(v), decimals) if np.isfinite(v) else None for v in np.asarray(values).ravel()
    ]
