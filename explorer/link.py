"""The link: the only place that reads and writes it, and the one way to a widget that it names.

What the words of the link say is kept here, for every page; the browser's link follows, in one step
a run. It is read where a student arrives: in a new tab, by a link to another page, by the browser's
back and forward. A message of the browser that asks for anything else brings the link as the
browser had it when the message left, which may be older than what the page has written since; such
a message changes no word. So a live part of a page, which asks for news all the time, cannot take a
student back to a run or a view of before.

What the widgets showed when it left comes with each message, too, and Streamlit takes what differs
for a choice. In a question for news it is none. Where the page has set a widget, what it showed
before is no choice until the browser has been seen with the new link.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from explorer import content, state
from explorer.words import WORDS, Word

MOST_LETTERS, MOST_NAMES = 40, 3
"""Of a word that makes no sense, and of names that are none, so many are said again."""
_AS_DECLARED = object()
Place = tuple[str, str]
"""A page, empty where pages share the word, and the word's name."""


@dataclass
class _Link:
    """What this tab's link says, on all pages."""

    page: str = ""
    """Where the tab is; empty: nowhere yet."""
    values: dict[Place, Any] = field(default_factory=dict)
    """What is not usual."""
    shelved: dict[Place, Any] = field(default_factory=dict)
    """What was chosen where there is not the like of it now, for when there is again."""
    reasons: dict[Place, object] = field(default_factory=dict)
    """What a value was chosen for, where it is dropped when that changes."""
    arrived: set[str] = field(default_factory=set)
    """Words that have come with the link and have not been shown yet."""
    written: Mapping[str, str] = field(default_factory=dict)
    """The link as the page last wrote it."""
    unsaid: set[Place] = field(default_factory=set)
    """What the student has chosen since the browser was last seen with the link as it was written:
    links that were drawn before do not know of it.
    """
    drawn: set[str] = field(default_factory=set)
    """Keys of widgets that have been drawn on this page."""
    offered: dict[str, str] = field(default_factory=dict)
    """The label of each word's widget on this page, also of those that the link hides."""
    replaced: dict[str, Any] = field(default_factory=dict)
    """What widgets showed before the page set them, by key, until the browser has the new link."""
    is_ahead: bool = False
    """Whether the page has set a widget and has not written its link since: a run may be cut short
    between the two, and the browser's link then is that of before, though it is as written.
    """


# Arriving, and leaving a link behind: for the page's frame.


@contextmanager
def followed(page: str) -> Iterator[None]:
    """Have a page drawn as its link says, and the browser's link say what the page shows.

    Args:
        page: its name.
    """
    arrive(page)
    try:
        yield
    except RerunException:  # what comes next writes the link, or is another page
        raise
    except BaseException:  # a page that ends early, too
        write()
        raise
    write()


def arrive(page: str) -> None:
    """Take up the link, where a student has come by it.

    Args:
        page: its name.
    """
    link, said = _link(), _said()
    _confirm(link, said)
    if link.page == page and not _is_back_or_forward():
        return
    chosen = {} if _is_back_or_forward() else _just_chosen(link, said)
    if link.page != page:
        link.drawn.clear()
        link.offered.clear()
    link.page = page
    link.replaced.clear()
    link.unsaid.clear()
    for word in _living_on(page):
        _drop(link, _place(word, link.page))
        link.reasons.pop(_place(word, link.page), None)
    link.arrived = set()
    for name, text in said.items():
        _take(link, name, text)
    if unknown := [name for name in said if name not in WORDS]:
        _say_not_ours(unknown)
    link.values |= chosen


def write() -> None:
    """Let the browser's link say what the page shows; one step of its history, if any."""
    link = _link()
    link.written, link.is_ahead = to(link.page), False
    if _said() != link.written:
        st.query_params.from_dict(link.written)


# Words.


def value(
    name: str,
    *,
    usual: Any = _AS_DECLARED,
    among: Container[object] | None = None,
    nearest: bool = False,
    because: object = None,
) -> Any:
    """Tell what a word says on this page.

    Args:
        name: in `explorer.words.WORDS`.
        usual: what it is where the link does not say it; as the table has it, where that does.
        among: what there is on this page; what there is not is the usual, and if it has just come
            with the link, the student is told.
        nearest: whether it is the nearest number instead.
        because: what a choice depends on; when that changes, the usual holds again.
    """
    link, word = _link(), WORDS[name]
    assert link.page in word.pages or not link.page, f"{name} does not live on {link.page}"
    place, usual = _place(word, link.page), word.usual if usual is _AS_DECLARED else usual
    if because is not None and link.reasons.setdefault(place, because) != because:
        _drop(link, place)
        link.reasons[place] = because
    if place not in link.values and place in link.shelved:
        link.values[place] = link.shelved.pop(place)
    if place not in link.values:
        return usual
    said = link.values[place]
    if (found := _fit(said, among, usual, nearest=nearest)) != said:
        if name in link.arrived:
            _say_unknown(name, word.kind.write(said))
        link.values[place], link.shelved[place] = found, said
    link.arrived.discard(name)
    if found == usual:
        link.values.pop(place, None)
    return found


