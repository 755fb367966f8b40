"""Several texts of one model, and how likely each was."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from explorer.figures.picture import Picture, framed

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def sample_surprise(
    seeds: Sequence[int], log_probabilities: np.ndarray, *, most: float | None = None
) -> Picture:
    """Draw how improbable each text becomes as it grows: a steep place is an unlikely token.

    Args:
        seeds: a line each, `n`.
        log_probabilities: ln of what the model gave each token, `n t`.
        most: where the y axis ends; None: just above the highest line.
    """
    sums = np.cumsum(-log_probabilities, 1)
    places = list(range(1, sums.shape[1] + 1))
    figure = go.Figure(
        [
            go.Scatter(
                x=places,
                y=line.round(2),
                mode="lines",
                name=f"seed {seed}",
                line={"dash": _DASHES[number % len(_DASHES)]},
                hovertemplate="after %{x} tokens: %{y:.1f} nats",
            )
            for number, (seed, line) in enumerate(zip(seeds, sums, strict=True))
        ]
    )
    framed(figure, height=320, x="Tokens written", y="−ln probability of the text (nats)")
    if most is not None:
        figure.update_yaxes(range=[0, most])
    said = ", ".join(f"seed {seed} {sums[i, -1]:.1f}" for i, seed in enumerate(seeds))
    return Picture(
        figure=figure,
        alt=f"The sum of −ln probability as each text grows, after {len(places)} tokens, in nats: "
        f"{said}.",
    )
