"""The guard of this server: what browsers send passes here before Streamlit takes it.

Streamlit gives no place of its own for this, other than to be started in another way than
Community Cloud does; so the one method by which every message goes is passed through here, and one
class is put in the place of another. `tests/test_guard.py` holds both against a real server.
"""

import asyncio
import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import Any, cast
from weakref import WeakSet

import streamlit as st
from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

from explorer.engine.limits import limits, most_returned_bytes
from explorer.guard import messages
from explorer.guard.endings import Endings
from explorer.guard.hand_overs import HandOvers
from explorer.guard.news import News
from explorer.guard.texts import Texts
from explorer.guard.turns import Act, Turns
from explorer.guard.uploads import hold_few

LONG_BOX = "own_text"
"""The only widget that may show a long text: the student's own to train on."""
TRAINED = "hand_over__events"
"""The only part that may give back what a browser has trained, when it has a turn."""
MOST_TEXTS = 12
"""So many of the longest texts may the server hold for all students together."""
MOST_BYTES_A_LETTER = 3
"""A box counts letters as the browser does; each takes so many bytes on its way at most."""
TIDY_SECONDS = 30.0
PRESSED_TOO_FAST = (
    "You press faster than this server can follow while others use it, too: some presses were left "
    "out; press again what is missing."
)
TOO_LONG = "A box was sent more text than it takes; what stood there before holds: write less."
NO_ROOM = (
    "The server holds too many long texts of its visitors now: yours was not taken; try again in "
    "some minutes, or take a shorter one."
)


