"""The text as each kind of tokenizer cuts it."""

import numpy as np
import streamlit as st

from explorer import showing
from explorer.inside.tokens.pieces import token_row
from explorer.inside.tokens.tokenizer_setup import Cut, TokenizerSetup, offer_training
from explorer.stage import Stage
from tiny_llama.tokenizers import TOKENIZERS

ORDER = ("sentencepiece", "characters", "bytes")


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show the text in tokens, by each kind of tokenizer."""
    answer = setup.cuts([setup.text])
    for kind in ORDER:
        with st.container(border=True, key=f"cut_{kind}"):
            _one(setup, kind, answer["cuts"][0][kind], answer["sizes"][kind])
    stage.explain(
        code="tiny_llama.tokenizers.sentence_piece:SentencePieceTokenizer.encode",
        tensor=showing.LiveTensor(
            path="ids", axes="t", values=np.array(answer["cuts"][0]["sentencepiece"]["ids"])
        ),
    )


def _one(setup: TokenizerSetup, kind: str, cut: Cut, size: int) -> None:
    title = TOKENIZERS[kind].title
    st.markdown(f"**{title}** · vocabulary of {size:,}{_shortfall(setup, kind, size)}")
    st.html(
        token_row(
            cut["tokens"],
            cut["ids"],
            is_byte=cut["is_byte"] if kind == "sentencepiece" else (),
            is_unknown=cut["is_unknown"],
            title=title,
        )
    )
    st.caption(summary(setup.text, cut))
    offer_training(setup, kind)


def _shortfall(setup: TokenizerSetup, kind: str, size: int) -> str:
    if kind != "sentencepiece" or setup.vocab_size is None or size == setup.vocab_size:
        return ""
    return f" (of the {setup.vocab_size:,} wanted: the text holds no more pairs)"


def summary(text: str, cut: Cut) -> str:
    """Count what a text was cut into."""
    n = len(cut["ids"])
    words = (
        f"{n:,} token{'s' * (n != 1)} for {len(text):,} characters, {len(text.encode()):,} bytes: "
        f"{len(text) / n:.2f} characters per token, {len(text.encode()) / n:.2f} bytes per token"
    )
    if n_unknown := sum(cut["is_unknown"]):
        words += f" · {n_unknown:,} unknown (double frame), whose characters are lost"
    return words
