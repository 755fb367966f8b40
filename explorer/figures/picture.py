"""A picture and its words."""

from dataclasses import dataclass

# Plotly looks whether pandas is there, and would meet it half imported by another student's page.
import pandas  # noqa: F401
import plotly.graph_objects as go


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A Plotly figure with a text alternative; colours are the page's theme, light or dark."""

    figure: go.Figure
    alt: str
    """Says what there is to see, for whoever does not see it."""


def framed(figure: go.Figure, *, height: int = 360, x: str = "", y: str = "") -> go.Figure:
    """Give a figure the frame that all have: axis titles, little margin, legend on top.

    Dragging is off, since on a phone it would catch the finger that scrolls.

    Args:
        figure: changed in place, and returned.
        height: in pixels.
        x: title of the x axis, with its unit.
        y: title of the y axis, with its unit.
    """
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": x, "automargin": True},
        yaxis={"title": y, "automargin": True},
    )


def with_type(figure: go.Figure, size: int) -> go.Figure:
    """Write all words of a figure in letters of one size.

    Args:
        figure: changed in place, and returned.
        size: in pixels.
    """
    font = {"size": size}
    figure.update_layout(font=font, legend={"font": font}, hoverlabel={"font": font})
    figure.update_layout(coloraxis={"colorbar": {"tickfont": font, "title": {"font": font}}})
    figure.update_xaxes(tickfont=font, title_font=font)
    figure.update_yaxes(tickfont=font, title_font=font)
    return figure.update_annotations(font=font)
