"""What passes between a browser and the server: too long, too much, too fast, or not of our pages.

With a real server, and a client that speaks as a browser does and keeps none of its limits.
"""

import asyncio
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from app_server import AppServer, resident_megabytes
from conftest import SLOW, open_page
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from streamlit_client import Tab, user_key

from explorer.components.hand_over import KEY
from explorer.engine.limits import OWN, SHARED
from explorer.guard import messages
from explorer.guard.server import LONG_BOX, MOST_BYTES_A_LETTER, MOST_TEXTS, TRAINED
from explorer.guard.texts import Texts
from explorer.words import MOST_CHARACTERS

LONG = "x" * 1_000_000


@pytest.fixture(scope="module")
def server():
    """Lend a server for a class, on a container that it shares."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_LLAMA_LIMITS", "shared")
        with AppServer() as app:
            yield app


class Script(Tab):
    """A tab whose keeper speaks with the server directly."""

    def __init__(self, app, page, query=""):
        super().__init__(app.address, page, query)

    async def say(self, message):
        await self._socket.send(message.SerializeToString())

    async def type(self, key, text):
        """Type into a box, whatever it takes."""
        id_ = next(each for each in self._widgets.states if user_key(each) == key)
        self._widgets.states[id_] = WidgetState(id=id_, string_value=text)
        await self.ask()

    async def ask(self):
        await self._ask()
        await asyncio.wait_for(self.ledger.answered.wait(), 60)

    @property
    def words(self):
        """What the link says."""
        return dict(parse_qsl(self._query))


@asynccontextmanager
async def tab(app, page, query=""):
    script = Script(app, page, query)
    await script.open()
    await asyncio.wait_for(script.ledger.answered.wait(), 60)
    yield script
    await script.close()


# What a message may be and hold.


def question(**widgets):
    asks = ClientState()
    for key, text in widgets.items():
        asks.widget_states.widgets.append(WidgetState(id=f"$$ID-0-{key}", string_value=text))
    return asks


def test_only_messages_of_our_pages_are_taken():
    assert messages.is_ours(BackMsg(rerun_script=question()))
    assert messages.is_ours(BackMsg(app_heartbeat=True))
    for other in ("clear_cache", "load_git_info", "set_run_on_save", "debug_shutdown_runtime"):
        assert not messages.is_ours(BackMsg(**{other: True}))
    request = BackMsg()
    request.file_urls_request.file_names.append("text.txt")
    assert messages.is_ours(request)
    request.file_urls_request.file_names.extend(["text.txt"] * 10)
    assert not messages.is_ours(request)
    request = BackMsg()
    request.backend_operation_request.deferred_file.file_id = "a"
    assert messages.is_ours(request)
    request.backend_operation_request.install_skills.SetInParent()
    assert not messages.is_ours(request)


def test_a_question_is_of_a_size_that_a_page_can_send():
    asks = question(text="words", own_text=LONG)
    asks.cached_message_hashes.extend(["0" * 64] * 300)
    asks.query_string = "text=" + "%F0%9F%98%80" * MOST_CHARACTERS
    assert messages.fits(asks)
    assert [messages.key_of(each) for each in messages.long_states(asks)] == [LONG_BOX]
    messages.leave_out(asks, messages.long_states(asks))
    assert [messages.key_of(each) for each in asks.widget_states.widgets] == ["text"]
    for name, value in {"query_string": LONG, "page_name": LONG, "fragment_id": LONG}.items():
        assert not messages.fits(ClientState(**{name: value})), name
    assert not messages.fits(question(**{f"box{n}": "" for n in range(2_000)}))
    assert not messages.fits(ClientState(cached_message_hashes=["0"] * 10_000))


def test_what_a_browser_has_trained_is_known_by_its_part():
    widget = WidgetState(id=_make_trigger_id(f"$$ID-abc-{KEY}", "events"))
    assert messages.key_of(widget) == TRAINED


def test_the_longest_texts_that_boxes_take_are_no_longer_than_the_guard_lets_pass():
    app = open_page("train", corpus="own-text")
    assert app.text_area(key=LONG_BOX)
    widest = "\U0001f600" * MOST_CHARACTERS
    assert not messages.long_states(question(text=widest))


def test_all_together_hold_so_much_and_what_is_gone_makes_room():
    gone = set()
    texts = Texts(100, gone.__contains__)
    assert texts.hold("a", "box", 60)
    assert texts.hold("a", "box", 70), "in place of the other"
    assert not texts.hold("b", "box", 40)
    assert texts.hold("b", "box", 30)
    assert not texts.hold("b", "upload", 1)
    assert texts.hold("b", "box", 0)
    assert texts.hold("b", "upload", 30)
    gone.add("a")
    assert texts.hold("b", "box", 70)


# With a real server.


def attended(visit):
    """Go through a visit in another thread, as a browser test may have a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, visit).result()


