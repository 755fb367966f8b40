"""Related research: nine papers, each with its key equation and a page to touch it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from explorer import content, session


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


_COMPUTE = Touch(
    page="architecture",
    label="Count parameters and operations of real models",
    link={"view": "compute"},
)

CARDS: Mapping[str, Card] = {
    "transformer": Card(
        name="Transformer",
        organisation="Google Brain",
        touch=Touch(page="attention", label="See attention at work", link={"view": "heads"}),
    ),
    "kaplan-scaling": Card(name="Scaling laws", organisation="OpenAI", touch=_COMPUTE),
    "chinchilla": Card(name="Chinchilla", organisation="DeepMind", touch=_COMPUTE),
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
"""The cards in order, by the id that the facts and the link have; the last three are beside."""
N_MAIN = 6


def paper(name: str) -> Mapping[str, Any]:
    """A paper's row in the facts.

    Raises:
        KeyError: if there is none of that name.
    """
    rows: list[Mapping[str, Any]] = content.facts("seven_key_papers")["papers"]
    return {row["id"]: row for row in rows}[name]


def show() -> None:
    """Show the cards; the one that the link names is open."""
    st.markdown(content.home("research"))
    session.take_from_link("paper", ["", *CARDS], usual="")
    named = str(session.widget("paper"))
    names = list(CARDS)
    _rows(names[:N_MAIN], named)
    st.subheader("Beside them", anchor=False)
    _rows(names[N_MAIN:], named)


def _rows(names: list[str], named: str) -> None:
    for name in names:
        card, row = CARDS[name], paper(name)
        box = st.expander(
            f"**{card.name}** · {row['year']} · {card.organisation}",
            expanded=name == named,
            key=_key(name),
            on_change=_note,
            args=(name,),
        )
        if box.open:
            with box:
                _inside(name, card, row)


def _key(name: str) -> str:
    return f"paper_{name}"


def _note(name: str) -> None:
    """Put the paper that was opened last into the link."""
    opened = name if session.widget(_key(name)) else ""
    session.set_widgets(paper=opened)
    session.put_into_link("paper", opened, usual="")


def _inside(name: str, card: Card, row: Mapping[str, Any]) -> None:
    st.markdown(f"$$\n{row['key_equation_latex']}\n$$")
    st.markdown(content.home(f"paper_{name}"))
    st.markdown(f"**For LLaMA:** {content.escaped(row['why_it_matters_to_llama'])}")
    st.markdown(
        f"*{content.escaped(row['title'])}*. {content.escaped(row['authors'])}, {row['year']}, "
        f"{content.escaped(row['org'])}. arXiv:{row['arxiv']}"
    )
    st.page_link(
        f"../pages/{card.touch.page}.py",
        label=card.touch.label,
        icon=":material/touch_app:",
        query_params=dict(card.touch.link),
    )
    unverified = row.get("unverified_fields", ())
    st.caption(content.cited(row["source"], row["confidence"], unverified))