def offered() -> Mapping[str, str]:
    """List the words that this page has widgets for, with their labels; also those it hides."""
    return {name: label for name, label in _link().offered.items() if name != "hide"}


def put(**values: Any) -> None:
    """Let words say something else from now on, on this page and where they are shared."""
    link = _link()
    for name, new in values.items():
        word = WORDS[name]
        _drop(link, _place(word, link.page))
        if word.usual is None or new != word.usual:
            link.values[_place(word, link.page)] = new


def forget(names: Iterable[str]) -> None:
    """Let words say what is usual."""
    link = _link()
    for name in names:
        _drop(link, _place(WORDS[name], link.page))


def widget(
    draw: Callable[..., Any],
    name: str,
    label: str,
    *,
    usual: Any = _AS_DECLARED,
    among: Container[object] | None = None,
    nearest: bool | None = None,
    because: object = None,
    then: Callable[[], None] | None = None,
    folded: bool = False,
    is_drawn: bool = True,
    **options: Any,
) -> Any:
    """Draw a widget that shows a word of the link, and changes it; return what it shows.

    Args:
        draw: Streamlit's, as `st.slider`.
        name: of the word, and the widget's key.
        label: of the widget.
        usual: see `value`, as for the rest.
        among: usually the widget's `options`, or what lies between its `min_value` and `max_value`.
        nearest: usually where it has those two.
        because: see `value`.
        then: called when the student has chosen.
        folded: whether it stands in a popover. Of a widget there, Streamlit 1.67 forgets what the
            page set if the page is drawn again before the popover is opened; it shows its default
            then, which therefore is the same.
        is_drawn: whether it is; if not, what it would show is returned all the same.
        options: the widget's own.
    """
    if among is None and "options" in options:
        among = list(options["options"])
    if among is None and "max_value" in options:
        among = Between(options["min_value"], options["max_value"])
    is_near = isinstance(among, Between | range) if nearest is None else nearest
    shown = value(name, usual=usual, among=among, nearest=is_near, because=because)
    _link().offered[name] = label
    if not is_drawn or name in value("hide"):
        return shown
    show(name, shown)
    if draw is st.number_input:  # what an emptied box shows then, where it may not be empty
        options.setdefault("value", WORDS[name].usual if usual is _AS_DECLARED else usual)

    if folded:
        options |= _default(draw, shown, options)

    def choose() -> None:
        _choose(WORDS[name], state.shown(name))
        if then is not None:
            then()

    draw(label, key=name, on_change=by_hand(name, choose), **options)
    return shown


