"""The browser's side of Streamlit's protocol: what a tab says, and a ledger of what it is told.

Written after the page that Streamlit 1.67 ships: what it sends with a rerun, when its timers ask
for a fragment again, which values it keeps of widgets, which messages it remembers. Left out are
the downloads of scripts and styles, and components that send a value by themselves.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import websockets
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.WidgetStates_pb2 import WidgetState

SHOWS_STEP = re.compile(rb"(Training|Paused|Finished|Stopped): step [1-9]")
"""What a live update says once the run has done a step, as the tests look for it, too."""

PATIENCE = 5.0
"""Seconds for which a tab that is closed waits for the server's good-bye."""
LOST_AFTER = 3
"""A page goes before fragments; it is lost if so many fragments' runs end before it has begun."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How long something took that was asked for."""

    asked_at: float
    """By `time.perf_counter`."""
    seconds: float
    n_bytes: int = 0


@dataclass(kw_only=True)
class Ledger:
    """What one tab asked for, when, and how long answers took; a real browser's tab fills it too.

    A live update is a run of one fragment that a timer asked for; a page run is everything else.
    """

    page_runs: list[Answer] = field(default_factory=list)
    updates: list[Answer] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    """When timers asked for a fragment."""
    late: list[float] = field(default_factory=list)
    """When a timer asked for a fragment whose last answer had not come."""
    lost: list[float] = field(default_factory=list)
    """When page runs were asked for that were lost, in whole or their end.

    Streamlit drops what a run still had to say if a timer's question comes between the end of the
    run's thread and the turn of the server's event loop; the page then stands as it was before.
    """
    intervals: dict[str, float] = field(default_factory=dict)
    """Seconds between two questions for a fragment, as the app last wished it."""
    troubles: list[str] = field(default_factory=list)
    """Exceptions and errors that the page showed."""
    said: list[str] = field(default_factory=list)
    """What came up for a moment and went by itself."""
    run_id: str | None = None
    pressed_at: float | None = None
    shows_step_at: float | None = None
    """When Train was pressed, and when the run's own first step was there to be seen."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the last page run that was asked for has ended."""
    _page_asked_at: float | None = None
    _page_has_begun: bool = False
    _n_before: int = 0
    """Fragments' runs that ended since a page was asked for that has not begun."""
    _asked_at: dict[str, float] = field(default_factory=dict)
    _n_bytes: int = 0

    def sent(self, message: BackMsg) -> None:
        """Note what the tab asks for."""
        if message.WhichOneof("type") != "rerun_script":
            return
        now, asks = time.perf_counter(), message.rerun_script
        if not asks.fragment_id:
            self._page_asked_at, self._page_has_begun, self._n_before = now, False, 0
            self.answered.clear()
            pressed = [each.id for each in asks.widget_states.widgets if each.trigger_value]
            if "train" in map(user_key, pressed):
                self.pressed_at = now
        elif asks.is_auto_rerun:
            self.asked.append(now)
            if self._asked_at.setdefault(asks.fragment_id, now) != now:
                self.late.append(now)

    def received(self, raw: bytes) -> ForwardMsg:
        """Note what the tab is told, and return it."""
        message: ForwardMsg = ForwardMsg.FromString(raw)
        self._n_bytes += len(raw)
        match message.WhichOneof("type"):
            case "new_session":
                self._note_start(message, len(raw))
            case "script_finished":
                self._note_end(message)
            case "delta":
                self._note_element(message)
            case "page_info_changed":
                found = parse_qs(message.page_info_changed.query_string).get("run")
                self.run_id = found[0] if found else self.run_id
            case "auto_rerun":
                self.intervals[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        if self.pressed_at and not self.shows_step_at and SHOWS_STEP.search(raw):
            self.shows_step_at = time.perf_counter()
        return message

    def _note_start(self, message: ForwardMsg, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        if not message.metadata.run.fragment_ids:
            self._asked_at.clear()  # a page run takes the place of what timers asked for
            self._page_has_begun = True
        elif self._page_has_begun:
            self._lose_page()

    def _note_end(self, message: ForwardMsg) -> None:
        if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            if self._page_has_begun:  # else it is an earlier one that ends
                self._end_page()
        elif message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self._n_before += 1
            if self._n_before >= LOST_AFTER and not self._page_has_begun:
                self._lose_page()
            for fragment in message.metadata.run.fragment_ids:
                if (asked_at := self._asked_at.pop(fragment, None)) is not None:
                    self.updates.append(self._answer(asked_at))
        elif message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.troubles.append("the script could not be compiled")
            self._end_page()

    def _end_page(self) -> None:
        if self._page_asked_at is not None:
            self.page_runs.append(self._answer(self._page_asked_at))
        self._page_asked_at, self._page_has_begun = None, False
        self.answered.set()

    def _lose_page(self) -> None:
        if self._page_asked_at is not None:
            self.lost.append(self._page_asked_at)
        self._page_asked_at, self._page_has_begun = None, False
        self.answered.set()

    def _answer(self, asked_at: float) -> Answer:
        seconds = time.perf_counter() - asked_at
        return Answer(asked_at=asked_at, seconds=seconds, n_bytes=self._n_bytes)

    def _note_element(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.troubles.append(f"{element.exception.type}: {element.exception.message}")
        elif kind == "toast":
            self.said.append(element.toast.body)
        elif kind == "alert" and element.alert.format == Alert.ERROR:
            self.troubles.append(element.alert.body)


class Tab:
    """One tab of a browser, on one page of the app.

    Args:
        address: the server, as `http://127.0.0.1:8501`.
        page: which page, as `train`.
        query: what stands in the link after the question mark.
    """

    def __init__(self, address: str, page: str, query: str) -> None:
        self.ledger = Ledger()
        self._address, self._page, self._query = address, page, query
        self.session_id = ""
        self._script_hash = ""
        self._widgets = _Widgets()
        self._memory = _Memory()
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and ask for the page; `ledger.answered` tells when it is there."""
        self._socket = await websockets.connect(
            self._address.replace("http", "ws", 1) + "/_stcore/stream",
            origin=websockets.Origin(self._address),
            subprotocols=[websockets.Subprotocol(name) for name in ("streamlit", "PLACEHOLDER")],
            compression=None,
            max_size=None,
            ping_interval=None,  # browsers leave that to the server
            open_timeout=60,
        )
        self._listener = asyncio.create_task(self._listen())
        await self._ask()

    async def press(self, key: str) -> None:
        """Press the button of this key."""
        button = WidgetState(id=self._widgets.find(key), trigger_value=True)
        await self._ask(button)

    async def enter(self, key: str, number: int) -> None:
        """Type a whole number into the number input of this key, and leave it."""
        self._query = self._widgets.enter(key, number, self._query)
        await self._ask()

    async def ask(self) -> None:
        """Have the page run again, as it stands."""
        await self._ask()

    @property
    def components(self) -> dict[str, tuple[BidiComponent, str]]:
        """The components of the page by name, each with the fragment that it stands in."""
        return self._widgets.components

    async def trigger(self, component: str, event: str, value: object) -> None:
        """Say what a component's script would say by `setTriggerValue`."""
        element, fragment = self.components[component]
        said = json.dumps([{"event": event, "value": value}])
        id_ = f"$$STREAMLIT_INTERNAL_KEY_{element.id}__events"
        await self._ask(WidgetState(id=id_, json_trigger_value=said), fragment=fragment)

    async def send(self, message: BackMsg) -> None:
        """Send what no page sends."""
        with suppress(websockets.ConnectionClosed):
            await self._socket.send(message.SerializeToString())

    @property
    def widgets(self) -> dict[str, WidgetState]:
        """What each widget shows, by its id; it travels with every question."""
        return self._widgets.states

    async def close(self) -> None:
        """Close the tab."""
        self._stop_timers(*self._timers)
        if self._listener:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
            try:
                await asyncio.wait_for(self._socket.close(), PATIENCE)
            except TimeoutError:  # the server still reads, ever more slowly, what a flood has sent
                self._socket.transport.abort()

    async def _ask(
        self, *triggers: WidgetState, fragment: str = "", is_timer: bool = False
    ) -> None:
        message = BackMsg()
        asks = message.rerun_script
        asks.query_string = self._query
        asks.widget_states.widgets.extend([*self._widgets.states.values(), *triggers])
        asks.page_script_hash = self._script_hash
        asks.page_name = "" if self._script_hash else self._page
        asks.fragment_id, asks.is_auto_rerun = fragment, is_timer
        asks.cached_message_hashes.extend(self._memory.hashes)
        asks.context_info.timezone, asks.context_info.locale = "UTC", "en-US"
        asks.context_info.url = f"{self._address}/{self._page}"
        asks.context_info.color_scheme = "light"
        raw = message.SerializeToString()
        self.ledger.sent(message)
        with suppress(websockets.ConnectionClosed):  # which the listener reports
            await self._socket.send(raw)

    async def _listen(self) -> None:
        try:
            async for raw in self._socket:
                assert isinstance(raw, bytes)
                self._take(self.ledger.received(raw))
        except websockets.ConnectionClosed as error:
            self.ledger.troubles.append(f"connection lost: {error}")
            self.ledger.answered.set()

    def _take(self, message: ForwardMsg) -> None:
        """Do what the page does on a message."""
        self._memory.take(message)
        match message.WhichOneof("type"):
            case "new_session":
                self._start(message)
            case "navigation":
                self._script_hash = message.navigation.page_script_hash
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta":
                self._widgets.take(message)
            case "auto_rerun":
                self._set_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop_timers(*message.stop_auto_rerun.fragment_ids)
            case "script_finished":
                self._finish(message)

    def _start(self, message: ForwardMsg) -> None:
        self.session_id = message.new_session.initialize.session_id
        self._widgets.start()
        if not message.metadata.run.fragment_ids:
            self._script_hash = message.new_session.page_script_hash
            self._memory.oldest = message.new_session.config.max_cached_message_age
            self._stop_timers(*self._timers)

    def _finish(self, message: ForwardMsg) -> None:
        if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self._widgets.forget_gone(set(message.metadata.run.fragment_ids))
            self._memory.age(set(message.metadata.run.fragment_ids))

    def _set_timer(self, fragment: str, interval: float) -> None:
        if fragment in self._timers and self._timers[fragment][0] == interval:
            return
        self._stop_timers(fragment)
        timer = asyncio.create_task(self._keep_asking(fragment, interval))
        self._timers[fragment] = (interval, timer)

    async def _keep_asking(self, fragment: str, interval: float) -> None:
        """Ask at every tick, whether or not the last answer has come, as `setInterval` does."""
        tick = time.perf_counter()
        while True:
            tick += interval
            await asyncio.sleep(max(0.0, tick - time.perf_counter()))
            await self._ask(fragment=fragment, is_timer=True)

    def _stop_timers(self, *fragments: str) -> None:
        for fragment in fragments:
            if fragment in self._timers:
                self._timers.pop(fragment)[1].cancel()


@dataclass
class _Widgets:
    """What a tab knows of the widgets on its page: all of it travels with every question."""

    states: dict[str, WidgetState] = field(default_factory=dict)
    _elements: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Each widget's element, and the fragment that it came from."""
    _seen: set[str] = field(default_factory=set)
    components: dict[str, tuple[BidiComponent, str]] = field(default_factory=dict)

    def start(self) -> None:
        """Begin a run."""
        self._seen.clear()

    def take(self, message: ForwardMsg) -> None:
        """Note a widget; it keeps the student's value unless the app sets another one."""
        element = message.delta.new_element
        kind = str(element.WhichOneof("type"))
        if kind == "bidi_component":
            component = element.bidi_component
            self.components[component.component_name] = (component, message.delta.fragment_id)
        if kind not in _VALUES and kind != "button":
            return
        widget = getattr(element, kind)
        self._seen.add(widget.id)
        self._elements[widget.id] = (widget, message.delta.fragment_id)
        if kind in _VALUES and (widget.id not in self.states or widget.set_value):
            self.states[widget.id] = WidgetState(id=widget.id, **_VALUES[kind](widget))

    def forget_gone(self, fragments: set[str]) -> None:
        """Forget widgets that a run that has ended did not bring again; of fragments, theirs."""
        for id_, (_, fragment) in tuple(self._elements.items()):
            if id_ not in self._seen and (not fragments or fragment in fragments):
                del self._elements[id_]
                self.states.pop(id_, None)

    def find(self, key: str) -> str:
        """Find the id of the widget of this key.

        Raises:
            LookupError: if there is none on the page.
        """
        for id_ in self._elements:
            if user_key(id_) == key:
                return id_
        raise LookupError(f"no widget {key!r} on the page")

    def enter(self, key: str, number: int, query: str) -> str:
        """Set a number input; return the link's query, in which a bound one writes its value."""
        id_ = self.find(key)
        widget, _ = self._elements[id_]
        self.states[id_] = WidgetState(id=id_, int_value=number)
        if not widget.query_param_key:
            return query
        values = dict(parse_qsl(query)) | {widget.query_param_key: str(number)}
        if number == widget.default:
            del values[widget.query_param_key]
        return urlencode(sorted(values.items()))


@dataclass
class _Memory:
    """The large messages that a tab remembers, so that the server need not send them again."""

    oldest: int = 0
    """How many runs ago a message may have been used last."""
    _n_runs: int = 0
    _used: dict[str, tuple[int, str]] = field(default_factory=dict)
    """When each message was used last, and the fragment that it came from."""

    @property
    def hashes(self) -> list[str]:
        """The names of the messages."""
        return list(self._used)

    def take(self, message: ForwardMsg) -> None:
        """Remember a message, if the server says so, or that it was used again."""
        if message.WhichOneof("type") == "ref_hash":
            self._used[message.ref_hash] = (self._n_runs, self._used[message.ref_hash][1])
        elif message.metadata.cacheable:
            self._used[message.hash] = (self._n_runs, message.delta.fragment_id)

    def age(self, fragments: set[str]) -> None:
        """Forget, as a run has ended, what was not used for long; of fragments, theirs."""
        self._n_runs += 1
        for hash_, (used, fragment) in tuple(self._used.items()):
            if self._n_runs - used > self.oldest and (not fragments or fragment in fragments):
                del self._used[hash_]


def user_key(widget_id: str) -> str:
    """Give the key that the app gave to a widget, from its id: `$$ID-<hash>-<key>`."""
    return widget_id.split("-", 2)[-1]


def _number(widget: Any) -> dict[str, Any]:
    if not widget.set_value and not widget.HasField("default"):
        return {}
    number = widget.value if widget.set_value else widget.default
    is_whole = widget.data_type == NumberInput.INT
    return {"int_value": int(number)} if is_whole else {"double_value": number}


def _one_of(widget: Any) -> dict[str, Any]:
    if widget.set_value:
        return {"string_value": widget.raw_value}
    return {"string_value": widget.options[widget.default]} if widget.HasField("default") else {}


def _some_of(widget: Any) -> dict[str, Any]:
    options = [getattr(option, "content", option) for option in widget.options]
    chosen = widget.raw_values if widget.set_value else [options[at] for at in widget.default]
    return {"string_array_value": {"data": chosen}}


def _slider(widget: Any) -> dict[str, Any]:
    if widget.options:
        places = [int(at) for at in widget.default]
        chosen = widget.raw_value if widget.set_value else [widget.options[at] for at in places]
        return {"string_array_value": {"data": chosen}}
    return {"double_array_value": {"data": widget.value if widget.set_value else widget.default}}


def _text(widget: Any) -> dict[str, Any]:
    return {"string_value": widget.value if widget.set_value else widget.default}


def _switch(widget: Any) -> dict[str, Any]:
    return {"bool_value": widget.value if widget.set_value else widget.default}


_VALUES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "number_input": _number,
    "selectbox": _one_of,
    "radio": _one_of,
    "multiselect": _some_of,
    "button_group": _some_of,
    "slider": _slider,
    "text_input": _text,
    "text_area": _text,
    "checkbox": _switch,
}
"""What a widget says of itself before anybody touched it."""
