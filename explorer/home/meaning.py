"""Why LLaMA matters: what is read aloud, with a picture, and the rest folded."""

from collections.abc import Sequence

import streamlit as st

from explorer import content, glossary, showing
from explorer.figures.published import Bar, bars
from explorer.home import model_card
from explorer.home.results import in_order
from explorer.home.sources import Fact, boxes, facts, sources
from explorer.home.tables import LLAMA, Entry, tables
from explorer.stage import Stage

N_ALOUD = 3
"""Claims that a teacher reads aloud."""
SCORE = "Average"
"""The measure of MMLU by which the picture is sorted."""


def show(stage: Stage) -> None:
    """Show size and score, beside them the claims; below, what it set off and what was new."""
    entries = by_score()
    st.markdown("**How large each model is; at the end of the bar, its average on MMLU**")
    picture = bars(_size_and_score(), title="Size and score of each model", x=_SIZE)
    showing.draw(picture, key="size_and_score")
    with stage.words, st.container(key="claims", gap="small"):
        boxes(aloud())
    with stage.below:
        st.caption(glossary.marked(content.home("table_mmlu")))
        st.caption(content.cited(entries[0].source, entries[0].confidence))
        _others()
        _openness()


def _others() -> None:
    """Show the other claims, folded until wanted, and where all of them come from."""
    with st.expander("Milestones and key innovations", icon=":material/flag:", key="milestones"):
        for (title, rows), place in zip(folded().items(), st.columns(2, gap="large"), strict=True):
            with place:
                st.header(title, anchor=False)
                boxes(rows)
    named = [*aloud(), *(row for rows in folded().values() for row in rows)]
    sources({row["title"]: row for row in named}, key="meaning_sources")


def _openness() -> None:
    """Show what of it is open, and its four sizes."""
    left, right = st.columns(2, gap="large")
    with left:
        model_card.show_open()
    with right:
        model_card.show_sizes()


def aloud() -> Sequence[Fact]:
    """Say what LLaMA is, and the first reasons why it matters."""
    return [*facts("description"), *facts("why")][:N_ALOUD]


def folded() -> dict[str, Sequence[Fact]]:
    """Give the other claims, by the title above them."""
    others = [*facts("description"), *facts("why")][N_ALOUD:]
    return {
        "Milestones": [*others, *facts("milestones")],
        "Key innovations": facts("innovations"),
    }


def by_score() -> list[Entry]:
    """List LLaMA and its rivals, from the best average on MMLU down."""
    return in_order(tables()["mmlu"].entries, SCORE, "score", "higher")


_SIZE = "Billions of parameters"


def _size_and_score() -> list[Bar]:
    """Give a bar for each model, as long as it is large."""
    return [
        Bar(
            label=entry.label,
            value=entry.parameters / 1e9,
            is_ours=entry.family == LLAMA,
            words=f"{entry.scores[SCORE]:.1f} %",
        )
        for entry in by_score()
    ]
