"""Related research: nine papers, each with its key equation and a page to touch it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from explorer import content, glossary, link
from explorer.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Touch:
    """Where a paper's idea can be touched in this app."""

    page: str
    label: str
    link: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A paper as the page shows it."""

    name: str
    organisation: str
    touch: Touch


_COMPUTE = {"view": "compute", "preset": "llama-1-65b"}

CARDS: Mapping[str, Card] = {
    "transformer": Card(
        name="Transformer",
        organisation="Google Brain",
        touch=Touch(page="attention", label="See attention at work", link={"view": "heads"}),
    ),
    "kaplan-scaling": Card(
        name="Scaling laws",
        organisation="OpenAI",
        touch=Touch(page="architecture", label="Put 6ND beside the exact sum", link=_COMPUTE),
    ),
    "chinchilla": Card(
        name="Chinchilla",
        organisation="DeepMind",
        touch=Touch(
            page="architecture",
            label="Count LLaMA 65B's training by 20 tokens a parameter",
            link={**_COMPUTE, "budget": "chinchilla"},
        ),
    ),
    "llama": Card(
        name="LLaMA",
        organisation="Meta AI",
        touch=Touch(page="train", label="Train a tiny one"),
    ),
    "rope": Card(
        name="RoPE",
        organisation="Zhuiyi Technology",
        touch=Touch(page="rotary", label="Turn queries and keys", link={"view": "rotation"}),
    ),
    "swiglu": Card(
        name="SwiGLU",
        organisation="Google",
        touch=Touch(page="norm_and_swiglu", label="See the gate open", link={"view": "gate"}),
    ),
    "rmsnorm": Card(
        name="RMSNorm",
        organisation="University of Edinburgh",
        touch=Touch(page="norm_and_swiglu", label="Compare the norms", link={"view": "norms"}),
    ),
    "gqa": Card(
        name="Grouped queries",
        organisation="Google Research",
        touch=Touch(page="generation", label="See the cache shrink", link={"view": "cache"}),
    ),
    "sentencepiece": Card(
        name="SentencePiece",
        organisation="Google",
        touch=Touch(page="tokens", label="Cut a text", link={"view": "cut"}),
    ),
}
"""The cards in order, by the id that the facts and the link have; the last three stand beside."""


HEIGHT = 560
"""Pixels of the cards, which scroll in them, on a phone; else as many as there is room for."""


def paper(name: str) -> Mapping[str, Any]:
    """Find a paper's row in the facts.

    Raises:
        KeyError: if there is none of that name.
    """
    rows: list[Mapping[str, Any]] = content.facts("seven_key_papers")["papers"]
    return {row["id"]: row for row in rows}[name]


def opened() -> str:
    """Name the open paper by its id; on every view, so that no nonsense stays in the link."""
    return str(link.value("paper", among=["", *CARDS]))


def show(stage: Stage) -> None:
    """Show each paper by its key equation; a press opens one."""
    with (
        st.container(height=HEIGHT, border=False, key="scrolled"),
        st.grid(min_column_width=340, gap="xsmall"),
    ):
        for name, card in CARDS.items():
            with st.container(border=True, gap="xxsmall"):
                _card(name, card, paper(name))
    if name := opened():
        card = CARDS[name]
        st.dialog(card.name, width="large", on_dismiss=_close)(_inside)(name, card, paper(name))


def _close() -> None:
    link.put(paper="")


def _card(name: str, card: Card, row: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"**{card.name}**",
            key=f"paper_{name}",
            type="tertiary",
            icon=":material/article:",
            on_click=partial(link.put, paper=name),
        )
        st.caption(f"{row['year']} · {card.organisation}")
    st.markdown(f"$$\n{on_card(row['key_equation_latex'])}\n$$")


def on_card(equation: str) -> str:
    """Write an equation so small, and on so many lines, that it fits a card on a phone."""
    lines = equation.replace(r",\qquad", r"\\").replace(r"\right)=", r"\right)\\ =")
    return rf"\footnotesize\begin{{gathered}}{lines}\end{{gathered}}"


def _inside(name: str, card: Card, row: Mapping[str, Any]) -> None:
    st.markdown(f"$$\n{row['key_equation_latex']}\n$$")
    st.markdown(glossary.marked_apart(content.home(f"paper_{name}")))
    st.markdown(f"**For LLaMA:** {content.escaped(row['why_it_matters_to_llama'])}")
    st.markdown(
        f"*{content.escaped(row['title'])}*. {content.escaped(row['authors'])}, {row['year']}, "
        f"{content.escaped(row['org'])}. arXiv:{row['arxiv']}"
    )
    link.offer(card.touch.page, card.touch.label, icon=":material/touch_app:", **card.touch.link)
    unverified = row.get("unverified_fields", ())
    st.caption(content.cited(row["source"], row["confidence"], unverified))
