"""The words of the link that the app itself writes, kept from messages that do not know of them.

Each message of the browser brings the link as the browser has it. It may have left before the page
last wrote into the link, and would take that back: a student starts a run, and is shown the one
before. What has crossed like this is told apart here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer import content

CROSSING_SECONDS = 1.0
"""How long after a change of the link messages may still come that do not know of it."""
MOST_LETTERS = 40
"""Of a word that makes no sense, so many are said again."""
_OWN = "own words of the link"


@dataclass
class _Words:
    """What a page last knew of the words that are not Streamlit's."""

    page: str
    known: dict[str, str | None] = field(default_factory=dict)
    replaced: dict[tuple[str, str | None], float] = field(default_factory=dict)
    """When what a name had was replaced by the page, by name and word."""


def word(name: str) -> str | None:
    """What the link says under a name; None where it has no such name."""
    own, said = _own(), st.query_params.get(name)
    if has_crossed(name, said):
        said = own.known[name]
        _set(name, said)
    own.known[name] = said
    return said


def write(name: str, new: str | None) -> None:
    """Write a word into the link, or take a name out of it."""
    own, before = _own(), st.query_params.get(name)
    if new != before:
        own.replaced[name, before] = time.monotonic()
        own.replaced.pop((name, new), None)
        _set(name, new)
    own.known[name] = new


def has_crossed(name: str, said: str | None) -> bool:
    """Whether what the browser says is what the page itself has just replaced in the link.

    Args:
        name: in the link.
        said: the word, in the link or in a widget that shows what the link says.
    """
    own = _own()
    return name in own.known and said != own.known[name] and _has_crossed(own, name, said)


def is_news() -> bool:
    """Whether a part of the page asks for news by itself: no choice that a student makes outside of
    such a part comes with that, but what widgets showed before the page set them may.
    """
    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)


def by_hand(act: Callable[[], None]) -> Callable[[], None]:
    """A callback for a widget that the page sets, too: called for a student's choice alone."""

    def callback() -> None:
        if not is_news():
            act()

    return callback


def say_unknown(name: str, fits: Callable[[str], bool]) -> None:
    """Tell the student where a link asks for what there is not; the page shows the usual then.

    Args:
        name: in the link.
        fits: whether a word is one that can be shown.
    """
    said = st.query_params.get(name)
    if said and not fits(said):
        short = content.escaped(said if len(said) <= MOST_LETTERS else f"{said[:MOST_LETTERS]}…")
        st.toast(
            f"The link asks for {content.escaped(name)} “{short}”, which cannot be chosen here; "
            f"the page shows what can.",
            icon=":material/link_off:",
            duration="long",
        )


def draw_anew() -> NoReturn:
    """Have the whole page drawn anew, out of a part of it that runs by itself.

    With the link as the page has it: such a part asks for news without waiting for any answer, and
    what the browser says then of the link is older than the page.
    """
    for name, known in _own().known.items():
        if st.query_params.get(name) != known:
            _set(name, known)
    st.rerun()


def _own() -> _Words:
    """The words of this page: on the way to another, Streamlit drops from the link what it dropped
    from the screen.
    """
    context = get_script_run_ctx()
    page = context.page_script_hash if context else ""
    own: _Words | None = st.session_state.get(_OWN)
    if own is None or own.page != page:
        own = st.session_state[_OWN] = _Words(page)
    return own


def _has_crossed(own: _Words, name: str, said: str | None) -> bool:
    if is_news():
        return True
    context = get_script_run_ctx()
    if context and context.is_history_navigation:
        return False
    return time.monotonic() - own.replaced.get((name, said), -CROSSING_SECONDS) < CROSSING_SECONDS


def _set(name: str, new: str | None) -> None:
    if new is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = new
