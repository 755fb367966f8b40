"""What a hostile student does: one attack a function, each with all that one browser can send.

Each goes on until it is cancelled; what the server refuses it on the way is no error.
"""

import asyncio
import random
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from urllib.parse import urlencode
from uuid import uuid4

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from streamlit_client import Tab, user_key

from explorer.words import READING

PATIENCE = 30.0
"""Seconds after which a hostile student tries something else."""
ENDLESS: dict[str, object] = {"steps": 20_000}
LARGEST = ENDLESS | {
    "n_layers": 4,
    "d_model": 200,
    "n_heads": 4,
    "context": 256,
    "batch_size": 4,
    "n_snapshots": 32,
}
"""Two million parameters, as many operations a step as a class's container allows."""
VIEWS: Mapping[str, str] = {
    **{page: f"explorer.inside.{page}" for page in READING},
    **{page: f"explorer.{page}.views" for page in ("architecture", "home")},
    "family_tree": "explorer.family.page",
    "compare": "explorer.compare",
}
"""Where the views of each page are listed."""
Attack = Callable[[str], Awaitable[None]]


async def every_page_and_view(address: str) -> None:
    """Train a run, too, and open every view of every page, one after the other."""
    training = asyncio.create_task(_train(address, ENDLESS))
    while True:
        for page, module in VIEWS.items():
            for view in import_module(module).VIEWS:
                tab = Tab(address, page, urlencode({"view": view.name}))
                with suppress(TimeoutError):
                    await tab.open()
                    await _answer(tab)
                await tab.close()
        assert not training.done()


async def evaluate_all_the_time(address: str) -> None:
    """Evaluate ten thousand held-out texts after every step."""
    await _train(address, ENDLESS | {"evaluate_texts": 10_000, "evaluate_every": 1})


async def sample_all_the_time(address: str) -> None:
    """Write ten thousand tokens after every step."""
    await _train(address, ENDLESS | {"sample_tokens": 10_000, "sample_every": 1})


async def three_of_the_largest(address: str) -> None:
    """Train three of the largest models that the limits allow."""
    for _ in range(3):
        await _train(address, LARGEST, waits=False)
    await asyncio.Event().wait()


async def largest_model_by_a_link(address: str) -> None:
    """Look at ten thousand layers of five hundred experts, again and again."""
    size = {"n_layers": 10_000, "feed_forward": "moe_swiglu", "n_experts": 512}
    while True:
        for view in ("block", "parameters", "memory", "speed", "training", "code"):
            tab = Tab(address, "architecture", urlencode({"view": view, **size}))
            with suppress(Exception):
                await tab.open()
                await _answer(tab)
            await tab.close()


async def largest_vocabulary(address: str) -> None:
    """Have SentencePiece learn a large vocabulary from a text that is all new words."""
    chance, letters = random.Random(0), "abcdefghijklmnopqrstuvwxyzäöüßéèçñøåæœ"
    words = ("".join(chance.choices(letters, k=chance.randrange(3, 16))) for _ in range(200_000))
    text = " ".join(words).encode()[:990_000].decode(errors="ignore")
    link = ENDLESS | {"corpus": "own-text", "tokenizer": "sentencepiece", "vocab_size": 16_000}
    tab = Tab(address, "train", urlencode(link))
    await tab.open()
    await _answer(tab)
    await _type(tab, "own_text", text)
    while True:
        with suppress(Exception):
            await tab.press("train")
            await _answer(tab)
        await asyncio.sleep(3)


async def uploads_never_used(address: str) -> None:
    """Send sixty files of five megabytes, and sixty of one, and use none of them."""
    tab = Tab(address, "train", "corpus=own-text")
    await tab.open()
    await _answer(tab)
    for megabytes in (5, 1):
        data = b"x" * (megabytes * 1_000_000)
        for _ in range(60):
            await asyncio.to_thread(_upload, address, tab.session_id, data)
    await asyncio.Event().wait()


