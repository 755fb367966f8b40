"""Which token reads from which: a labelled map, and arcs that follow the pointer.

Everything that a pointer or a key does happens in the browser. `page` packs the same view into one
HTML file that needs nothing else.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explorer.components.browser import part
from explorer.components.stand_alone import stand_alone

HERE = Path(__file__).parent
MOST_TOKENS = 32
"""More cannot be read from the back of a room; of a longer text, a window is shown."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What heads of a layer read in a window of a text, after one or several training steps."""

    tokens: Sequence[str]
    """Labels of the window, `n`."""
    first: int
    """Where in the text the window begins."""
    patterns: np.ndarray
    """`steps h n n`: how much each token reads from each; rows may sum to less than 1, where what
    is read lies before the window."""
    heads: Sequence[tuple[int, int, str]]
    """Layer, head and role of each head in `patterns`."""
    chosen: int
    """Which of them the map shows."""
    steps: Sequence[int]
    window: int | None
    """How many tokens, itself included, a token can read; None: all before it."""


def reading_map(
    reading: Reading, *, key: str, is_half: bool = False, has_arcs: bool = True
) -> None:
    """Draw the map and the arcs.

    Args:
        reading: what they show.
        key: identifies them on the page.
        is_half: whether another map stands beside this one; it then begins as high as it can.
        has_arcs: whether there is room for the arcs, too.
    """
    data = map_data(reading) | {"isHalf": is_half, "hasArcs": has_arcs}
    part("reading_map")(key=key, data=data, height="content")


def map_data(reading: Reading) -> dict[str, Any]:
    """Write down what the browser is sent; weights in 65,535ths."""
    weights = np.rint(65_535 * np.clip(np.nan_to_num(reading.patterns), 0, 1)).astype("<u2")
    return {
        "tokens": list(reading.tokens),
        "first": reading.first,
        "heads": [
            {"layer": layer, "head": head, "role": role} for layer, head, role in reading.heads
        ],
        "chosen": reading.chosen,
        "steps": list(reading.steps),
        "patterns": base64.b64encode(weights.tobytes()).decode(),
        "window": reading.window,
        "alt": map_words(reading),
    }


def map_words(reading: Reading) -> str:
    """Say what the chosen head reads after the last step: the strongest readings."""
    layer, head, role = reading.heads[reading.chosen]
    pattern = reading.patterns[-1, reading.chosen]
    strongest = np.argsort(pattern, axis=None)[::-1][:3]
    places = [divmod(int(place), pattern.shape[1]) for place in strongest]
    parts = [
        f"token {reading.first + reader} “{reading.tokens[reader]}” reads "
        f"{pattern[reader, source]:.0%} from token {reading.first + source} "
        f"“{reading.tokens[source]}”"
        for reader, source in places
    ]
    return f"Layer {layer}, head {head} ({role.lower()}): {'; '.join(parts)}."


def page(reading: Reading, title: str) -> str:
    """Pack the view as an HTML file of its own, which opens without this app and a network."""
    return stand_alone(HERE, "reading_map", "readingMap", title, map_data(reading))
