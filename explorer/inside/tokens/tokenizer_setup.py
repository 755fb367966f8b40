"""What is cut, and what the tokenizers learn from; all views of the Tokens page agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer import content, controls, link, session, showing
from explorer.engine.server.answer_cache import Answer
from explorer.inspection import analyse, example_text, text_box
from tiny_llama.corpora import CORPORA, Task
from tiny_llama.errors import UserError
from tiny_llama.setup import OWN_TEXT, TASK_TOKENIZER, Setup
from tiny_llama.tokenizers import TOKENIZERS

Cut = Mapping[str, Any]
"""See `tiny_llama.analyses.cutting.cuts`."""


@dataclass(frozen=True, kw_only=True)
class TokenizerSetup:
    """A text, and how the tokenizers that cut it are trained."""

    text: str
    corpus: str
    own: str
    """The student's own training text, where that is the corpus."""
    vocab_size: int | None
    """Wanted of SentencePiece."""

    @property
    def source(self) -> dict[str, Any]:
        """What analyses want to know about the training."""
        return {"corpus": self.corpus, "own": self.own, "vocab_size": self.vocab_size}

    @property
    def corpus_title(self) -> str:
        """What the tokenizers learn from, in words."""
        return "your own text" if self.corpus == OWN_TEXT else CORPORA[self.corpus].title

    @property
    def is_task(self) -> bool:
        """Whether the corpus is a task, which is always trained on in characters."""
        return isinstance(CORPORA.get(self.corpus), Task)

    def cuts(self, texts: Sequence[str], kinds: Sequence[str] = tuple(TOKENIZERS)) -> Answer:
        """Cut texts; see `tiny_llama.analyses.cutting.cuts`."""
        return analyse("cuts", texts=list(texts), kinds=list(kinds), **self.source)


def choose() -> TokenizerSetup:
    """Let the student choose text and training; ends the page if they cannot be used."""
    text = text_box(_example(), label="Text to cut into tokens")
    if not text.strip():
        showing.stop("There is no text to cut; write some words.")
    try:
        chosen = controls.tokenizer_basics()
    except UserError as error:
        showing.stop(str(error))
    setup = TokenizerSetup(
        text=text, corpus=chosen.corpus, own=chosen.own_text, vocab_size=chosen.vocab_size
    )
    if setup.is_task:
        st.caption(
            "A task is always trained on in characters, those of its alphabet. SentencePiece and "
            "bytes are shown for comparison; SentencePiece learns from 20,000 characters of "
            "exercises."
        )
    return setup


def offer_training(setup: TokenizerSetup, kind: str) -> None:
    """Offer the Train page with a tokenizer, where it can be used there."""
    if setup.is_task and kind != TASK_TOKENIZER:
        return
    words = {"corpus": setup.corpus, "tokenizer": kind}
    if setup.vocab_size is not None and TOKENIZERS[kind].vocab_size_bounds:
        words["vocab_size"] = str(setup.vocab_size)
    link.offer("train", "Train a model with this tokenizer", icon=":material/play_circle:", **words)


def _example() -> str:
    run = session.current_run()
    return example_text(run) if run else content.example(Setup.corpus)
