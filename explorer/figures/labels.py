"""Tokens as labels: every character visible, and none of them taken for markup."""

from collections.abc import Sequence
from html import escape

_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}


def visible(token: str) -> str:
    """A token with its blanks and control characters shown."""
    return "".join(_VISIBLE.get(mark) or _shown(mark) for mark in token) or "∅"


def visible_all(tokens: Sequence[str]) -> list[str]:
    """Tokens with their blanks and control characters shown."""
    return [visible(token) for token in tokens]


def plotted(token: str) -> str:
    """A token as Plotly shows it word for word, which reads a few HTML tags in labels."""
    return escape(visible(token), quote=False)


def numbered(tokens: Sequence[str], first: int = 0) -> list[str]:
    """Tokens as Plotly shows them, each after its place in the text.

    Args:
        tokens: of a stretch.
        first: the place of the first, counted from 0.
    """
    return [f"{at} “{plotted(token)}”" for at, token in enumerate(tokens, start=first)]


def _shown(mark: str) -> str:
    return mark if mark.isprintable() else f"<U+{ord(mark):04X}>"
