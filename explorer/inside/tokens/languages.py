"""One sentence in ten languages, and emoji: who pays how many tokens for the same words."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import streamlit as st

from explorer import content, showing
from explorer.figures.tokens import language_bars
from explorer.inside.token_boxes import token_row
from explorer.inside.tokens.tokenizer_setup import Cut, TokenizerSetup
from explorer.inspection import analyse
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.setup import OWN_TEXT
from tiny_llama.tokenizers import TOKENIZERS

ENGLISH, EMOJI = "English", "Emoji"
FAIR = "fair"
"""SentencePiece that has learned from these very sentences."""
TITLES = {
    "sentencepiece": "SentencePiece",
    FAIR: "SentencePiece of these sentences",
    "bytes": "Bytes",
    "characters": "Characters",
}


@cache
def sentences() -> dict[str, str]:
    """Give the sentence by language, English first, and a line of emoji at the end."""
    return {each["language"]: each["text"] for each in content.facts("declaration")["sentences"]}


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show what each tokenizer takes for each language, relative to English."""
    cuts = _cuts(setup)
    with stage.controls:
        kind = choose_named("Cut by", TITLES, key="cut_by")
        _lost(cuts, kind)
    languages = [name for name in sentences() if name != EMOJI]
    showing.draw(
        language_bars(languages, ratios([cuts[name][kind] for name in languages]), TITLES[kind]),
        key="language_bars",
    )
    with stage.below:
        _one(cuts, kind)
        st.markdown(language_table(cuts, kind))
        st.caption(
            "Article 1 of the Universal Declaration of Human Rights in the United Nations' "
            "translations, so the same in meaning though not in length; the emoji line is ours. "
            "Characters are Unicode code points, of which an emoji may have several."
        )
    stage.explain(
        code="tiny_llama.analyses.cutting:cut",
        tensor=showing.LiveTensor(
            path="n_tokens", axes="n", values=np.array([len(cuts[n][kind]["ids"]) for n in cuts])
        ),
    )


def _cuts(setup: TokenizerSetup) -> dict[str, dict[str, Cut]]:
    """Cut every line by every tokenizer."""
    lines = list(sentences().values())
    usual = setup.cuts(lines)
    own = "\n".join(lines)
    fair = analyse(
        "cuts",
        texts=lines,
        kinds=["sentencepiece"],
        corpus=OWN_TEXT,
        own=own,
        vocab_size=setup.vocab_size,
    )
    return {
        name: {**cut, FAIR: also["sentencepiece"]}
        for name, cut, also in zip(sentences(), usual["cuts"], fair["cuts"], strict=True)
    }


def ratios(cuts: Sequence[Cut]) -> np.ndarray:
    """Compute how many times as many tokens as the first each has."""
    counts = np.array([len(cut["ids"]) for cut in cuts])
    return np.asarray(counts / counts[0])


def _lost(cuts: dict[str, dict[str, Cut]], kind: str) -> None:
    """Say where a low number is no bargain."""
    n_unknown = {name: sum(cut[kind]["is_unknown"]) for name, cut in cuts.items()}
    lossy = [f"{name} {n:,}" for name, n in n_unknown.items() if n]
    if lossy:
        st.warning(
            f"{TITLES[kind]} lose what they do not know. Unknown characters: {', '.join(lossy)}.",
            icon=":material/warning:",
        )


def _one(cuts: dict[str, dict[str, Cut]], kind: str) -> None:
    languages = {name: name for name in cuts}
    language = choose_named("Show the tokens of", languages, key="language")
    cut, text = cuts[language][kind], sentences()[language]
    st.html(
        token_row(
            cut["tokens"],
            cut["ids"],
            is_byte=cut["is_byte"] if kind != TOKENIZERS["bytes"].kind.name else (),
            is_unknown=cut["is_unknown"],
            title=f"{language}, {TITLES[kind]}",
        )
    )
    n = len(cut["ids"])
    st.caption(
        f"{language}: {n:,} tokens for {len(text):,} characters, {len(text.encode()):,} bytes"
    )


def language_table(cuts: dict[str, dict[str, Cut]], kind: str) -> str:
    """Count the tokens of each line by one tokenizer, as a table in Markdown."""
    rows = [
        "| | tokens | relative to English | per character | per byte | characters | bytes |",
        f"| --- | {'---: | ' * 6}",
    ]
    english = len(cuts[ENGLISH][kind]["ids"])
    for name, text in sentences().items():
        n, n_bytes = len(cuts[name][kind]["ids"]), len(text.encode())
        relative = "–" if name == EMOJI else f"{n / english:.2f} ×"
        rows.append(
            f"| {name} | {n:,} | {relative} | {n / len(text):.2f} | {n / n_bytes:.2f} "
            f"| {len(text):,} | {n_bytes:,} |"
        )
    return "\n".join(rows)
