"""Byte-pair encoding one merge at a time, each with the count that chose it."""

import streamlit as st

from explorer import link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.labels import visible
from explorer.figures.tokens import merge_counts
from explorer.inside.token_boxes import fitting, token_row
from explorer.inside.tokens.tokenizer_setup import TokenizerSetup
from explorer.inspection import analyse
from explorer.stage import Stage

BEFORE, AFTER = 4, 3
"""Merges listed around the chosen one."""
USUAL = 50
_SHARE = 0.4
"""Of the picture's room that the text takes before any merge; the same letters hold for all."""


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Let the student make merges one by one and see text, counts and vocabulary change."""
    answer = analyse("merges", **setup.source)
    n = len(answer["pairs"])
    if not n:
        st.info(
            "This vocabulary has no merged piece: its bytes and characters fill it; choose a "
            "larger one."
        )
        return
    with stage.controls:
        chosen = _choose(n)
    cut = analyse("merged", text=setup.text, n_merges=chosen, **setup.source)
    style = fitting(setup.text, share=_SHARE)
    st.html(token_row(cut["tokens"], cut["ids"], title=f"After {chosen} merges", style=style))
    st.markdown(_sentence(answer, chosen))
    pieces = ["".join(pair).replace("▁", " ") for pair in answer["pairs"]]
    showing.draw(merge_counts(pieces, answer["counts"], chosen), key="merge_counts")
    with stage.below:
        st.caption(
            f"Your text after {chosen:,} of {answer['n_pieces']:,} merges: {len(cut['ids']):,} "
            f"tokens, {len(setup.text) / len(cut['ids']):.2f} characters per token"
        )
        st.markdown(merge_table(answer, chosen))
        st.caption(_remark(setup, answer))
    stage.explain(
        code="tiny_llama.tokenizers.merging:replay",
        tensor=showing.LiveTensor(path="counts", axes="n", values=answer["counts"]),
    )


def _choose(n: int) -> int:
    """Let the student choose how many merges; a link or a larger vocabulary may say too many."""
    return int(
        link.widget(
            st.slider,
            "n_merges",
            "Merges made",
            usual=min(USUAL, n),
            min_value=0,
            max_value=n,
            help="The arrow keys go one by one.",
        )
    )


def _sentence(answer: Answer, chosen: int) -> str:
    if not chosen:
        return (
            "No merge has been made: each character is a token, or its bytes where it has no piece."
        )
    left, right = map(_shown, answer["pairs"][chosen - 1])
    count = int(answer["counts"][chosen - 1])
    return (
        f"Merge {chosen:,}: `{left}` + `{right}` → `{left}{right}`. In the training text, as cut "
        f"until then, `{left}` stood right before `{right}` **{count:,} "
        f"time{'s' * (count != 1)}**; no other two that may be joined did so more often."
    )


def merge_table(answer: Answer, chosen: int) -> str:
    """List the merges around the chosen one, as a table in Markdown."""
    rows = [["merge", "pair", "piece", "count"]]
    first = max(1, min(chosen - BEFORE, len(answer["pairs"]) - BEFORE - AFTER))
    for place in range(first, min(len(answer["pairs"]), first + BEFORE + AFTER) + 1):
        left, right = map(_shown, answer["pairs"][place - 1])
        mark = "**" if place == chosen else ""
        arrow = "▶ " if place == chosen else ""
        cells = [
            f"{arrow}{mark}{place:,}{mark}",
            f"`{left}` `{right}`",
            f"`{left}{right}`",
            f"{mark}{answer['counts'][place - 1]:,}{mark}",
        ]
        rows.append(cells)
    return showing.markdown_table(rows, "rllr")


def _shown(piece: str) -> str:
    """Write a piece for Markdown's code marks, with the table's and the code's own replaced."""
    return visible(piece.replace("▁", " ")).replace("`", "ˋ").replace("|", "¦")


def _remark(setup: TokenizerSetup, answer: Answer) -> str:
    n, n_pieces = len(answer["pairs"]), answer["n_pieces"]
    words = (
        f"Counted in {answer['n_words']:,} words, {answer['n_distinct']:,} different ones, of "
        f"{setup.corpus_title}. The vocabulary of {answer['vocab_size']:,}: 256 bytes, 3 special "
        f"tokens, {answer['vocab_size'] - 259 - n_pieces:,} characters and {n_pieces:,} merges."
    )
    if answer["is_exhausted"]:
        words += (
            f" After merge {n:,} no two neighbours were left that may be joined: the last "
            f"{n_pieces - n:,} pieces are pairs that had been merged away before, which "
            f"SentencePiece takes to fill the vocabulary."
        )
    elif n < n_pieces:
        words += f" The first {n:,} merges are shown."
    return words