class Guard:
    """Stands between the browsers and a running server.

    Args:
        server: Streamlit's.
    """

    def __init__(self, server: Runtime) -> None:
        self._server, self._pass_on = server, server.handle_backmsg
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = Turns(self._call_later, self._is_gone)
        self._endings = Endings(self._call_later, self._is_ending)
        self.news = News(self._call_later, self._is_busy)
        self._slowed: WeakSet[Any] = WeakSet()
        self._notes: dict[str, str] = {}
        """What is to be said to a session when its page runs next."""
        most = limits().text_bytes
        self._longest = MOST_BYTES_A_LETTER * most + messages.MOST_STATE_BYTES
        self.texts = Texts(MOST_TEXTS * most, self._is_gone)
        self.hand_overs = HandOvers(limits().hand_overs, self._is_gone)
        if isinstance(server.uploaded_file_mgr, MemoryUploadedFileManager):
            megabytes = -(-most // 2**20)  # as the uploader counts
            hold_few(server.uploaded_file_mgr, self.texts, most_bytes=megabytes * 2**20)
        server.handle_backmsg = self.take  # type: ignore[method-assign]

    def take(self, session_id: str, msg: BackMsg, *, client: Any = None) -> None:
        """Take a message in place of Streamlit, in the thread of its event loop."""
        self._begin()
        self._slow_down(session_id, client)
        kind, asks = msg.WhichOneof("type"), msg.rerun_script
        if not messages.is_ours(msg) or not messages.fits(asks):
            return
        self._cut(session_id, asks)
        question = partial(self._pass_on, session_id, msg, client=client)
        pass_on = partial(self._endings.pass_on, session_id, question)
        if kind == "app_heartbeat":
            self._turns.tick(session_id, pass_on)
        elif messages.is_tick(asks):
            messages.leave_out_widgets(asks)
            wait = partial(self.news.ask, session_id, asks.fragment_id, pass_on)
            self._turns.tick(session_id, wait)
        elif kind == "rerun_script" and not asks.fragment_id:
            self._turns.ask(session_id, partial(self._draw_page, session_id, pass_on))
        else:
            self._turns.ask(session_id, pass_on)

    def note_end(self, session: str, *, began: float, took: float) -> None:
        """Take note, from any thread, that a page run has ended; see `Turns.note_end`."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                self._loop.call_soon_threadsafe(
                    partial(self._turns.note_end, session, began=began, took=took)
                )

    def note(self, session: str) -> str:
        """Give what is to be said to a session now, once; empty: nothing."""
        said = self._notes.pop(session, "")
        return said or (PRESSED_TOO_FAST if self._turns.left_out(session) else "")

    def _begin(self) -> None:
        """Get to know the event loop with the first message."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._call_later(TIDY_SECONDS, self._tidy)

    def _call_later(self, seconds: float, act: Any) -> None:
        assert self._loop is not None
        self._loop.call_later(seconds, act)

    def _slow_down(self, session: str, client: Any) -> None:
        """Have the next messages of a connection read no faster than `Turns.pause` says.

        What is not read stays with who has sent it.
        """
        websocket = getattr(client, "_websocket", None)
        if websocket is None or websocket in self._slowed:
            return
        self._slowed.add(websocket)
        receive = websocket.receive_bytes

        async def receive_slowly() -> bytes:
            await asyncio.sleep(self._turns.pause(session))
            return cast("bytes", await receive())

        websocket.receive_bytes = receive_slowly

    def _cut(self, session: str, asks: ClientState) -> None:
        """Leave out of a question what is too long to be shown by a widget of ours."""
        refused = []
        if any(messages.key_of(each) == LONG_BOX for each in asks.widget_states.widgets):
            self.texts.hold(session, LONG_BOX, 0)  # until it is found to be long
        for each in messages.long_states(asks):
            n_bytes = each.ByteSize()
            if messages.key_of(each) == TRAINED and n_bytes <= most_returned_bytes():
                if not self.hand_overs.comes(session):
                    refused.append(each)  # its page asks for a turn once more
            elif messages.key_of(each) != LONG_BOX or n_bytes > self._longest:
                self._notes[session] = TOO_LONG
                refused.append(each)
            elif not self.texts.hold(session, LONG_BOX, n_bytes):
                self._notes[session] = NO_ROOM
                refused.append(each)
        messages.leave_out(asks, refused)

    def _draw_page(self, session: str, pass_on: Act) -> None:
        self.news.note_page(session)
        pass_on()

    def _is_busy(self, session: str) -> bool:
        """Tell whether anything of a session runs, or has said what is not on its way yet."""
        page = self._page_of(session)
        is_idle = page is None or (page._scriptrunner is None and page._browser_queue.is_empty())
        return not is_idle

    def _is_gone(self, session: str) -> bool:
        return self._server._session_mgr.get_session_info(session) is None

    def _is_ending(self, session: str) -> bool:
        """Tell whether a session's last run takes no more questions, and is still to be heard."""
        runner = getattr(self._page_of(session), "_scriptrunner", None)
        return runner is not None and runner._requests._state is ScriptRequestType.STOP

    def _page_of(self, session: str) -> Any:
        """Give what Streamlit keeps of a tab that is connected; None: there is none."""
        found = self._server._session_mgr.get_active_session_info(session)
        return found.session if found else None

    def _tidy(self) -> None:
        """Let go of what sessions that have ended held, in Streamlit, too, and in the allocator."""
        self._call_later(TIDY_SECONDS, self._tidy)
        with suppress(AttributeError):  # Streamlit looks for them only when one more ends
            self._server._session_mgr._session_storage._cache.expire()  # type: ignore[attr-defined]
        self._turns.forget_gone()
        for session in filter(self._is_gone, tuple(self._notes)):
            self._notes.pop(session, None)
        _give_memory_back()


@lru_cache(maxsize=1)
def _guard_of(server: Runtime) -> Guard:
    return Guard(server)


def guard() -> Guard | None:
    """Give the server's guard, put up by the first page; None where pages run without a server."""
    if not runtime.exists() or not isinstance(server := runtime.get_instance(), Runtime):
        return None
    return _guard_of(server)


def seconds_between_news(n_pages: int) -> float:
    """Say how often a page may ask for news, of so many that do, for the server to follow."""
    found = guard()
    return found.news.seconds(n_pages) if found else 0.0


def seconds_until_turn() -> float:
    """Give the tab whose page runs a turn to hand over what its browser has trained, and 0.

    Where others have all turns, say after how many seconds it is to ask again.
    """
    found, context = guard(), get_script_run_ctx()
    return found.hand_overs.ask(context.session_id) if found and context else 0.0


def end_turn() -> None:
    """Note that what the browser of this tab has handed over is taken, or refused."""
    found, context = guard(), get_script_run_ctx()
    if found and context:
        found.hand_overs.end(context.session_id)


@contextmanager
def page_run() -> Iterator[None]:
    """Have what a page run takes counted, and say to the student what was left out, if anything."""
    found, context = guard(), get_script_run_ctx()
    if found is None or context is None:
        yield
        return
    began, taken = time.monotonic(), time.thread_time()
    try:
        if said := found.note(context.session_id):
            st.toast(said, icon=":material/speed:", duration="long")
        yield
    finally:
        found.note_end(context.session_id, began=began, took=time.thread_time() - taken)


def _give_memory_back() -> None:
    """Have the allocator of Linux return what is free, which it keeps by itself."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
