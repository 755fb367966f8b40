"""What web server and worker say to each other: every message, its tag, and how it travels.

The server asks, each time with a number, and the worker answers under the same number; besides, it
tells of its runs unasked, without one. A frame carries the tag, the number and what the message
says; nobody else builds or reads such frames.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from explorer.engine.frames import Frame
from explorer.engine.run_state import RunState
from tiny_llama.errors import UserError

Action = Literal["pause", "resume", "step", "stop"]
R_co = TypeVar("R_co", covariant=True)


class MessageError(UserError):
    """A frame that is none of these messages."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """Something that one side says to the other."""

    tag: ClassVar[str]


# What the worker answers.


@dataclass(frozen=True, kw_only=True)
class Done(Message):
    """What was asked is done, and there is no more to say of it."""

    tag = "done"


@dataclass(frozen=True, kw_only=True)
class Refused(Message):
    """What was asked cannot be done."""

    tag = "refused"
    sentence: str
    """Why, for a page."""
    died: bool = False
    """Whether the worker ended before it could answer; only the server says so, to itself."""
    blame: float = 0.0
    """How likely this very request was why: 1, where nothing else can have been."""


@dataclass(frozen=True, kw_only=True)
class Started(Message):
    """A run is ready to train."""

    tag = "started"
    next_step: int
    vocab_size: int
    note: str
    """What is to be said of its checkpoint; empty: nothing."""


@dataclass(frozen=True, kw_only=True)
class AlreadyDone(Message):
    """A run has nothing left to train."""

    tag = "already done"


@dataclass(frozen=True, kw_only=True)
class Written(Message):
    """A text that a model wrote, its prompt included."""

    tag = "written"
    text: str
    in_bytes: str
    """Characters of the prompt that are spelled in bytes for want of a piece."""


@dataclass(frozen=True, kw_only=True)
class Found(Message):
    """What an analysis found: plain values and arrays by name."""

    tag = "found"
    step: int
    """Of the model that was asked about."""
    values: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


# What the server asks.


@dataclass(frozen=True, kw_only=True)
class Request(Message, Generic[R_co]):
    """Something to do, for the run of this name; what answers it is its parameter."""

    run: str
    student: str = ""
    """Fingerprint of who wants it, whose share of the worker's time it comes out of."""


@dataclass(frozen=True, kw_only=True)
class Start(Request[Started | AlreadyDone]):
    """Begin a run in its folder, or go on with what the folder holds."""

    tag = "start"
    folder: str
    state: RunState
    """How it stands then: running or paused."""
    is_measured: bool = False
    """Whether it is known already what the run really takes."""
    is_compared: bool = False
    """Whether it is a run of an experiment: then its untrained model is looked at first, and its
    folder says so if it diverges."""
    group: str = ""
    """With the others of this group it goes in step; empty: with none."""


@dataclass(frozen=True, kw_only=True)
class Control(Request[Done]):
    """Pause, resume, single-step or stop a run."""

    tag = "control"
    action: Action


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Request[Done]):
    """Write what a run has learned, so that its folder can be copied."""

    tag = "checkpoint"


@dataclass(frozen=True, kw_only=True)
class Unload(Request[Done]):
    """Write what a run has learned and let its memory go."""

    tag = "unload"


@dataclass(frozen=True, kw_only=True)
class Forget(Request[Done]):
    """Let the memory of a run go, without writing anything."""

    tag = "forget"


@dataclass(frozen=True, kw_only=True)
class Lend(Request[Found]):
    """Say all that a browser needs to train a run itself from here on."""

    tag = "lend"


@dataclass(frozen=True, kw_only=True)
class TakeBack(Request[Done]):
    """Keep what a browser has made of a run: weights, AdamW's memory, and a row for each step."""

    tag = "take back"
    next_step: int
    stops: bool
    """Whether the student has stopped it there."""
    rows: Sequence[Mapping[str, Any]]
    """As in `metrics.jsonl`, but for samples, which are tokens still."""
    arrays: Mapping[str, np.ndarray]
    """`weights`, `means` and `squares`, each all parameters in one row."""
    mark: str = ""
    """Of the text in tokens that the run must have for this to be its own; empty: it has it."""


@dataclass(frozen=True, kw_only=True)
class Repeat(Request[Found]):
    """Train the first steps of a run once more, apart from it, and give their `losses`."""

    tag = "repeat"
    steps: int


