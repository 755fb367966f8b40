"""What server and worker say to each other arrives as it was said, or is refused in a sentence."""

import io
import sys
from dataclasses import fields

import numpy as np
import pytest
from conftest import until

from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.messages import (
    MESSAGES,
    REPLIES,
    REQUESTS,
    TOLD,
    Checkpoint,
    Control,
    Done,
    Found,
    MessageError,
    Ready,
    Refused,
    decode,
    decode_request,
    encode,
    number_of,
)
from explorer.engine.run_state import RunState
from explorer.engine.server import process
from explorer.engine.server.errors import EngineError
from explorer.engine.server.pool import Pool
from explorer.engine.worker.handlers import AtOnce, Beside, InSlices, handlers
from explorer.engine.worker.live_runs import LiveRuns
from explorer.engine.worker.questions import Questions
from explorer.engine.worker.serving import Worker

SAMPLES = {
    "run": "abcdefgh",
    "folder": "/runs/abcdefgh",
    "state": RunState.PAUSED,
    "action": "step",
    "step": None,
    "prompt": "Once é",
    "settings": {"n_tokens": 3, "temperature": 0.5},
    "analysis": "heads",
    "values": {"text": "the", "layer": 1},
    "target": "/runs/new",
    "sentence": "It cannot be.",
    "died": False,
    "next_step": 7,
    "steps": 60,
    "stops": True,
    "vocab_size": 12,
    "note": "",
    "text": "Once upon",
    "in_bytes": "é",
    "arrays": {"maps": np.arange(6.0).reshape(2, 3)},
    "message": "It waits.",
    "rows": [{"step": 1, "loss": 2.5}],
    "measured": {"weights": 5},
    "is_measured": True,
    "is_compared": True,
    "group": "abcdefgh.0",
    "mark": "0f" * 16,
    "question": 3,
    "student": "0f" * 32,
    "blame": 0.5,
}


def sample(kind):
    return kind(**{each.name: SAMPLES[each.name] for each in fields(kind)})


def travelled(frame):
    """Give what comes out at the other end of a pipe."""
    pipe = io.BytesIO()
    write_frame(pipe, frame)
    pipe.seek(0)
    return read_frame(pipe)


def test_each_message_has_a_tag_of_its_own():
    assert len(MESSAGES) == len({*REPLIES, *REQUESTS, *TOLD})


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_every_message_arrives_as_it_was_said(kind):
    said = sample(kind)
    frame = travelled(encode(said, 5))
    heard = decode(frame)
    assert number_of(frame) == 5
    assert type(heard) is kind
    for each in fields(kind):
        if each.name == "arrays":
            np.testing.assert_array_equal(heard.arrays["maps"], said.arrays["maps"])
        else:
            assert getattr(heard, each.name) == getattr(said, each.name)
            assert type(getattr(heard, each.name)) is type(getattr(said, each.name))


def test_what_is_told_unasked_has_no_number():
    assert number_of(travelled(encode(Ready()))) is None


def test_a_finding_without_arrays_arrives():
    assert decode(travelled(encode(Found(step=3, values={"n": 1})))).arrays == {}


@pytest.mark.parametrize(
    "values",
    [
        {"tag": "dance", "number": 1, "says": {}},
        {"number": 1},
        {"tag": None, "number": 1, "says": {}},
        {"tag": "control", "number": 1},
        {"tag": "control", "number": 1, "says": {"run": "x"}},
        {"tag": "control", "number": 1, "says": {"run": "x", "action": "stop", "more": 1}},
        {"tag": "control", "number": 1, "says": ["x", "stop"]},
        {"tag": "start", "number": 1, "says": {"run": "x", "folder": "y", "state": "dancing"}},
    ],
)
def test_what_is_no_message_is_refused_in_a_sentence(values):
    with pytest.raises(MessageError, match=r"start the app anew.*\.$"):
        decode(Frame(values=values))


def test_what_asks_for_nothing_is_no_request():
    with pytest.raises(MessageError, match="'ready' asks a worker for nothing"):
        decode_request(encode(Ready(), 1))


def serve(*frames):
    """Give what a worker says to these frames, until it is left alone."""
    requests, answers = io.BytesIO(), io.BytesIO()
    for frame in frames:
        write_frame(requests, frame)
    requests.seek(0)
    Worker(requests, answers).serve()
    answers.seek(0)
    frames = iter(lambda: read_frame(answers), None)
    return {number_of(frame): decode(frame) for frame in frames}


def test_a_worker_answers_everything_under_its_number_and_refuses_in_one_way():
    said = serve(
        Frame(values={"tag": "dance", "number": 1, "says": {}}),
        encode(Ready(), 2),
        encode(Control(run="gone", action="stop"), 3),
        encode(Checkpoint(run="gone"), 4),
        encode(Control(run="gone", action="fly"), 5),
    )
    assert said[None] == Ready()
    assert said[4] == Done()
    for number in (1, 2, 3, 5):
        assert isinstance(said[number], Refused)
        assert said[number].sentence.endswith(".")


def test_every_request_is_handled_in_one_of_three_ways():
    runs = LiveRuns(lambda message: None)
    table = handlers(runs, Questions(runs))
    assert set(table) == set(REQUESTS)
    assert {type(handler) for handler in table.values()} == {AtOnce, InSlices, Beside}


STRANGER = f"""#!{sys.executable}
import sys
from explorer.engine.frames import Frame, read_frame, write_frame
out = sys.stdout.buffer
while frame := read_frame(sys.stdin.buffer):
    tag = "dance" if frame.values["tag"] == "checkpoint" else "done"
    write_frame(out, Frame(values={{"tag": "what"}}))
    write_frame(out, Frame(values={{"tag": "done", "number": 999, "says": {{}}}}))
    write_frame(out, Frame(values={{"tag": tag, "number": frame.values["number"], "says": {{}}}}))
"""


def test_a_worker_that_speaks_otherwise_is_a_sentence_and_goes_on(tmp_path, monkeypatch):
    script = tmp_path / "stranger"
    script.write_text(STRANGER)
    script.chmod(0o700)
    monkeypatch.setattr(process.sys, "executable", str(script))
    told = []
    pool = Pool(lambda worker, message: told.append(message), lambda worker: None)
    with pytest.raises(EngineError, match="no message 'dance'"):
        pool.ask(Checkpoint(run="x"), None)
    assert pool.ask(Control(run="x", action="stop"), None) == Done()
    until(lambda: len(told) == 2)
    assert all("no message 'what'" in each.sentence for each in told)
    pool.close()


def test_frames_carry_values_and_arrays_and_end_cleanly(tmp_path):
    frame = Frame(values={"a": [1, "é"]}, arrays={"x": np.arange(6.0).reshape(2, 3).T})
    path = tmp_path / "frames"
    with path.open("wb") as file:
        write_frame(file, frame)
        write_frame(file, Frame(values={}))
    with path.open("rb") as file:
        found = read_frame(file)
        assert found.values == frame.values
        np.testing.assert_array_equal(found.arrays["x"], frame.arrays["x"])
        assert read_frame(file).values == {}
        assert read_frame(file) is None
    path.write_bytes(path.read_bytes()[:20])
    with path.open("rb") as file:
        assert read_frame(file) is None
