"""Formulas with a model's own numbers plugged in, as Markdown."""

from collections.abc import Sequence

import numpy as np

from explorer import content
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from tiny_llama.menu import POSITION

MOST_TERMS = 3
"""Of a sum that is written out; the rest are dots."""


def stages(answer: Answer, source: int, position: str) -> str:
    """Write out how much the reader takes from one source, number by number.

    Args:
        answer: see `tiny_llama.analyses.stages`.
        source: the token that is read from.
        position: the model's position scheme.
    """
    reader, tokens = answer["reader"], answer["tokens"]
    names = [f"**{content.escaped(visible(tokens[at]))}** (token {at})" for at in (reader, source)]
    steps = [
        _product(answer, source),
        _position(answer, source, position),
        _scaled(answer, source),
        *_capped(answer, source),
        *_biased(answer, source),
        _share(answer, source),
        *_taken(answer, source),
    ]
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    return f"How {names[0]} reads from {names[1]}:\n\n{numbered}"


def number(value: float) -> str:
    """Write a number in a formula, with three decimals."""
    return f"{value:.3f}" if np.isfinite(value) else ("-\\infty" if value < 0 else "\\infty")


def in_brackets(value: float) -> str:
    """Write a number as a factor: a negative one in brackets."""
    return f"({number(value)})" if value < 0 else number(value)


def _product(answer: Answer, source: int) -> str:
    pairs = list(zip(answer["rotated_query"], answer["rotated_keys"][source], strict=True))
    terms = [rf"{in_brackets(q)} \cdot {in_brackets(k)}" for q, k in pairs[:MOST_TERMS]]
    return (
        rf"Query times key: $q \cdot k = {_sum(terms, len(pairs))} = "
        rf"{number(answer['products'][source])}$"
    )


def _position(answer: Answer, source: int, position: str) -> str:
    before = number(answer["unrotated"][source])
    distance = answer["reader"] - source
    scheme = POSITION[position]
    if scheme.turns:
        return (
            rf"Position: {scheme.short_title} has turned both by their places. Before the turn "
            rf"their product is ${before}$; the distance of ${distance}$ makes the difference."
        )
    if answer["has_bias"]:
        return "Position: it comes in below, as a number added to the score."
    if not scheme.tells_order:
        return "Position: this model is told none; only the mask lets it know the order."
    return "Position: it was added to the token at the very start, so it is inside $q$ and $k$."


def _scaled(answer: Answer, source: int) -> str:
    product, scaled = answer["products"][source], answer["scaled"][source]
    return rf"Scaled: ${number(product)} / \sqrt{{{answer['d_head']}}} = {number(scaled)}$"


def _capped(answer: Answer, source: int) -> Sequence[str]:
    if not (cap := answer["softcap"]):
        return []
    scaled, capped = number(answer["scaled"][source]), number(answer["capped"][source])
    return [rf"Soft cap: ${cap:g} \tanh({scaled} / {cap:g}) = {capped}$"]


def _biased(answer: Answer, source: int) -> Sequence[str]:
    if not answer["has_bias"]:
        return []
    capped, biased = answer["capped"][source], answer["biased"][source]
    return [
        rf"Plus position: ${number(capped)} + {in_brackets(biased - capped)} = {number(biased)}$"
    ]


def _share(answer: Answer, source: int) -> str:
    masked = answer["masked"]
    if not np.isfinite(masked[source]):
        why = "lies in the future" if source > answer["reader"] else "lies before the window"
        return rf"Masked: the source {why}, so its score becomes $-\infty$ and its share $0$."
    highest = masked.max()
    top = np.exp(masked[source] - highest)
    bottom = np.exp(masked - highest).sum()
    above = number(masked[source] - highest)
    return (
        rf"Softmax, with the highest score ${number(highest)}$ subtracted above and below: "
        rf"$\exp({above}) / \sum_{{s'}} \exp(S_{{s'}} - {in_brackets(highest)})"
        rf" = {number(top)} / {number(bottom)} = {number(answer['pattern'][source])}$"
    )


def _taken(answer: Answer, source: int) -> Sequence[str]:
    share, value = answer["pattern"][source], answer["values"][source]
    taken = ", ".join(number(share * each) for each in value[:MOST_TERMS])
    total = ", ".join(number(each) for each in answer["output"][:MOST_TERMS])
    dots = r", \dots" * (len(value) > MOST_TERMS)
    first = ", ".join(number(each) for each in value[:MOST_TERMS])
    return [
        rf"Times value: ${number(share)} \cdot ({first}{dots}) = ({taken}{dots})$",
        rf"Summed over all sources, the head's output is $({total}{dots})$",
    ]


def _sum(terms: Sequence[str], n_terms: int) -> str:
    return " + ".join(terms) + r" + \dots" * (n_terms > len(terms))
