"""Tokens as labels: every character visible, and none of them taken for markup."""

from collections.abc import Sequence
from html import escape

_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}


def visible(token: str) -> str:
    """Show the blanks and control characters of a token."""
    return "".join(_VISIBLE.get(mark) or _shown(mark) for mark in token) or "∅"


def visible_all(tokens: Sequence[str]) -> list[str]:
    """Show the blanks and control characters of tokens."""
    return [visible(token) for token in tokens]


def ending(tokens: Sequence[str], most: int = 16) -> str:
    """Show the last tokens of a text, as many as have so many characters, but at least one."""
    shown = visible_all(tokens)
    n = 1
    while n < len(shown) and len("".join(shown[-n - 1 :])) <= most:
        n += 1
    return "…" * (n < len(shown)) + "".join(shown[-n:])


def beginning(tokens: Sequence[str], most: int = 16) -> str:
    """Show the first tokens of a text, as many as have so many characters."""
    shown = visible_all(tokens)
    n = 0
    while n < len(shown) and len("".join(shown[: n + 1])) <= most:
        n += 1
    return "".join(shown[:n]) + "…" * (n < len(shown))


def plotted(token: str) -> str:
    """Write a token so that Plotly, which reads some HTML in labels, shows it word for word."""
    return escape(visible(token), quote=False)


def numbered(tokens: Sequence[str], first: int = 0) -> list[str]:
    """Write tokens as Plotly shows them, each after its place in the text.

    Args:
        tokens: of a stretch.
        first: the place of the first, counted from 0.
    """
    return [f"{at} “{plotted(token)}”" for at, token in enumerate(tokens, start=first)]


def _shown(mark: str) -> str:
    return mark if mark.isprintable() else f"<U+{ord(mark):04X}>"
