"""What a page run says is heard to its end, whenever the next question comes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.caching.storage.dummy_cache_storage import MemoryCacheStorageManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from tiny_runs import Clock

from explorer.guard.endings import PATIENCE_SECONDS, Endings
from explorer.guard.server import Guard

PAGE = """
import streamlit as st

@st.fragment(run_every=100)
def news():
    st.write("news")

news()
st.write("the page's last words")
"""


@dataclass
class Loop:
    """Calls what is due when it is told to."""

    clock: Clock = field(default_factory=Clock)
    due: list[tuple[float, Any]] = field(default_factory=list)

    def later(self, seconds, act):
        self.due.append((self.clock.now + seconds, act))

    def go(self, seconds):
        end = self.clock.now + seconds
        while due := sorted((each for each in self.due if each[0] <= end), key=lambda one: one[0]):
            self.due.remove(due[0])
            self.clock.now = due[0][0]
            due[0][1]()
        self.clock.now = end


@pytest.fixture
def loop():
    return Loop()


def test_a_question_waits_until_the_run_before_is_heard_and_none_overtakes_it(loop):
    ending, passed = {"a"}, []
    endings = Endings(loop.later, ending.__contains__, loop.clock.monotonic)
    for n in range(3):
        endings.pass_on("a", lambda n=n: passed.append(n))
        endings.pass_on("b", lambda: passed.append("b"))
    loop.go(0.5)
    assert passed == ["b", "b", "b"]
    ending.clear()
    endings.pass_on("a", lambda: passed.append(3))
    loop.go(0.1)
    assert passed[3:] == [0, 1, 2, 3]
    endings.pass_on("a", lambda: passed.append(4))
    assert passed[-1] == 4
    assert not loop.due


def test_a_question_that_starts_the_next_run_lets_the_one_behind_it_wait_for_that_ones_end(loop):
    ending, passed = {"a"}, []
    endings = Endings(loop.later, ending.__contains__, loop.clock.monotonic)

    def first():
        passed.append("first")
        ending.add("a")

    endings.pass_on("a", first)
    endings.pass_on("a", lambda: passed.append("second"))
    ending.clear()
    loop.go(0.1)
    assert passed == ["first"]
    ending.clear()
    loop.go(0.1)
    assert passed == ["first", "second"]


def test_an_end_that_never_comes_is_not_waited_for(loop):
    passed = []
    endings = Endings(loop.later, lambda session: True, loop.clock.monotonic)
    endings.pass_on("a", lambda: passed.append("a"))
    loop.go(PATIENCE_SECONDS)
    assert not passed
    loop.go(0.1)
    assert passed == ["a"]


class Browser:
    """The client of a session, which keeps what it is told."""

    def __init__(self):
        self.words = []

    def write_forward_msg(self, message):
        self.words.append(message.delta.new_element.markdown.body)


def asks(fragment=""):
    message = BackMsg()
    message.rerun_script.fragment_id = fragment
    message.rerun_script.is_auto_rerun = bool(fragment)
    return message


async def heard(path, *, guarded):
    """Ask for news as soon as a page's thread has ended; list what the browser is told in all."""
    path.write_text(PAGE)
    server = Runtime(
        RuntimeConfig(
            script_path=str(path),
            media_file_storage=MemoryMediaFileStorage("/media"),
            uploaded_file_manager=MemoryUploadedFileManager("/uploads"),
            cache_storage_manager=MemoryCacheStorageManager(),
        )
    )
    if guarded:
        Guard(server)
    await server.start()
    browser = Browser()
    session_id = server.connect_session(browser, user_info={})
    session = server._session_mgr.get_session_info(session_id).session
    server.handle_backmsg(session_id, asks())
    session._scriptrunner._script_thread.join()  # the loop stands still, as where it has much to do
    (fragment,) = session._fragment_storage._fragments
    server.handle_backmsg(session_id, asks(fragment))
    while "news" not in browser.words:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    server.stop()
    await server.stopped
    return browser.words


@pytest.mark.parametrize("guarded", [True, False])
def test_the_last_words_of_a_page_are_heard_though_a_timer_asks_the_moment_it_ends(
    tmp_path, monkeypatch, guarded
):
    """Without the guard they are lost; once they are not, `endings.py` can go."""
    monkeypatch.setattr(Runtime, "_instance", None)
    visit = asyncio.wait_for(heard(tmp_path / "page.py", guarded=guarded), 60)
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop in the thread of the tests
        told = thread.submit(asyncio.run, visit).result()
    assert ("the page's last words" in told) is guarded
    assert "news" in told