async def long_texts_in_every_box(address: str) -> None:
    """Type 23 megabytes into boxes of twelve tabs, and as much as a box of one's own text takes."""
    for n_bytes in (23_000_000, 2_900_000, 1_000_000):
        for page, link, key in (
            ("attention", "", "text"),
            ("train", "corpus=own-text", "own_text"),
        ):
            for _ in range(12):
                tab = Tab(address, page, link)
                with suppress(Exception):
                    await tab.open()
                    await _answer(tab)
                    await _type(tab, key, "x" * n_bytes)
    await asyncio.Event().wait()


async def press_as_fast_as_can_be(address: str) -> None:
    """Send page runs without a pause, in one tab."""
    await _press(address, "architecture")


async def press_in_twelve_tabs(address: str) -> None:
    """Send page runs without a pause, in twelve tabs."""
    pages = ("architecture", "home", "family_tree", "train") * 3
    await asyncio.gather(*(_press(address, page) for page in pages))


async def a_new_tab_for_each_press(address: str) -> None:
    """Open a page, leave it, and open it again, without a pause, six at a time."""

    async def open_and_leave() -> None:
        while True:
            tab = Tab(address, "architecture", "")
            with suppress(Exception):
                await tab.open()
                await asyncio.sleep(0.05)
            await tab.close()

    await asyncio.gather(*(open_and_leave() for _ in range(6)))


async def clear_the_caches(address: str) -> None:
    """Ask that everybody's caches be cleared, the engine among them."""
    tab = Tab(address, "home", "")
    await tab.open()
    await _answer(tab)
    while True:
        await tab.send(BackMsg(clear_cache=True))
        await asyncio.sleep(1)


ATTACKS: Mapping[str, Attack] = {
    "nothing": lambda address: asyncio.sleep(0),
    "trains, and opens every view of every page": every_page_and_view,
    "evaluates 10,000 texts after every step": evaluate_all_the_time,
    "writes 10,000 tokens after every step": sample_all_the_time,
    "trains three of the largest models": three_of_the_largest,
    "a link with 10,000 layers of 512 experts": largest_model_by_a_link,
    "own text, SentencePiece, 16,000 tokens": largest_vocabulary,
    "60 uploads of 5 MB, 60 of 1 MB": uploads_never_used,
    "23 MB, 3 MB, 1 MB into boxes of 12 tabs": long_texts_in_every_box,
    "presses without a pause": press_as_fast_as_can_be,
    "the same in 12 tabs": press_in_twelve_tabs,
    "a new tab for each press": a_new_tab_for_each_press,
    "clears everybody's caches": clear_the_caches,
}
"""By what is said of each in the table."""


async def _answer(tab: Tab) -> None:
    async with asyncio.timeout(PATIENCE):
        await tab.ledger.answered.wait()


async def _train(address: str, link: Mapping[str, object], *, waits: bool = True) -> None:
    """Start a run, and look at it."""
    tab = Tab(address, "train", urlencode(link))
    await tab.open()
    with suppress(TimeoutError):
        await _answer(tab)
    await tab.press("train")
    if waits:
        await asyncio.Event().wait()
    with suppress(TimeoutError):
        await _answer(tab)


async def _type(tab: Tab, key: str, text: str) -> None:
    """Type into a box, whatever it takes."""
    id_ = next(each for each in tab.widgets if user_key(each) == key)
    tab.widgets[id_] = WidgetState(id=id_, string_value=text)
    await tab.ask()
    with suppress(TimeoutError):
        await _answer(tab)


async def _press(address: str, page: str) -> None:
    tab = Tab(address, page, "")
    await tab.open()
    await _answer(tab)
    while True:
        await tab.ask()
        await asyncio.sleep(0)


def _upload(address: str, session: str, data: bytes) -> None:
    """Send a file as the uploader does; a refusal is no error."""
    edge, token = uuid4().hex, generate_xsrf_token_string()
    head = f'--{edge}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
    request = urllib.request.Request(
        f"{address}/_stcore/upload_file/{session}/{uuid4()}",
        data=head.encode() + data + f"\r\n--{edge}--\r\n".encode(),
        method="PUT",
        headers={
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "X-Xsrftoken": token,
            "Cookie": f"_streamlit_xsrf={token}",
        },
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=PATIENCE):
        pass