@dataclass(frozen=True, kw_only=True)
class ModelRequest(Request[R_co]):
    """Something to do with the model of a run."""

    folder: str
    step: int | None
    """After this step, if that can still be had; None: as it stands."""


@dataclass(frozen=True, kw_only=True)
class Generate(ModelRequest[Written]):
    """Write on from a prompt."""

    tag = "generate"
    prompt: str
    settings: Mapping[str, Any]
    """The fields of a `SampleConfig`."""


@dataclass(frozen=True, kw_only=True)
class Analyse(ModelRequest[Found]):
    """Make an analysis of the library's table, piece by piece."""

    tag = "analyse"
    analysis: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class WriteHuggingFace(ModelRequest[Done]):
    """Write the model into a new folder, for `transformers`."""

    tag = "write for hugging face"
    target: str


# What the worker tells unasked.


@dataclass(frozen=True, kw_only=True)
class Ready(Message):
    """The worker has got as far as waiting for requests."""

    tag = "ready"


@dataclass(frozen=True, kw_only=True)
class Turn(Message):
    """A turn begins; should the worker end now, whoever has it may be why."""

    tag = "turn"
    run: str
    """Empty: no run's."""
    question: int | None = None
    """The number of the request whose turn it is; None: no request's."""


@dataclass(frozen=True, kw_only=True)
class BesideTurn(Message):
    """What is done beside the turns begins or ends; should the worker end now, it may be why."""

    tag = "beside turn"
    question: int | None
    """The number of the request that is answered so; None: none is."""


@dataclass(frozen=True, kw_only=True)
class News(Message):
    """How a run stands, and what it has reported since the last news."""

    tag = "news"
    run: str
    state: RunState
    message: str
    """What happened to it; empty: nothing."""
    rows: Sequence[Mapping[str, Any]]
    """As in `metrics.jsonl`."""


@dataclass(frozen=True, kw_only=True)
class Measured(Message):
    """What a run really takes; see `tiny_llama.measuring`."""

    tag = "measured"
    run: str
    measured: Mapping[str, int]


REPLIES: tuple[type[Message], ...] = (Done, Refused, Started, AlreadyDone, Written, Found)
REQUESTS: tuple[type[Request[Any]], ...] = (
    Start,
    Control,
    Checkpoint,
    Unload,
    Forget,
    Lend,
    TakeBack,
    Repeat,
    Generate,
    Analyse,
    WriteHuggingFace,
)
TOLD: tuple[type[Message], ...] = (Ready, Turn, BesideTurn, News, Measured)
MESSAGES: Mapping[str, type[Message]] = {kind.tag: kind for kind in (*REPLIES, *REQUESTS, *TOLD)}

_READ: Mapping[str, Callable[[Any], Any]] = {"state": RunState}
"""Fields that are more than what JSON gives back."""


def encode(message: Message, number: int | None = None) -> Frame:
    """Turn a message into what travels.

    Args:
        message: what to say.
        number: of the request that it is or answers; None: it is neither.
    """
    says = {each.name: getattr(message, each.name) for each in fields(message)}
    arrays = says.pop("arrays", {})
    return Frame(values={"tag": message.tag, "number": number, "says": says}, arrays=arrays)


def number_of(frame: Frame) -> int | None:
    """Give the number of the request that a frame is or answers; None where it is neither."""
    number = frame.values.get("number")
    return number if isinstance(number, int) else None


def decode(frame: Frame) -> Message:
    """Turn what has travelled back into a message.

    Raises:
        MessageError: if the tag is unknown, or the message says other things than it should.
    """
    tag = frame.values.get("tag")
    kind = MESSAGES.get(str(tag))
    if kind is None:
        raise MessageError(f"There is no message {tag!r} between server and worker; {_RESTART}.")
    arrays = {"arrays": frame.arrays} if frame.arrays else {}
    try:
        says = {name: _READ.get(name, _as_it_is)(it) for name, it in frame.values["says"].items()}
        return kind(**says, **arrays)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MessageError(f"A message {tag!r} cannot be read ({error}); {_RESTART}.") from None


def decode_request(frame: Frame) -> Request[Any]:
    """Turn what has travelled into a request.

    Raises:
        MessageError: as `decode`, and if it is a message that asks for nothing.
    """
    message = decode(frame)
    if not isinstance(message, Request):
        raise MessageError(f"A message {message.tag!r} asks a worker for nothing; {_RESTART}.")
    return message


_RESTART = "start the app anew, as its parts seem to be of different versions"


def _as_it_is(value: Any) -> Any:
    return value
