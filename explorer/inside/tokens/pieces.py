"""A text as a row of tokens: coloured, framed and apart, so that colour is not the only mark."""

from collections.abc import Sequence
from html import escape

from explorer.figures.labels import visible

_COLOURS = ("0,114,178", "230,159,0", "0,158,115", "204,121,167", "86,180,233")
"""Okabe and Ito's, thin enough to read on in light and dark."""
_STYLE = (
    "<style>"
    ".tokens{display:flex;flex-wrap:wrap;gap:4px 3px;max-height:22em;overflow-y:auto;"
    "font-family:monospace;line-height:1.25}"
    ".tokens b{display:inline-flex;flex-direction:column;align-items:center;padding:1px 4px;"
    "min-width:1.4em;border:1px solid rgba(128,128,128,.65);border-radius:4px;white-space:pre;"
    "font-weight:400;max-width:100%;overflow-wrap:anywhere}"
    ".tokens b.y{border-style:dashed}"
    ".tokens b.u{border:3px double currentColor}"
    ".tokens i{font-style:normal;font-size:.68em;opacity:.85}"
    + "".join(
        f".tokens b.c{n}{{background:rgba({colour},.26)}}" for n, colour in enumerate(_COLOURS)
    )
    + "</style>"
)


def token_row(
    tokens: Sequence[str],
    ids: Sequence[int],
    *,
    is_byte: Sequence[bool] = (),
    is_unknown: Sequence[bool] = (),
    title: str = "",
) -> str:
    """Tokens in HTML, each over its id, neighbours in different colours.

    Args:
        tokens: what they read as.
        ids: their numbers.
        is_byte: which stand for a byte and get a dashed frame; empty: none.
        is_unknown: which are unknown and get a double frame; empty: none.
        title: what this row is, for who does not see it.
    """
    cells = []
    for place, (token, each) in enumerate(zip(tokens, ids, strict=True)):
        mark = " u" if is_unknown and is_unknown[place] else ""
        mark = mark or (" y" if is_byte and is_byte[place] else "")
        shown = escape(visible(token))
        cells.append(f'<b class="c{place % len(_COLOURS)}{mark}">{shown}<i>{each}</i></b>')
    n = len(tokens)
    label = escape(f"{title}: {n:,} token{'s' * (n != 1)}, each with its id")
    frame = f'<div class="tokens" tabindex="0" role="group" aria-label="{label}">'
    return f"{_STYLE}{frame}{''.join(cells)}</div>"
