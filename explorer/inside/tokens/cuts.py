"""The text as each kind of tokenizer cuts it."""

from html import escape

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.inside.token_boxes import fitting, table, token_row
from explorer.inside.tokens.tokenizer_setup import Cut, TokenizerSetup, offer_training
from explorer.stage import Stage
from tiny_llama.tokenizers import TOKENIZERS

ORDER = ("sentencepiece", "characters", "bytes")
_SHARE = 0.75
"""Of the picture's room, since the words beside the tokens take some."""


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show the text in tokens, by each kind of tokenizer."""
    answer = setup.cuts([setup.text])
    cuts: dict[str, Cut] = answer["cuts"][0]
    style = fitting(*(cuts[kind]["tokens"] for kind in ORDER), share=_SHARE)
    rows = [
        (_head(setup, kind, cuts[kind], answer["sizes"][kind]), _boxes(kind, cuts[kind], style))
        for kind in ORDER
    ]
    st.html(table(rows, head="12rem"))
    with stage.below:
        for kind in ORDER:
            offer_training(setup, kind)
    stage.explain(
        code="tiny_llama.tokenizers.sentence_piece:SentencePieceTokenizer.encode",
        tensor=showing.LiveTensor(
            path="ids", axes="t", values=np.array(cuts["sentencepiece"]["ids"])
        ),
    )


def _head(setup: TokenizerSetup, kind: str, cut: Cut, size: int) -> str:
    """Say what cut the text, and into how much, in HTML."""
    title = escape(TOKENIZERS[kind].title)
    vocabulary = f"vocabulary of {size:,}{_shortfall(setup, kind, size)}"
    return (
        f"<strong>{title}</strong><small>{vocabulary}</small>"
        f"<small>{summary(setup.text, cut)}</small>"
    )


def _boxes(kind: str, cut: Cut, style: str) -> str:
    return token_row(
        cut["tokens"],
        cut["ids"],
        is_byte=cut["is_byte"] if kind == "sentencepiece" else (),
        is_unknown=cut["is_unknown"],
        title=TOKENIZERS[kind].title,
        style=style,
    )


def _shortfall(setup: TokenizerSetup, kind: str, size: int) -> str:
    if kind != "sentencepiece" or setup.vocab_size is None or size == setup.vocab_size:
        return ""
    return f" (of the {setup.vocab_size:,} wanted: the text holds no more pairs)"


def summary(text: str, cut: Cut) -> str:
    """Count what a text was cut into, in HTML."""
    n = len(cut["ids"])
    words = (
        f"{n:,} token{'s' * (n != 1)} for {len(text):,} characters, {len(text.encode()):,} bytes: "
        f"{len(text) / n:.2f} characters per token, {len(text.encode()) / n:.2f} bytes per token"
    )
    if lost := content.lost(sum(cut["is_unknown"])):
        words += f" · {lost} (double frame)"
    if spelled := content.in_bytes(cut["in_bytes"]):
        words += f" · {escape(spelled)} (dashed frames)"
    return words