def test_a_box_takes_no_more_than_it_says_whatever_the_browser_does(server):
    async def attend():
        async with tab(server, "attention") as script:
            await script.type("text", "word " * 1_000)
            assert len(script.words["text"]) == MOST_CHARACTERS
            await script.type("text", LONG)
            assert any("A box was sent more text" in said for said in script.ledger.said)
            assert len(script.words["text"]) == MOST_CHARACTERS
            await script.type("text", "a few words")
            assert script.words["text"] == "a few words"
            assert not script.ledger.troubles

    attended(attend())


def test_the_longest_text_of_ones_own_is_taken_from_a_box(server):
    async def attend():
        async with tab(server, "train", "corpus=own-text") as script:
            assert "too short with 0 bytes" in script.ledger.troubles.pop()
            await script.type("own_text", LONG[: SHARED.text_bytes])
            assert not script.ledger.troubles
            await script.type("own_text", "я" * SHARED.text_bytes)
            await script.press("train")
            await asyncio.wait_for(script.ledger.answered.wait(), 60)
            assert "2,000,000 bytes; at most 1,000,000" in script.ledger.troubles.pop()

    attended(attend())


def test_everybodys_caches_cannot_be_cleared(server):
    async def attend():
        async with tab(server, "train", "n_layers=1&steps=3") as script:
            await script.press("train")
            await asyncio.wait_for(script.ledger.answered.wait(), 60)
            workers = server.workers
            await script.say(BackMsg(clear_cache=True))
            await script.ask()
            assert server.workers == workers

    attended(attend())


async def upload(app, script, data):
    """Send a file as the uploader does, and give the server's answer."""
    session = script.session_id
    edge = uuid4().hex
    head = f'--{edge}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
    request = urllib.request.Request(
        f"{app.address}/_stcore/upload_file/{session}/{uuid4()}",
        data=body,
        method="PUT",
        headers={
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "X-Xsrftoken": (token := generate_xsrf_token_string()),
            "Cookie": f"_streamlit_xsrf={token}",
        },
    )
    try:
        answer = await asyncio.to_thread(urllib.request.urlopen, request, None, 30)
    except OSError:  # refused, or cut off in the middle
        return 0
    with answer:
        return answer.status


def test_of_uploads_that_are_never_used_each_session_keeps_one(server):
    async def attend():
        async with tab(server, "home") as script:
            before = resident_megabytes(server.pid)
            for _ in range(40):
                assert await upload(server, script, LONG.encode()) == 204
            assert await upload(server, script, LONG.encode() * 6) == 0
            assert await upload(server, script, LONG.encode() * 2) == 0
            assert resident_megabytes(server.pid) - before < 20

    attended(attend())


@SLOW
def test_all_together_hold_few_long_texts_and_say_so(server):
    async def attend():
        scripts = []
        for _ in range(2 * MOST_TEXTS):
            script = Script(server, "train", "corpus=own-text")
            await script.open()
            await asyncio.wait_for(script.ledger.answered.wait(), 60)
            scripts.append(script)
        before = resident_megabytes(server.pid)
        text = "я" * SHARED.text_bytes
        for script in scripts:
            await script.type("own_text", text)
        said = [any("too many long texts" in each for each in it.ledger.said) for it in scripts]
        assert 0 < said.count(False) <= MOST_TEXTS // 2, "of two bytes a letter"
        assert resident_megabytes(server.pid) - before < 120
        for script in scripts:
            await script.close()

    attended(attend())


@SLOW
def test_beside_a_script_that_presses_all_the_time_others_are_answered(server):
    async def press(script):
        for _ in range(5_000):
            await script._ask()
            await asyncio.sleep(0)

    async def attend():
        async with tab(server, "architecture") as wild, tab(server, "home") as student:
            flood = asyncio.create_task(press(wild))
            for _ in range(10):
                await student.ask()
                await asyncio.sleep(0.2)
            flood.cancel()
            assert not student.ledger.troubles
            assert len(wild.ledger.page_runs) < 200
            assert any("You press faster" in said for said in wild.ledger.said)

    attended(attend())


def test_a_connection_carries_the_longest_text_that_may_be_pasted_anywhere():
    letters = OWN.text_bytes * MOST_BYTES_A_LETTER
    assert letters + messages.MOST_REST_BYTES < 16_000_000