def _default(draw: Callable[..., Any], shown: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Name the option of a widget by which it shows this by itself."""
    if draw is st.selectbox:
        return {"index": list(options["options"]).index(shown)}
    return {"default" if draw in (st.segmented_control, st.pills) else "value": shown}


@dataclass(frozen=True)
class Between:
    """Numbers from one to another; nothing chosen is among them, too."""

    low: float
    high: float

    def __contains__(self, number: object) -> bool:
        return number is None or (
            isinstance(number, int | float) and self.low <= number <= self.high
        )

    def nearest(self, number: Any) -> Any:
        """Give the one of them that is nearest."""
        return min(self.high, max(self.low, number))


# Widgets that show in their own way what a word says.


def show(key: str, shown: Any) -> None:
    """Let a widget show something, before it is drawn."""
    link = _link()
    # Streamlit 1.67 knows a widget by its page, too, but says what the other page's showed.
    if key in link.drawn and state.is_shown(key):
        before = state.shown(key)
        if before == shown:
            return
        link.replaced[key], link.is_ahead = before, True
    link.drawn.add(key)
    state.show(key, shown)


def by_hand(key: str, act: Callable[[], None]) -> Callable[[], None]:
    """Make a callback for a widget that the page sets, too: called for a student's choice alone."""

    def callback() -> None:
        link = _link()
        _confirm(link, _said())
        if _is_news_of_another_part():
            return
        if key in link.replaced and state.shown(key) == link.replaced[key]:
            return  # what it showed before the page set it
        act()

    return callback


# Links to pages.


def to(page: str, **words: str) -> dict[str, str]:
    """Give the link to a page: as it was left, but for these words.

    Args:
        page: its name.
        words: as a link has them; where one of a group is given, the rest of it is as usual.
    """
    link, groups = _link(), {WORDS[name].group for name in words} - {""}
    found = {}
    for word in _living_on(page):
        place = _place(word, page)
        if word.name in words:
            if word.usual is None or word.kind.read(words[word.name]) != word.usual:
                found[word.name] = words[word.name]
        elif place in link.values and word.group not in groups:
            found[word.name] = word.kind.write(link.values[place])
    return found


def offer(
    page: str, label: str, *, icon: str | None = None, hint: str | None = None, **words: str
) -> None:
    """Draw a link to another page, or without words to any; see `to`."""
    assert not words or page != _link().page, "within a page, a press puts words"
    path = f"../pages/{page}.py"
    st.page_link(path, label=label, icon=icon, help=hint, query_params=to(page, **words))


def go(page: str, **words: str) -> NoReturn:
    """Go to a page at once, or let this one say other words; see `to`."""
    link = _link()
    if page == link.page:
        for name, text in words.items():
            _take(link, name, text)
        st.rerun()
    st.switch_page(f"../pages/{page}.py", query_params=to(page, **words))


# The parts.


def _link() -> _Link:
    return state.kept("link", _Link)


def _said() -> dict[str, str]:
    """Read the link as the browser had it when it last asked."""
    return {name: ",".join(st.query_params.get_all(name)) for name in st.query_params}


def _confirm(link: _Link, said: Mapping[str, str]) -> None:
    """Note that the browser has the link as the page last wrote it, if it has."""
    if said == link.written and not link.is_ahead:
        link.replaced.clear()
        link.unsaid.clear()


def _is_news_of_another_part() -> bool:
    """Tell whether a live part of the page asks, and the widget of this callback is not in it.

    No student has chosen anything then: a choice has the whole page drawn. A browser takes up a new
    link at once, and may ask for news before it has drawn what the page set with it.
    """
    context = get_script_run_ctx()
    is_news = bool(context and context.fragment_ids_this_run)
    return is_news and not ThreadState.get().in_fragment_callback


def _drop(link: _Link, place: Place) -> None:
    """Let a word say what is usual; what was chosen before does not come back."""
    link.values.pop(place, None)
    link.shelved.pop(place, None)


def _choose(word: Word, chosen: Any) -> None:
    """Keep what a student has chosen; nothing chosen is the usual, but for a setting."""
    link = _link()
    place = _place(word, link.page)
    link.unsaid.add(place)
    _drop(link, place)
    if chosen is not None or word.group == "setup":
        link.values[place] = chosen


def _just_chosen(link: _Link, said: Mapping[str, str]) -> dict[Place, Any]:
    """Find what was chosen on the page before in the very moment in which it was left.

    It counts only where the link to this page, drawn before, says the same as was said then.
    """
    return {
        place: link.values[place]
        for place in link.unsaid
        if place in link.values
        and not place[0]
        and said.get(place[1]) == link.written.get(place[1])
    }


def _is_back_or_forward() -> bool:
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def _living_on(page: str) -> Iterable[Word]:
    return (word for word in WORDS.values() if page in word.pages)


def _place(word: Word, page: str) -> Place:
    """Say where a word's value is kept: each page's own, or one for all of its pages."""
    return (page if word.is_apart else "", word.name)


def _take(link: _Link, name: str, text: str) -> None:
    """Take up one word of the link; another page's, or one that is no word of ours, is left out."""
    word = WORDS.get(name)
    if word is None or link.page not in word.pages:
        return
    try:
        link.values[_place(word, link.page)] = word.kind.read(text)
        link.arrived.add(name)
    except (ValueError, KeyError, OverflowError):
        _say_unknown(name, text)


def _fit(said: Any, among: Container[object] | None, usual: Any, *, nearest: bool) -> Any:
    """Keep what there is of what a word says."""
    if among is None:
        return said
    if isinstance(said, list):
        return [each for each in said if each in among] or (usual if said else said)
    if said in among:
        return said
    if nearest and isinstance(among, Between):
        return among.nearest(said)
    if nearest and isinstance(among, range) and len(among):
        return min(among[-1], max(among[0], said))
    return usual


def _say_unknown(name: str, said: str) -> None:
    """Tell the student that the link asks for what there is not; the page shows the usual then."""
    _toast(
        f"The link asks for {content.escaped(name)} “{_short(said)}”, which cannot be chosen here; "
        f"the page shows what can."
    )


def _say_not_ours(names: list[str]) -> None:
    """Tell the student that the link has names that this app does not know."""
    some = ", ".join(_short(name) for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    _toast(f"The link asks for {some}{more}, which this app does not know; they are left out.")


def _toast(words: str) -> None:
    st.toast(words, icon=":material/link_off:", duration="long")


def _short(said: str) -> str:
    return content.escaped(said if len(said) <= MOST_LETTERS else f"{said[:MOST_LETTERS]}…")
