"""The frame that every page fills: its name and views, the picture, what changes it, and the words.

The picture comes first: it begins under one slim line and takes most of the first screen. What
changes it stands beside it, on a phone under it, with one sentence of what to look at and one thing
to try. Everything longer is below, or one press away. No page lays itself out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, Generic, ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, glossary, presentation, showing
from explorer.components import full_size
from explorer.page_list import entry
from explorer.widgets import choose_named

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where things stand on a page."""

    page: str
    view: str
    """Their names, as the link has them; a page without views has none."""
    takes_two: bool = False
    """Whether a second model can stand beside the first in this view."""
    picture: DeltaGenerator
    """What the view is about, as large as the first screen allows. What a view draws stands here,
    unless it says otherwise.
    """
    controls: DeltaGenerator
    """What changes the picture, beside it."""
    shared: DeltaGenerator
    """What all views of the page have in common, under the view's own controls."""
    words: DeltaGenerator
    """One sentence of what to look at, one or two of why it is so, and one thing to try."""
    below: DeltaGenerator
    """Under the first screen: more words, tables, further pictures, formula and code."""

    def introduce(self) -> None:
        """Say what to look at, why it is so, and one thing to do; what is longer stands below."""
        words = content.inside(self.page, self.view)
        first, more = words.first_sentence
        with self.words:
            glossary.say(first)
            if words.why:
                with st.container(key="why"):
                    glossary.say(words.why)
            glossary.say(f":material/touch_app: **Try it:** {words.try_it}")
        if more:
            with self.below:
                glossary.say(more)

    def explain(self, *, code: str, tensor: showing.LiveTensor | None = None) -> None:
        """Lay formula, running code and live tensor side by side; see `showing.explain`."""
        with self.below:
            showing.explain(self.page, self.view, code=code, tensor=tensor)


@dataclass(frozen=True)
class View(Generic[P]):
    """One thing that a page can show."""

    name: str
    """As the link and the folder of its words have it."""
    title: str
    show: Callable[Concatenate[Stage, P], None]
    """Draws it on a stage; all views of a page are given the same."""
    takes_two: bool = False
    """Whether it can show a second model beside the first; see `explorer.beside`."""

    def draw(self, stage: Stage, *given: P.args, **named: P.kwargs) -> None:
        """Draw it and its words: what has no other place stands in the picture's."""
        if content.has_words(stage.page, stage.view):
            stage.introduce()
        with stage.picture:
            self.show(stage, *given, **named)


def open_view(page: str, views: Sequence[View[P]]) -> tuple[View[P], Stage]:
    """Draw the frame of a page of several views; return the chosen view, and the stage for it.

    Args:
        page: its name.
        views: what it can show; the first one's name is in no link.
    """
    with _heading(page):
        view = _choose(views)
        _about(page)
    return view, _stage(page, view.name, takes_two=view.takes_two)


def open_page(page: str) -> Stage:
    """Draw the frame of a page without views; return the stage."""
    with _heading(page):
        _about(page)
    return _stage(page, "", takes_two=False)


def _heading(page: str) -> DeltaGenerator:
    glossary.begin()
    line = st.container(key="heading", horizontal=True, vertical_alignment="center", gap="small")
    line.title(entry(page).heading or entry(page).title, anchor=False, width="content")
    return line


def _about(page: str) -> None:
    """Say what the page is about, and let its picture fill the screen, each one press away."""
    with st.popover("About", icon=":material/info:", type="tertiary", key="about"):
        st.markdown(glossary.marked_apart(content.page(page)))
    if not presentation.is_on():
        full_size.offer()


def _choose(views: Sequence[View[P]]) -> View[P]:
    """Let the student choose a view by its title; its name is in the link, the first one's not."""
    by_name = {view.name: view for view in views}
    titles = {view.name: view.title for view in views}
    chosen = choose_named("What to see", titles, key="view", as_buttons=True, is_labelled=False)
    return by_name[chosen]


def _stage(page: str, view: str, *, takes_two: bool) -> Stage:
    """Make room: on a phone, one under the other in this order."""
    with st.container(key="stage", horizontal=True, gap="medium"):
        picture = st.container(key="picture", gap="xsmall")
        with st.container(key="side", gap="medium"):
            controls, shared, words = (
                st.container(key=key, gap="small") for key in ("controls", "shared", "words")
            )
    return Stage(
        page=page,
        view=view,
        takes_two=takes_two,
        picture=picture,
        controls=controls,
        shared=shared,
        words=words,
        below=st.container(key="below"),
    )
