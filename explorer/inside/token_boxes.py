"""Tokens as boxes in HTML, one after the other, in letters as large as their room allows."""

from collections.abc import Iterable, Sequence
from html import escape
from math import sqrt

from explorer.figures.labels import visible

SMALLEST, LARGEST = 14, 56
"""Pixels of the letters."""
_LEAST, _LETTER, _AROUND, _GAP, _HIGH = 1.4, 0.6, 0.45, 0.25, 2.45
"""What a box takes: its least width, or a letter's and what is around them; a gap; its height."""
_RAGGED = 0.85
"""How much of a room is filled by boxes, since lines end where a box does not fit any more."""
_ROOM = "min(104dvh * var(--boxes, 1), 105vw)"
"""The side of a square as large as the stage's picture: on a projector, and on a phone. For the
back row the frame says how much smaller it is."""
_COLOURS = ("0,114,178", "230,159,0", "0,158,115", "204,121,167", "86,180,233")
"""Okabe and Ito's, thin enough to read on in light and dark."""
STYLE = (
    "<style>"
    ".tokens{display:flex;flex-wrap:wrap;align-content:flex-start;gap:.2em;overflow-y:auto;"
    "font-family:monospace;line-height:1.25}"
    ".tokens b{display:inline-flex;flex-direction:column;align-items:center;padding:.05em .2em;"
    f"min-width:{_LEAST}em;border:1px solid rgba(128,128,128,.65);border-radius:.25em;"
    "white-space:pre;font-weight:400;max-width:100%;overflow-wrap:anywhere}"
    ".tokens b.y{border-style:dashed}"
    ".tokens b.u{border:3px double currentColor}"
    ".tokens i{font-style:normal;font-size:max(.68em,12px);opacity:.85}"
    + "".join(
        f".tokens b.c{n}{{background:rgba({colour},.26)}}" for n, colour in enumerate(_COLOURS)
    )
    + ".cuts{width:100%;height:calc(100dvh - var(--above) - 3rem);border-collapse:collapse}"
    ".cuts :is(th,td){padding:.4rem .6rem .4rem 0;text-align:left;font-weight:400;"
    "border-top:1px solid rgba(128,128,128,.35)}"
    ".cuts tr:first-child>*{border:none}"
    ".cuts th small{display:block;font-size:.875rem;opacity:.85}"
    "@media(max-width:640px){.cuts{height:auto}.cuts tr>*{display:block;width:auto!important}"
    ".cuts td{border:none!important}}"
    "</style>"
)


def fitting(
    *rows: Sequence[str], share: float = 1.0, least: float = _LEAST, width: float = 1.0
) -> str:
    """Give the style in which rows of tokens fill a share of the stage's picture together.

    Args:
        rows: tokens, each row of them in a place of its own.
        share: of the picture's room, at most 1.
        width: of the picture's, at most 1.
        least: width of a box, in letters' heights.
    """
    widths = (
        _GAP + max(least, _LETTER * len(visible(token)) + _AROUND) for row in rows for token in row
    )
    side = sqrt(_RAGGED * share * width / max(1.0, _HIGH * sum(widths)))
    most = share if len(rows) == 1 else 0.75 * share
    return (
        f"font-size:clamp({SMALLEST}px,calc({_ROOM} * {side:.4f}),{LARGEST}px);"
        f"max-height:calc((100dvh - var(--above)) * {most:.3f})"
    )


def token_row(
    tokens: Sequence[str],
    ids: Sequence[int],
    *,
    is_byte: Sequence[bool] = (),
    is_unknown: Sequence[bool] = (),
    title: str = "",
    style: str = "",
) -> str:
    """Draw tokens in HTML, each over its id, neighbours in different colours.

    Args:
        tokens: what they read as.
        ids: their numbers.
        is_byte: which stand for a byte and get a dashed frame; empty: none.
        is_unknown: which are unknown and get a double frame; empty: none.
        title: what this row is, for who does not see it.
        style: see `fitting`; empty: small letters, with some lines seen at a time.
    """
    cells = []
    for place, (token, each) in enumerate(zip(tokens, ids, strict=True)):
        mark = " u" if is_unknown and is_unknown[place] else ""
        mark = mark or (" y" if is_byte and is_byte[place] else "")
        shown = escape(visible(token))
        cells.append(f'<b class="c{place % len(_COLOURS)}{mark}">{shown}<i>{each}</i></b>')
    n = len(tokens)
    label = f"{title}: {n:,} token{'s' * (n != 1)}, each with its id"
    return f"{STYLE}{boxed(cells, label=label, style=style)}"


def boxed(cells: Iterable[str], *, label: str, style: str = "") -> str:
    """Draw boxes in HTML, each a `b` with an `i` for its number, side by side, to be scrolled.

    Args:
        cells: in HTML.
        label: what they are, for who does not see it.
        style: see `fitting`; empty: small letters, with some lines seen at a time.
    """
    return (
        f'<div class="tokens" style="{style or "max-height:22em"}" tabindex="0" role="group" '
        f'aria-label="{escape(label)}">{"".join(cells)}</div>'
    )


def table(rows: Iterable[tuple[str, str]], *, head: str) -> str:
    """Draw rows of tokens in HTML, each beside what it is, that fill the stage's picture together.

    Args:
        rows: what it is, and the tokens, both in HTML.
        head: the width of the words, in CSS.
    """
    lines = (
        f'<tr><th scope="row" style="width:{head}">{words}</th><td>{boxes}</td></tr>'
        for words, boxes in rows
    )
    return f'{STYLE}<table class="cuts">{"".join(lines)}</table>'
