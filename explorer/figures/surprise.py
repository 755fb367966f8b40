"""Where a text surprises a model."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.labels import plotted, visible
from explorer.figures.picture import Picture, framed, name_tokens

N_SAID = 3


def token_losses(
    tokens: Sequence[str],
    losses: np.ndarray,
    guesses: Sequence[str],
    judged: np.ndarray,
    *,
    average: float,
    uniform: float,
    first: int = 2,
    most: float | None = None,
) -> Picture:
    """Draw the loss of each token of a stretch of text.

    Args:
        tokens: the stretch, `t`.
        losses: of each token, in nats, `t`.
        guesses: what the model held for likeliest in its place, `t`.
        judged: whether each token counts, `t`; the bars of the others are hatched.
        average: over the tokens of the whole text that count.
        uniform: ln of the number of tokens: what a guess at random would lose.
        first: the place of the first token in the text, counted from 1.
        most: where the y axis ends; None: just above the highest bar or line.
    """
    places = list(range(first, first + len(tokens)))
    figure = go.Figure(
        go.Bar(
            x=places,
            y=losses.astype(np.float64).round(3),
            name="loss of the token",
            marker={"pattern": {"shape": ["" if counts else "/" for counts in judged]}},
            text=[plotted(guess) for guess in guesses],
            textposition="none",
            customdata=[f"{np.exp(-loss):.1%}" for loss in losses],
            hovertemplate="%{y:.2f} nats, probability %{customdata}<br>the model's guess: %{text}"
            "<extra></extra>",
            showlegend=False,
        )
    )
    for name, height, dash in (
        ("average of the text", average, "dash"),
        ("guess at random", uniform, "dot"),
    ):
        figure.add_scatter(
            x=places,
            y=[height] * len(places),
            mode="lines",
            name=f"{name}, {height:.2f}",
            line={"dash": dash},
            hoverinfo="skip",
        )
    framed(figure, height=320, y="Loss (nats)")
    name_tokens(figure, tokens, first)
    figure.update_yaxes(rangemode="tozero")
    if most is not None:
        figure.update_yaxes(range=[0, most])
    order = np.argsort(np.where(judged, -losses, np.inf), kind="stable")
    worst = [i for i in order[:N_SAID] if judged[i]]
    said = "; ".join(
        f"{visible(tokens[i])} at place {places[i]}, {losses[i]:.2f} nats, where the model "
        f"expected {visible(guesses[i])}"
        for i in worst
    )
    return Picture(
        figure=figure,
        alt=f"Loss of tokens {places[0]} to {places[-1]}; the average of the text is "
        f"{average:.2f} nats, a guess at random {uniform:.2f}. Most surprising: "
        f"{said or 'none that counts'}.",
    )
