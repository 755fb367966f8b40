"""The three-minute tour: one stop after the other, each a page with a box that says what to see.

The stop is in the link, so that a reload or somebody else opens at the same one. Keys are letters,
since arrows move sliders and charts; Streamlit hears none of them while one types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, glossary, link
from explorer.components.tour import show_subject


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A page, and how it is to be opened; what to look at is told in `content.tour(page)`."""

    page: str
    title: str
    subject: Sequence[str]
    """Keys of the elements that the stop speaks of, from the top down."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Named in full, also where it is the usual: the student may have left the page at another."""


STOPS = (
    Stop(
        page="home",
        title="LLaMA at a glance",
        subject=["replay", "model_card"],
        words={"view": "glance"},
    ),
    Stop(
        page="family_tree", title="The family tree", subject=["time_line"], words={"view": "tree"}
    ),
    Stop(
        page="architecture",
        title="The architecture",
        subject=["block_diagram"],
        words={"view": "block"},
    ),
    Stop(page="tokens", title="Tokens", subject=["picture"], words={"view": "cut"}),
    Stop(page="attention", title="Attention", subject=["heads"], words={"view": "heads"}),
    Stop(
        page="rotary", title="Rotary embeddings", subject=["turned_to"], words={"view": "rotation"}
    ),
    Stop(
        page="norm_and_swiglu",
        title="Norm and SwiGLU",
        subject=["norm_statistics", "two_results"],
        words={"view": "norms"},
    ),
    Stop(
        page="generation",
        title="Generation",
        subject=["next_tokens"],
        words={"view": "next"},
    ),
    Stop(page="compare", title="The race", subject=["race_losses"], words={"view": "race"}),
    Stop(
        page="scaling",
        title="How large, how long",
        subject=["law_map"],
        words={"view": "map"},
    ),
    Stop(page="train", title="Your turn", subject=["preset"]),
)
"""A quarter of a minute each, and a little more, makes three minutes."""


def offer() -> None:
    """Draw the button that starts the tour."""
    if st.button(
        "Take the three-minute tour", icon=":material/signpost:", key="take_tour", width="stretch"
    ):
        _go_to(1)


def show(page: str) -> None:
    """Show the box of the stop where the tour is, above the page; nothing without a tour.

    Args:
        page: its name.
    """
    number = _stop_in(link.value("tour"))
    if not number:
        link.put(tour="")  # what no stop has for a number is dropped from the link
        return
    stop = STOPS[number - 1]
    with st.container(border=True, gap="xsmall", key="tour"):
        if stop.page == page:
            _walk(number)
            st.markdown(glossary.marked_apart(content.tour(stop.page)))
            show_subject(number, stop.subject)
        else:
            _wait(number)
            st.markdown("The tour waits for you there.")


def _stop_in(word: str) -> int:
    """Find the stop's number, from 1; 0: none of that name."""
    return next((n for n in range(1, len(STOPS) + 1) if str(n) == word), 0)


def _walk(number: int) -> None:
    """Show which stop this is, and the ways on from it."""
    with _line(number):
        back = st.button(
            "Back",
            icon=":material/arrow_back:",
            key="tour_back",
            shortcut="B",
            disabled=number == 1,
        )
        on = number < len(STOPS) and st.button(
            "Next", icon=":material/arrow_forward:", key="tour_next", shortcut="N"
        )
        _leave("Leave the tour" if number < len(STOPS) else "End the tour")
    if back or on:
        _go_to(number + (1 if on else -1))


def _wait(number: int) -> None:
    """Show which stop is next, and the way back to it, for who has left it for another page."""
    with _line(number):
        on = st.button("Go there", icon=":material/arrow_forward:", key="tour_go", shortcut="N")
        _leave("Leave the tour")
    if on:
        _go_to(number)


def _line(number: int) -> DeltaGenerator:
    """Write the stop's name, with room beside it for buttons."""
    line = st.container(horizontal=True, vertical_alignment="center", key="tour_line")
    line.caption(f"Tour, stop {number} of {len(STOPS)}: {STOPS[number - 1].title}")
    return line


def _leave(label: str) -> None:
    """Leave the page as it is, without the box."""
    st.button(
        label,
        icon=":material/close:",
        key="tour_leave",
        type="tertiary",
        on_click=lambda: link.put(tour=""),
    )


def _go_to(number: int) -> None:
    """Go to a stop; its number comes with the link, so that the browser's back finds the last."""
    stop = STOPS[number - 1]
    link.go(stop.page, **stop.words, tour=str(number))
