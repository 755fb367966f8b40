"""Pictures of attention: the stages of one reading, life without some heads, how heads formed."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from explorer.figures.labels import plotted, visible
from explorer.figures.picture import DARKEST, Picture, framed, name_tokens

_UNTOUCHED, _WITHOUT = "All heads", "Without the heads switched off"


def stage_bars(
    tokens: Sequence[str], stages: Mapping[str, np.ndarray], *, reader: int, source: int
) -> Picture:
    """Draw one reader's numbers for every source, a row a stage.

    Args:
        tokens: of the text, `t`.
        stages: title and numbers of each stage, `t`; -inf where nothing may be read.
        reader: the token that reads.
        source: the token that is followed; its bars have another colour and an outline.
    """
    figure = make_subplots(
        rows=len(stages),
        shared_xaxes=True,
        vertical_spacing=0.06,
        subplot_titles=list(stages),
    )
    places = np.arange(len(tokens))
    for row, values in enumerate(stages.values(), start=1):
        kept = [float(v) if np.isfinite(v) else None for v in np.round(values, 4)]
        bars = go.Bar(
            x=places,
            y=kept,
            customdata=[plotted(token) for token in tokens],
            hovertemplate="token %{x} “%{customdata}”: %{y:.3f}<extra></extra>",
            marker={"line": {"width": [2 if each == source else 0 for each in places]}},
            selectedpoints=[source],
            unselected={"marker": {"opacity": 0.45}},
        )
        figure.add_trace(bars, row=row, col=1)
    framed(figure, height=130 * len(stages) + 60)
    figure.update_layout(showlegend=False, bargap=0.15)
    name_tokens(figure, tokens)
    return Picture(figure=figure, alt=_stage_words(tokens, stages, reader, source))


def next_tokens(vocabulary: Sequence[str], probabilities: np.ndarray, *, most: int = 12) -> Picture:
    """Draw what comes next, with all heads and without some: the likeliest tokens of either.

    Args:
        vocabulary: what each token reads as.
        probabilities: untouched, and without, `2 v`.
        most: how many tokens to show.
    """
    order = np.argsort(-probabilities.max(0), kind="stable")[:most]
    names = [visible(vocabulary[token]) for token in order]
    figure = go.Figure()
    for row, title in enumerate((_UNTOUCHED, _WITHOUT)):
        figure.add_bar(
            y=np.arange(len(order)),
            x=np.round(probabilities[row, order], 4),
            orientation="h",
            name=title,
            marker_pattern_shape="/" if row else "",
            hovertemplate="%{x:.1%}",
        )
    framed(figure, height=90 + 26 * len(order), x="Probability", y="Next token")
    figure.update_layout(barmode="group", hovermode="y unified")
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    labels = [plotted(vocabulary[token]) for token in order]
    figure.update_yaxes(
        tickvals=np.arange(len(order)), ticktext=labels, autorange="reversed", showgrid=False
    )
    best = [probabilities[row].argmax() for row in (0, 1)]
    said = " and ".join(
        f"{probabilities[row, token]:.0%} for “{visible(vocabulary[token])}” {way}"
        for row, (token, way) in enumerate(
            zip(best, ("with all heads", "without those switched off"), strict=True)
        )
    )
    return Picture(
        figure=figure,
        alt=f"Probabilities of the next token; the likeliest: {said}. Shown: {', '.join(names)}.",
    )


def loss_change(tokens: Sequence[str], losses: np.ndarray, counts: np.ndarray) -> Picture:
    """Draw how much worse, or better, each token is expected without some heads.

    Args:
        tokens: of the text, `t`.
        losses: untouched, and without, `2 t-1` (nats).
        counts: whether a token counts when the model is judged, `t-1`; the others are pale.
    """
    change = losses[1] - losses[0]
    figure = go.Figure(
        go.Bar(
            x=np.arange(1, len(tokens)),
            y=np.round(change, 4),
            marker={"opacity": np.where(counts, 1.0, 0.3)},
            customdata=[
                [plotted(token), round(float(before), 3), round(float(after), 3)]
                for token, before, after in zip(tokens[1:], *losses, strict=True)
            ],
            hovertemplate=(
                "token %{x} “%{customdata[0]}”: %{customdata[1]} → %{customdata[2]}<extra></extra>"
            ),
        )
    )
    framed(figure, height=280, x="Token, by its place in the text", y="Change of its loss (nats)")
    name_tokens(figure, tokens)
    if not len(change):
        return Picture(figure=figure, alt="The text has one token, which nothing foretells.")
    worst = int(change.argmax())
    return Picture(
        figure=figure,
        alt=f"Change of the loss of each token; the largest is {change[worst]:+.2f} nats for token "
        f"{worst + 1} “{visible(tokens[worst + 1])}”.",
    )


def importance_map(growth: np.ndarray) -> Picture:
    """Draw how much the loss grows without each head alone, `l h` (nats)."""
    n_layers, n_heads = growth.shape
    figure = go.Figure(
        go.Heatmap(
            z=np.round(growth, 4),
            x=np.arange(n_heads),
            y=np.arange(n_layers),
            zmin=0,
            zmax=DARKEST * max(float(np.nanmax(growth, initial=0)), 1e-3),
            texttemplate="%{z:.2f}",
            hovertemplate="layer %{y}, head %{x}: %{z:+.3f} nats<extra></extra>",
            xgap=2,
            ygap=2,
            showscale=False,
        )
    )
    framed(figure, height=90 + 44 * n_layers, x="Head", y="Layer")
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_yaxes(dtick=1, autorange="reversed", showgrid=False)
    layer, head = divmod(int(np.nan_to_num(growth, nan=-np.inf).argmax()), n_heads)
    return Picture(
        figure=figure,
        alt=f"Growth of the loss without each of {n_layers} × {n_heads} heads alone; the largest "
        f"is {growth[layer, head]:.2f} nats a token, for layer {layer}, head {head}.",
    )


def formation(
    steps: Sequence[int],
    scores: np.ndarray,
    losses: np.ndarray,
    *,
    role: str,
    chosen: tuple[int, int],
) -> Picture:
    """Draw a role's score of every head, and the loss, against the step.

    Args:
        steps: at which the model was kept, `n`.
        scores: of the role, `n l h`.
        losses: on the same text, `n` (nats); NaN where nothing in it counts.
        role: its title.
        chosen: layer and head whose line is thick; those of the others are thin.
    """
    has_loss = bool(np.isfinite(losses).any())
    figure = make_subplots(rows=1 + has_loss, shared_xaxes=True, vertical_spacing=0.08)
    x = np.asarray(steps) + 1
    for layer in range(scores.shape[1]):
        for head in range(scores.shape[2]):
            is_chosen = (layer, head) == chosen
            line = go.Scatter(
                x=x,
                y=_rounded(scores[:, layer, head]),
                name=f"{layer}.{head}",
                mode="lines+markers" if is_chosen else "lines",
                line={"width": 4 if is_chosen else 1, "dash": "solid" if is_chosen else "dot"},
                hovertemplate=f"layer {layer}, head {head}: %{{y:.2f}}<extra></extra>",
                showlegend=False,
            )
            figure.add_trace(line, row=1, col=1)
    if has_loss:
        loss = go.Scatter(x=x, y=_rounded(losses), mode="lines+markers", showlegend=False)
        loss.hovertemplate = "loss %{y:.3f}<extra></extra>"
        figure.add_trace(loss, row=2, col=1)
    framed(figure, height=300 + 140 * has_loss)
    figure.update_yaxes(title=f"{role} score", range=[0, 1.02], row=1, col=1)
    if has_loss:
        figure.update_yaxes(title="Loss (nats)", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(
        type="log", tickvals=_few(x), ticktext=[f"{each - 1:,}" for each in _few(x)]
    )
    figure.update_xaxes(title="Step (spaced by its logarithm)", row=1 + has_loss, col=1)
    figure.update_layout(hovermode="x unified")
    return Picture(figure=figure, alt=_formation_words(steps, scores, losses, role, chosen))


def score_against_loss(
    steps: Sequence[int], scores: np.ndarray, losses: np.ndarray, *, role: str
) -> Picture:
    """Draw a head's score against the loss, step by step from right to left.

    Args:
        steps: at which the model was kept, `n`.
        scores: of one head, `n`.
        losses: `n` (nats).
        role: the title of the score.
    """
    rise = int(np.diff(scores, prepend=scores[0]).argmax())
    kept = {0, rise - 1, rise, len(steps) - 1}
    where = {len(steps) - 1: "bottom center", rise: "top left"}
    names = [f"step {step:,}" if at in kept else "" for at, step in enumerate(steps)]
    figure = go.Figure(
        go.Scatter(
            x=_rounded(losses),
            y=_rounded(scores),
            mode="lines+markers+text",
            text=names,
            textposition=[where.get(at, "top center") for at in range(len(steps))],
            customdata=list(steps),
            hovertemplate="step %{customdata}: score %{y:.2f} at loss %{x:.3f}<extra></extra>",
        )
    )
    framed(
        figure,
        height=320,
        x="Loss on the text (nats; training goes to the left)",
        y=f"{role} score",
    )
    figure.update_xaxes(autorange="reversed")
    figure.update_yaxes(range=[0, 1.1])
    return Picture(
        figure=figure,
        alt=f"{role} score against the loss: from {scores[0]:.2f} at {losses[0]:.2f} nats to "
        f"{scores[-1]:.2f} at {losses[-1]:.2f} nats.",
    )


def _few(values: np.ndarray) -> np.ndarray:
    """Take at most seven of them, of which none is near another by its logarithm."""
    places = np.log(values)
    kept = [len(values) - 1]
    for at in reversed(range(kept[0])):
        if places[kept[-1]] - places[at] >= (places[-1] - places[0]) / 6:
            kept.append(at)
    return np.asarray(values[kept[::-1]])


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in np.round(values, 4)]


def _stage_words(
    tokens: Sequence[str], stages: Mapping[str, np.ndarray], reader: int, source: int
) -> str:
    numbers = [f"{title} {values[source]:.3g}" for title, values in stages.items()]
    return (
        f"How token {reader} “{visible(tokens[reader])}” reads from token {source} "
        f"“{visible(tokens[source])}”: {'; '.join(numbers)}."
    )


def _formation_words(
    steps: Sequence[int],
    scores: np.ndarray,
    losses: np.ndarray,
    role: str,
    chosen: tuple[int, int],
) -> str:
    mine = scores[:, chosen[0], chosen[1]]
    words = (
        f"{role} score of layer {chosen[0]}, head {chosen[1]}: {mine[0]:.2f} at step {steps[0]:,}, "
        f"{mine[-1]:.2f} at step {steps[-1]:,}"
    )
    if np.isfinite(mine).all() and mine.max() > mine[0] + 0.1:
        rise = int(np.diff(mine).argmax())
        words += f", rising most between steps {steps[rise]:,} and {steps[rise + 1]:,}"
    if np.isfinite(losses).all():
        words += f"; the loss goes from {losses[0]:.2f} to {losses[-1]:.2f} nats"
    return f"{words}."
