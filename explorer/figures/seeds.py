"""What a number of seeds can tell: said before any run."""

from collections.abc import Sequence

import plotly.graph_objects as go

from explorer.figures.picture import THEME, Picture, framed

CUT_AT = 1.25
"""A bar is no higher than the second highest times this; an arrow says that it goes on."""


def detectable_differences(seeds: Sequence[int], least: Sequence[float], chosen: int) -> Picture:
    """Draw the smallest difference that each number of seeds finds.

    Args:
        seeds: numbers of seeds, growing.
        least: for each, the smallest difference, in standard deviations of paired differences.
        chosen: one of the numbers.
    """
    at, highest = list(seeds).index(chosen), CUT_AT * sorted(least)[-2]
    figure = go.Figure()
    figure.add_bar(
        x=list(seeds),
        y=[round(min(each, highest), 2) for each in least],
        customdata=[f"{each:.1f}" for each in least],
        marker={"color": THEME[0], "opacity": [1.0 if n == chosen else 0.35 for n in seeds]},
        textposition="outside",
        constraintext="none",
        cliponaxis=False,
        text=[f"{each:.1f}" + " ↑" * (each > highest) for each in least],
        hovertemplate="%{x} seeds: %{customdata} standard deviations<extra></extra>",
    )
    y = "Smallest difference found (standard deviations)"
    framed(figure, height=420, x="Seeds on each side", y=y)
    figure.update_xaxes(dtick=1)
    alt = (
        f"The smallest difference that is found in 8 of 10 cases, in standard deviations between "
        f"paired runs: with {chosen} seeds, as chosen, {least[at]:.1f}; with {seeds[0]}, "
        f"{least[0]:.1f}; with {seeds[-1]}, {least[-1]:.1f}."
    )
    return Picture(figure=figure, alt=alt)
