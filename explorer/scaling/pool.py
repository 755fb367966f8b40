"""Points besides the recorded ones: the student's own finished runs, and files of others."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer import content, guard, link, session, state
from explorer.engine.limits import limits
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from tiny_llama.comparing.points_file import (
    FORMATS,
    MOST_BYTES,
    Point,
    read_points_file,
    write_points,
)
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.errors import TextError, UserError
from tiny_llama.setup import Setup

MOST_FILES, MOST_NAME_LETTERS = 40, 60
"""A class, each of whom sends one; names of files are shown."""
MOST_OWN = 50
"""Runs of one's own that are looked at."""
_FILES, _SAID, _UPLOADED, _TAKEN = (
    "pooled files",
    "what became of the last file",
    "uploaded_points",
    "taken points",
)


def choose(usual: Setup) -> list[Point]:
    """Let the student add points; return them.

    Args:
        usual: the setup of recorded runs, with whose text and tokenizer others must agree.
    """
    own = _own_points(usual)
    is_added = link.widget(
        st.toggle,
        "mine",
        f"Add my finished runs ({len(own)})",
        help="Of the same text and tokenizer, trained to their last step on the Train page.",
    )
    with st.popover("Pool points of others", icon=":material/groups:", width="stretch"):
        _uploader(usual)
        _list_files()
        st.caption(_HOW)
    pooled = [point for points in _files().values() for point in points]
    return [*(own if is_added else []), *pooled]


_HOW = (
    "CSV, JSON or JSONL with parameters, tokens and loss a run: the button under the picture, the "
    "metrics of a run on the Train page, and `fit --json` write such files. They stay in this tab "
    "and are in no link."
)


def offer(points: list[Point]) -> None:
    """Offer points as a file that others can pool."""
    st.download_button(
        "These points (CSV)",
        data=write_points(points),
        file_name="points.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _own_points(usual: Setup) -> list[Point]:
    """Find the student's finished runs of the same text and tokenizer."""
    found = []
    for run in session.own_runs()[:MOST_OWN]:
        if run.status is RunState.FINISHED and run.is_readable and _is_alike(run.setup, usual):
            looked = session.engine().poll(run.id)
            if looked is not None and (point := _point(looked)) is not None:
                found.append(point)
    return found


def _is_alike(setup: Setup, usual: Setup) -> bool:
    names = ("corpus", "tokenizer", "vocab_size")
    return all(setup.setting(name) == usual.setting(name) for name in names)


def _point(run: Run) -> Point | None:
    loss = run.last("held_out_loss")
    if loss is None or not loss > 0:
        return None
    return Point(
        parameters=law_parameters(run.setup),
        tokens=law_tokens(run.setup),
        loss=loss,
        text=run.setup.corpus,
    )


# Files of others.


def _files() -> dict[str, list[Point]]:
    return state.kept(_FILES, dict)


def _uploader(usual: Setup) -> None:
    """Take a file out of the uploader at once; what is kept of it are its points."""
    most = min(MOST_BYTES, limits().text_bytes)
    shown = st.file_uploader(
        "A file of points, or a run's metrics",
        type=list(FORMATS),
        key=_UPLOADED,
        max_upload_size=-(-most // 2**20),
    )
    if shown is not None and state.kept(_TAKEN, str) != shown.file_id:
        state.keep(_TAKEN, shown.file_id)
        data = guard.take_upload(shown)
        guard.drop_upload()
        state.keep(_SAID, _take(shown.name, data, usual))
    said: Mapping[str, Any] = state.kept(_SAID, dict)
    if said.get("error"):
        st.error(content.escaped(said["error"]), icon=":material/error:")


def _take(name: str, data: bytes, usual: Setup) -> dict[str, str]:
    """Keep the points of a file; say what is wrong with it."""
    files = _files()
    try:
        points = read_points_file(name, data)
        _check_text(name, points, usual)
        if name not in files and len(files) >= MOST_FILES:
            raise TextError(
                f"{len(files)} files are pooled, and {MOST_FILES} are the most; "
                f"take one away first."
            )
    except UserError as error:
        return {"error": str(error)}
    state.keep(_FILES, {**files, name: points})
    return {}


def _check_text(name: str, points: list[Point], usual: Setup) -> None:
    """Refuse runs on another text: their losses are of other tokens."""
    others = sorted({point.text for point in points} - {"", usual.corpus})
    if others:
        raise TextError(
            f"The file {_short(name)} has runs on {others[0]!r}, and these are on "
            f"{usual.corpus!r}, so their losses cannot be compared; choose another one."
        )


def _short(name: str) -> str:
    return repr(name if len(name) <= MOST_NAME_LETTERS else f"{name[:MOST_NAME_LETTERS]}…")


def _list_files() -> None:
    """Name each file, with a button that takes it away."""
    for number, (name, points) in enumerate(_files().items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{content.escaped(_short(name))}: {len(points)} runs")
            st.button(
                "Take away",
                key=f"take_away_{number}",
                icon=":material/close:",
                type="tertiary",
                on_click=_take_away,
                args=(name,),
            )


def _take_away(name: str) -> None:
    state.keep(_FILES, {each: points for each, points in _files().items() if each != name})
