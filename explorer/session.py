"""The only home of session state and caches, and beside `link` the only one of the link's words.

One run is the current one, and every page looks at it: a student's own, somebody else's out of a
link, or a pretrained model. The link names it; a page that is opened without a name shows the one
that this browser tab looked at last.
"""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import streamlit as st

from explorer import link
from explorer.components import identity
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.pretrained import DEFAULT

_RUN = "run"
_OVERLAY = "overlay"
_OWNER = "owner_secret"
_SAMPLE = "sample_step"
_LOOKED = "looked at"
_SHARED = "shared widgets"
_WRITTEN = "written"
_TOUR = "tour"
TEXT = "text"
"""The widget and the word of the link that hold the text which pages read."""

FASTEST_SECONDS = 0.5
"""How often a page asks for news while few look."""
SLOWEST_SECONDS = 3.0
UPDATES_A_SECOND = 25
"""What the server may spend on live updates of everybody: some 6 ms each, a sixth of a core."""
MOST_OVERLAID = 5


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The one engine of this server, its worker starting while the first page is read."""
    engine = Engine()
    engine.warm_up()
    return engine


def owner() -> str:
    """The secret by which this student's runs are known; in no link."""
    if _OWNER not in st.session_state:
        st.session_state[_OWNER] = secrets.token_urlsafe(16)
    return str(st.session_state[_OWNER])


def remember_owner() -> None:
    """Take up the secret that this browser kept from an earlier visit, if there is one."""

    def take_up(kept: str) -> None:
        st.session_state[_OWNER] = kept

    identity.remember_owner(owner(), take_up)


def current_id() -> str:
    """The run that pages look at, by name: the link's, else the last one, else a pretrained one."""
    return _kept(_RUN) or DEFAULT


def current_run() -> Run | None:
    """The run that pages look at; None if the link's is not on this server any more."""
    return engine().poll(current_id())


def look_at(run_id: str) -> None:
    """Look at a run from now on, and put it in the link."""
    _keep(_RUN, "" if run_id == DEFAULT else run_id)


def choose_run(run_id: str) -> None:
    """Look at a run that the student has chosen in a list of them; in a callback.

    Not at one that the page has just left: a message that has crossed the change brings the list as
    it was before, and Streamlit takes that for a choice.
    """
    word = None if run_id == DEFAULT else run_id
    if not link.has_crossed(_RUN, word):
        look_at(run_id)


def is_mine(run: Run) -> bool:
    """Whether this student may steer a run."""
    return engine().is_owner(run, owner())


def own_runs() -> list[Run]:
    """This student's runs, newest first."""
    return engine().runs_of(owner())


def run_name(run: Run) -> str:
    """What a run is called on the screen: the student's own are numbered as they were started."""
    if run.status == RunState.RECORDED:
        return run.id
    return own_names().get(run.id, f"Run {run.id}")


def own_names() -> dict[str, str]:
    """What this student's runs are called, by their ids, newest first."""
    own = own_runs()
    return {
        run.id: f"Run {number}" for run, number in zip(own, range(len(own), 0, -1), strict=True)
    }


def overlaid_runs(run: Run) -> list[Run]:
    """Runs to lay over a run: those named in the link, then the student's last ones."""
    own = [each.id for each in own_runs() if each.step]
    ids = [each for each in dict.fromkeys([*_named_overlays(), *own]) if each != run.id]
    found = [engine().poll(each) for each in ids[:MOST_OVERLAID]]
    return [each for each in found if each is not None and each.step]


def overlay(run_id: str) -> None:
    """Lay a run over the current one from now on, and put it in the link."""
    names = dict.fromkeys([run_id, *_named_overlays()])
    _keep(_OVERLAY, ",".join(list(names)[:MOST_OVERLAID]))


def refresh_seconds() -> float:
    """How often this page may ask for news: the more look at once, the less often each."""
    viewers, now = _viewers(), time.monotonic()
    viewers[owner()] = now
    for each in [each for each, seen in list(viewers.items()) if now - seen > 2 * SLOWEST_SECONDS]:
        viewers.pop(each, None)
    return min(SLOWEST_SECONDS, max(FASTEST_SECONDS, len(viewers) / UPDATES_A_SECOND))


def sample_step(steps: Sequence[int]) -> None:
    """Let the choice of a sample follow the newest one, unless the student looks at another."""
    newest = f"{_SAMPLE}: newest"
    chosen = st.session_state.get(_SAMPLE)
    if chosen not in steps or chosen == st.session_state.get(newest):
        st.session_state[_SAMPLE] = steps[-1]
    st.session_state[newest] = steps[-1]


def looked_at_step(run: Run) -> int | None:
    """The step at which this student looks into a run that goes on; None: as it stands."""
    step = st.session_state.get(f"{_LOOKED}: {run.id}")
    return step if run.is_moving else None


def look_at_step(run: Run, step: int | None) -> None:
    """Look into a run as it is after this step, until told otherwise; None: as it then stands."""
    st.session_state[f"{_LOOKED}: {run.id}"] = step


def set_widgets(**values: object) -> None:
    """Set widgets by their keys; only in a callback, or before they are drawn."""
    for key, value in values.items():
        st.session_state[key] = value


def widget(key: str) -> Any:
    """What a widget shows now, for its callback."""
    return st.session_state[key]


