"""What a page can show: its views, each one record, and the choice among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, ParamSpec

from explorer.widgets import choose_named

P = ParamSpec("P")


@dataclass(frozen=True)
class View(Generic[P]):
    """One thing that a page can show."""

    name: str
    """As the link and the folder of its words have it."""
    title: str
    show: Callable[P, None]
    """Draws it; all views of a page are given the same."""


def choose(views: Sequence[View[P]]) -> View[P]:
    """Let the student choose a view by its title; its name is in the link, the first one's is not.

    Args:
        views: of the page.
    """
    by_name = {view.name: view for view in views}
    titles = {view.name: view.title for view in views}
    chosen = choose_named("What to see", titles, key="view", as_buttons=True, is_labelled=False)
    return by_name[chosen]
