"""The headline: LLaMA-13B beside GPT-3, which is more than ten times its size."""

from collections.abc import Callable, Mapping

import streamlit as st

from explorer import content, glossary, showing
from explorer.figures.published import Pair, dumbbells
from explorer.home.tables import Duel, duels, sizes
from explorer.widgets import choose_named

ORDERS = {
    "gap": "How far LLaMA-13B is ahead",
    "score": "LLaMA-13B's score",
    "test": "Name of the test",
}
_ORDER: Mapping[str, Callable[[Duel], object]] = {
    "gap": lambda duel: -duel.gap,
    "score": lambda duel: -duel.llama,
    "test": lambda duel: duel.test.casefold(),
}


def show() -> None:
    """Show every score that both have, and say in words who is ahead."""
    st.header(headline(), anchor=False)
    st.markdown(in_words())
    with st.container(width=400):
        order = choose_named("Sorted by", ORDERS, key="order")
    rows = sorted(duels(), key=_ORDER[order])  # type: ignore[arg-type]
    pairs = [Pair(label=row.test, ours=row.llama, theirs=row.gpt3) for row in rows]
    showing.draw(
        dumbbells(pairs, ours="LLaMA-13B", theirs="GPT-3 175B", x="Score, %"), key="headline"
    )
    glossary.say(content.home("headline"))
    told = content.facts("llama_paper")["gpt3_vs_llama13b_derived"]
    st.caption(content.cited(told["source"], told["confidence"]))
    st.caption(content.cited(_SIZES, "derived"))


def times_smaller() -> float:
    """Compute how many times as many parameters GPT-3 has."""
    return sizes()["GPT-3 175B"] / sizes()["LLaMA-13B"]


def ahead() -> tuple[int, int]:
    """Count the scores on which LLaMA-13B is ahead, and all scores."""
    return sum(duel.gap > 0 for duel in duels()), len(duels())


def headline() -> str:
    """Say the finding in one line."""
    wins, n = ahead()
    times = f"{times_smaller():.0f} times smaller"
    return f"LLaMA-13B against GPT-3: {times}, ahead on {wins} of {n} scores"


def in_words() -> str:
    """Say the sizes, and where GPT-3 is ahead, in Markdown."""
    lost = sorted((duel for duel in duels() if duel.gap < 0), key=lambda duel: duel.gap)
    told = " and ".join(f"{duel.test} ({duel.gpt3:.1f} to {duel.llama:.1f})" for duel in lost)
    ours, theirs = sizes()["LLaMA-13B"], sizes()["GPT-3 175B"]
    return (
        f"**GPT-3 is ahead on {told}.** LLaMA-13B has {ours:,} parameters, GPT-3 {theirs:,}: "
        f"{times_smaller():.1f} times as many."
    )


_SIZES = (
    "parameters counted from LLaMA paper, arXiv:2302.13971, Table 2, and GPT-3 paper, "
    "arXiv:2005.14165, Table 2.1"
)