def keep_between(key: str, least: int, most: int, *, otherwise: int | None = None) -> int | None:
    """Set a slider anew if what it shows does not exist any more, as on a shorter text.

    Args:
        key: of the slider.
        least: the first of what there is.
        most: the last.
        otherwise: what to set it to; None: the nearest that there is.

    Returns:
        What it shows then; None: nobody has set it yet.
    """
    chosen = st.session_state.get(key)
    if isinstance(chosen, int) and not least <= chosen <= most:
        nearest = min(most, max(least, chosen))
        chosen = st.session_state[key] = nearest if otherwise is None else otherwise
    return chosen


def suggest(key: str, value: object, *, because: object) -> None:
    """Set a widget to what fits when something else has changed, or when nobody has set it yet.

    Args:
        key: of the widget, which is bound to the link.
        value: what fits.
        because: what it depends on; while this stays, the student's choice stays.
    """
    reason = f"{key}: because"
    is_new = reason not in st.session_state
    if (is_new and key not in st.query_params) or (
        not is_new and st.session_state[reason] != because
    ):
        st.session_state[key] = value
    st.session_state[reason] = because


def take_from_link(key: str, options: Collection[object], *, usual: object) -> None:
    """Set a widget to what the link names, or to what it showed when its page was left.

    For widgets that a bound one would serve badly: it writes titles into the link, which should be
    short and last, leaves out what the program has set, and forgets when its page is left.

    Args:
        key: of the widget.
        options: what can be chosen; the link has each as `str` writes it.
        usual: the one that no link needs.
    """
    word, before = link.word(key), st.session_state.get(f"{key}: in the link")
    named = [option for option in options if str(option) == word]
    if word != before:
        link.say_unknown(key, lambda _: bool(named))
    if named and word != before:
        st.session_state[key] = named[0]
    elif st.session_state.get(key) not in options:  # another page has been here
        st.session_state[key] = st.session_state.get(f"{key}: last, {usual}")
    elif word is None and before is not None:  # the browser went back
        st.session_state[key] = usual
    if st.session_state.get(key) not in options:
        st.session_state[key] = usual


def put_into_link(key: str, chosen: object, *, usual: object) -> None:
    """Write what such a widget shows into the link, unless it is the usual."""
    link.write(key, None if chosen == usual else str(chosen))
    st.session_state[f"{key}: in the link"] = link.word(key)
    st.session_state[f"{key}: last, {usual}"] = chosen


def take_words_from_link(key: str, read: Callable[[str], object], *, usual: str = "") -> None:
    """Set a widget that holds a list or a range, as `take_from_link` does one of a single choice.

    Args:
        key: of the widget.
        read: what the widget shows for the link's words; for words that make no sense, the usual.
        usual: the words that no link needs. `put_into_link` is given words, too.
    """
    words, before = link.word(key), st.session_state.get(f"{key}: in the link")
    if words is not None and words != before:
        st.session_state[key] = read(words)
        link.say_unknown(key, lambda _: words == usual or read(words) != read(usual))
    elif key not in st.session_state:  # another page has been here
        st.session_state[key] = read(str(st.session_state.get(f"{key}: last, {usual}", usual)))
    elif words is None and before is not None:  # the browser went back
        st.session_state[key] = read(usual)


def words_in_link(key: str) -> str:
    """What the link says under a name, word for word; nothing where it has no such name."""
    return link.word(key) or ""


def written(after: str) -> str:
    """What this student put after a text, token by token, as the link has it.

    Args:
        after: the model and the text; what was written after another is forgotten.
    """
    known = f"{_WRITTEN}: after"
    if st.session_state.get(known, after) != after:
        _keep(_WRITTEN, "")
    st.session_state[known] = after
    return _kept(_WRITTEN)


def write(word: str) -> None:
    """Put something else after the text from now on, and into the link."""
    _keep(_WRITTEN, word)


def tour_stop() -> str:
    """Where this student's tour is, as the link has it; empty: on none."""
    return _kept(_TOUR)


def keep_tour(stop: str) -> None:
    """Let the tour be at this stop from now on, and in the link; empty: leave it."""
    _keep(_TOUR, stop)


def take_up_shared(page: str) -> None:
    """Let widgets that two pages share have on this page what they had on the other.

    Streamlit 1.67 knows a widget by its page as well as by its key, and keeps their values apart.
    To be called before the widgets are drawn; what the link says comes first.
    """
    last_page, values = st.session_state.get(_SHARED, (page, {}))
    if last_page != page:
        set_widgets(**{key: values[key] for key in values if key not in st.query_params})


def note_shared(page: str, **values: object) -> None:
    """Note what such widgets have, by their keys, once they are drawn."""
    st.session_state[_SHARED] = page, values


def follow_example(example: str) -> None:
    """Let the text that pages read be this example, unless the student has written another."""
    kept, last = st.session_state.get(TEXT), st.session_state.get(f"{TEXT}: example")
    if kept is None and TEXT in st.query_params:
        kept = st.query_params[TEXT]
    if kept in (None, "", last):
        st.session_state[TEXT] = example
    st.session_state[f"{TEXT}: example"] = example


def _named_overlays() -> list[str]:
    return [name for name in _kept(_OVERLAY).split(",") if name]


def _kept(name: str) -> str:
    """A word of the link, put back where Streamlit dropped it on the way to another page."""
    if word := link.word(name):
        st.session_state[name] = word
    elif st.session_state.get(name):
        link.write(name, st.session_state[name])
    return str(st.session_state.get(name, ""))


def _keep(name: str, word: str) -> None:
    st.session_state[name] = word
    link.write(name, word or None)


@st.cache_resource(show_spinner=False)
def _viewers() -> dict[str, float]:
    """When each student's page last asked for news."""
    return {}
