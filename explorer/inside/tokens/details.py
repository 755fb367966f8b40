"""Four rules of the SentencePiece tokenizer, and what becomes of unknown characters."""

from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from explorer import showing
from explorer.inside.token_boxes import fitting, table, token_row
from explorer.inside.tokens.tokenizer_setup import Cut, TokenizerSetup
from explorer.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that a tokenizer does, and a text that shows it."""

    title: str
    says: str
    kind: str
    text: str


RULES = (
    Rule(
        title="Byte fallback",
        says="A character without a piece of its own is spelled in UTF-8 bytes (dashed frame).",
        kind="sentencepiece",
        text="a naïve 🦙",
    ),
    Rule(
        title="Unknown characters",
        says="Characters have no such way out: what the training text lacked is lost (double "
        "frame) and reads as �.",
        kind="characters",
        text="a naïve 🦙",
    ),
    Rule(
        title="Digits stand alone",
        says="No merge joins digits, so 2023 is the digits 2, 0, 2 and 3 in any text.",
        kind="sentencepiece",
        text="in 2023 and 12345",
    ),
    Rule(
        title="The leading-space mark",
        says="A space belongs to the word after it and is written ▁ in the vocabulary, here ␣. One "
        "more is put in front of the text, so that its first word is the same token as later ones.",
        kind="sentencepiece",
        text="the cat saw the (the) cat",
    ),
    Rule(
        title="No merge reaches over a space",
        says="Several spaces may join each other where the training text has them; a line break is "
        "always a byte.",
        kind="sentencepiece",
        text="one day\n    one day",
    ),
)


_SHARE = 0.27
"""Of the picture's room, since the words beside the examples take some."""


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show each rule on an example, and how often it acts in the text."""
    answer = setup.cuts([setup.text, *(rule.text for rule in RULES)])
    cuts = answer["cuts"]
    _in_the_text(cuts[0]["sentencepiece"], cuts[0]["characters"])
    examples = [cut[rule.kind] for rule, cut in zip(RULES, cuts[1:], strict=True)]
    style = fitting(*(cut["tokens"] for cut in examples), share=_SHARE)
    rows = zip(map(_words, RULES), map(partial(_row, style=style), RULES, examples), strict=True)
    st.html(table(rows, head="38%"))
    stage.explain(
        code="tiny_llama.tokenizers.sentence_piece:_bytes_of",
        tensor=showing.LiveTensor(
            path="byte_lengths()[ids]", axes="t", values=np.array(cuts[0]["sentencepiece"]["bytes"])
        ),
    )


def _words(rule: Rule) -> str:
    return f"<strong>{escape(rule.title)}.</strong> {escape(rule.says)}"


def _row(rule: Rule, cut: Cut, style: str) -> str:
    return token_row(
        cut["tokens"],
        cut["ids"],
        is_byte=cut["is_byte"],
        is_unknown=cut["is_unknown"],
        title=rule.text,
        style=style,
    )


def _in_the_text(pieces: Cut, characters: Cut) -> None:
    """Show how often each rule acts in the student's text."""
    numbers = {
        "Your text: fallback bytes": sum(pieces["is_byte"]),
        "unknown characters": sum(characters["is_unknown"]),
        "digits": sum(token.strip().isdecimal() for token in pieces["tokens"]),
        "leading spaces": sum(token.startswith(" ") for token in pieces["tokens"]),
    }
    showing.in_one_line({label: f"{number:,}" for label, number in numbers.items()})
