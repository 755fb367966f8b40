"""What each layer would say after each token, in HTML: a row a layer, a column a token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log

import numpy as np

from explorer.figures.labels import visible
from explorer.figures.logit_lens import row_names
from explorer.figures.next_token import percent


@dataclass(frozen=True, kw_only=True)
class Shade:
    """A number that colours the cells of the lens, and stands in each."""

    title: str
    name: str
    """Of the numbers in what the view found."""
    is_rank: bool = False


SHADES: Mapping[str, Shade] = {
    "Probability": Shade(title="the probability of its guess", name="top_probabilities"),
    "Entropy": Shade(title="the entropy in nats", name="entropies"),
    "Rank": Shade(title="the rank of the model's final token", name="final_ranks", is_rank=True),
}
STYLE = (
    "<style>"
    ".lens{container-type:inline-size;overflow-x:auto;direction:rtl}"  # its end is seen first
    ".lens table{direction:ltr;width:100%;height:calc(100dvh - var(--above) - 5.5rem);"
    "border-collapse:separate;border-spacing:2px;font-size:clamp(var(--least),"
    "calc((100cqw - 5rem)/var(--characters)*1.45),28px);line-height:1.2}"
    ".lens-words{margin:0 0 .25rem;font-size:.875rem;opacity:.85}"
    ".lens :is(th,td){padding:.1em .25em;text-align:center;white-space:pre;font-weight:400}"
    ".lens td{background:rgba(0,114,178,calc(.6*var(--share)))}"
    ".lens td small{display:block;font-size:max(.75em,12px);opacity:.85}"
    ".lens tr>:first-child{position:sticky;z-index:1;left:0;background:var(--ground,transparent);"
    "text-align:right;font-size:.875rem}"
    ".lens tr:last-child>th{font-weight:600}"
    ".lens .f{box-shadow:3px 0 currentColor,-3px 0 currentColor}"
    ".lens tr:first-child>.f{border-top:3px solid}"
    ".lens tr:last-child>.f{border-bottom:3px solid}"
    "@media(max-width:900px){.lens table{height:auto}}"
    "</style>"
)


def lens_table(
    tokens: Sequence[str],
    guesses: Sequence[Sequence[str]],
    values: np.ndarray,
    *,
    shade: Shade,
    least_letters: int,
    first: int = 0,
    framed_at: int | None = None,
) -> str:
    """Draw the guess of each layer after each token, in HTML, the last layer on top.

    Args:
        tokens: what is read, `t`.
        guesses: the likeliest token of each row and place, `l t`; row 0 is the embedding.
        values: what colours them, `l t`.
        shade: what that is.
        least_letters: pixels of the letters at the least; where they do not fit, it is scrolled.
        first: the place of the first token in the whole text.
        framed_at: the column that is looked at more closely; None: none of these.
    """
    names = row_names(len(guesses))
    shares = _shares(values, shade)
    lines = []
    for row in reversed(range(len(names))):
        cells = [
            f'<td{_frame(at, framed_at)} style="--share:{shares[row, at]:.2f}">'
            f"{escape(visible(guess))}<small>{_number(values[row, at], shade)}</small></td>"
            for at, guess in enumerate(guesses[row])
        ]
        lines.append(f'<tr><th scope="row">{names[row]}</th>{"".join(cells)}</tr>')
    read = (
        f'<th scope="col"{_frame(at, framed_at)}>{escape(visible(token))}</th>'
        for at, token in enumerate(tokens)
    )
    lines.append(f'<tr><th scope="row">after</th>{"".join(read)}</tr>')
    columns = zip(tokens, *guesses, strict=True)
    n_characters = sum(max(len(visible(each)) for each in column) + 1 for column in columns)
    style = f"--least:{least_letters}px;--characters:{n_characters}"
    label = f"What each layer would say after tokens {first + 1} to {first + len(tokens)}"
    words = f"Under each guess stands {shade.title}; the larger, the stronger the colour."
    return (
        f'{STYLE}<p class="lens-words">{words}</p><div class="lens scroll" style="{style}" '
        f'tabindex="0" role="group" aria-label="{label}"><table>{"".join(lines)}</table></div>'
    )


def _shares(values: np.ndarray, shade: Shade) -> np.ndarray:
    """Say of each number how large it is, from 0 to 1."""
    sizes = np.log(values) if shade.is_rank else values
    most = 1.0 if shade.name == "top_probabilities" else max(float(sizes.max()), log(2))
    return np.asarray(sizes / most)


def _number(value: float, shade: Shade) -> str:
    if shade.is_rank:
        return f"{value:.0f}"
    return percent(value) if shade.name == "top_probabilities" else f"{value:.1f}"


def _frame(at: int, framed_at: int | None) -> str:
    return ' class="f"' if at == framed_at else ""
