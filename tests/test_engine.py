import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.engine import client
from explorer.engine.client import Engine, EngineError
from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.limits import MOST_PARAMETERS, check_setup
from explorer.engine.store import is_run_id, new_run_id, runs_folder
from tiny_llama.checkpoint import load_model
from tiny_llama.config import ModelConfig
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig

TEXT = "the cat sat on the mat and the dog ran to the log. " * 60
MODEL = ModelConfig(context=16, n_layers=1, d_model=16, n_heads=2)
SETUP = Setup(model=MODEL, training=TrainConfig(steps=40, batch_size=4), corpus=OWN_TEXT)
ENDLESS = replace(SETUP, training=replace(SETUP.training, steps=50_000))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


def wait_until(engine, run_id, *statuses, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run = engine.poll(run_id)
        if run.status in statuses:
            return run
        time.sleep(0.02)
    raise AssertionError(f"still {run.status}: {run.message}")


def test_a_run_trains_to_its_end_and_says_what_it_did(engine):
    run = wait_until(engine, engine.start(SETUP, owner="me", text=TEXT), "finished")
    assert list(run.series["loss"].steps) == list(range(1, 41))
    assert run.setup.model.vocab_size == len(set(TEXT)) + 1
    losses = run.series["loss"].values
    assert losses[-1] < losses[0]
    assert [step for step, _ in run.samples] == [0, 40]
    assert (run.folder / "model.safetensors").exists()


def test_a_paused_run_does_exactly_one_step_when_asked(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    engine.control(run_id, "pause", owner="me")
    run = wait_until(engine, run_id, "paused")
    step = run.step
    engine.control(run_id, "step", owner="me")
    time.sleep(0.3)
    assert run.step == step + 1
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "running")
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


def test_nobody_steers_the_run_of_another(engine):
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    with pytest.raises(EngineError, match="another student"):
        engine.control(run_id, "stop", owner="you")


def test_runs_take_turns(engine):
    ids = [engine.start(ENDLESS, owner="me", text=TEXT) for _ in range(4)]
    for run_id in ids:
        wait_until(engine, run_id, "running")
    while sum(steps := [engine.poll(run_id).step for run_id in ids]) < 400:
        time.sleep(0.05)
    for run_id in ids:
        engine.control(run_id, "stop", owner="me")
    assert min(steps) > 0.5 * sum(steps) / len(steps), steps


def test_a_model_writes_and_is_looked_into_while_it_trains(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    text = engine.generate(run_id, "the cat", SampleConfig(n_tokens=5))
    assert text.startswith("the cat")
    assert len(text) == 12
    trace = engine.trace(run_id, "the dog", "blocks.*.attention.pattern", "logits")
    assert list(trace.tokens) == list("the dog")
    pattern = trace.activations["blocks.0.attention.pattern"]
    assert pattern.shape == (2, 7, 7)
    np.testing.assert_allclose(pattern.sum(-1), 1, rtol=1e-5)
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [("", SampleConfig()), ("x" * 20_000, SampleConfig()), ("x", SampleConfig(n_tokens=5000))],
)
def test_what_cannot_be_asked_is_answered_with_a_sentence(engine, prompt, settings):
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    wait_until(engine, run_id, "running", "finished")
    with pytest.raises(EngineError, match=r"\.$"):
        engine.generate(run_id, prompt, settings)


def test_a_run_that_cannot_start_says_why(engine):
    long = replace(SETUP, model=replace(MODEL, context=512), training=TrainConfig(batch_size=1))
    run_id = engine.start(long, owner="me", text="too short for that " * 53)
    run = wait_until(engine, run_id, "failed")
    assert "context=512" in run.message


def test_a_run_that_blows_up_ends_with_a_sentence(engine):
    wild = TrainConfig(optimizer="sgd", learning_rate=900.0, gradient_clip=0.0, warmup_steps=0)
    run_id = engine.start(
        replace(SETUP, training=wild, model=replace(MODEL, norm="none")), owner="me", text=TEXT
    )
    assert "learning rate" in wait_until(engine, run_id, "failed").message


def test_a_run_that_blows_up_leaves_the_others_alone(engine):
    healthy = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, healthy, "running")
    worker = engine.worker_pid
    deep = replace(MODEL, norm="none", n_layers=8)
    wild = TrainConfig(steps=1, learning_rate=1000.0, gradient_clip=0.0, warmup_steps=0)
    run_id = engine.start(replace(SETUP, model=deep, training=wild), owner="me", text=TEXT)
    assert "learning rate" in wait_until(engine, run_id, "failed", "finished").message
    assert engine.worker_pid == worker
    engine.control(healthy, "stop", owner="me")
    wait_until(engine, healthy, "stopped")


def test_a_vocabulary_that_makes_a_model_too_large_is_noticed(engine):
    many = "".join(chr(0x4E00 + i) for i in range(4000))
    wide = replace(SETUP, model=ModelConfig(d_model=512, n_layers=1, n_heads=4, context=16))
    check_setup(wide)
    run_id = engine.start(wide, owner="me", text=many)
    assert "parameters" in wait_until(engine, run_id, "failed").message


def test_others_train_while_a_long_text_is_prepared(engine):
    quick = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, quick, "running")
    slow = replace(SETUP, tokenizer="sentencepiece")
    words = "".join(f"{i * 7919 % 100_003:x} " for i in range(300_000))
    run_id, before = engine.start(slow, owner="me", text=words), engine.poll(quick).step
    assert engine.generate(quick, "the", SampleConfig(n_tokens=1))
    wait_until(engine, run_id, "running", "finished")
    assert engine.poll(quick).step > before
    for each in (quick, run_id):
        if engine.poll(each).is_live:
            engine.control(each, "stop", owner="me")


def test_ctrl_c_in_the_terminal_is_not_for_the_worker(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    run = wait_until(engine, run_id, "running")
    os.kill(engine.worker_pid, signal.SIGINT)
    step = run.step
    while run.step == step:
        assert run.status == "running"
        time.sleep(0.02)
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


def test_a_worker_that_does_not_answer_is_a_sentence(engine, monkeypatch):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.2)
    os.kill(engine.worker_pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match="too busy"):
            engine.generate(run_id, "the", SampleConfig())
    finally:
        os.kill(engine.worker_pid, signal.SIGCONT)
    monkeypatch.undo()
    engine.control(run_id, "stop", owner="me")


def test_a_run_started_after_a_crash_does_not_share_its_fate(tmp_path):
    engine = Engine(tmp_path)
    first = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, first, "running")
    os.kill(engine.worker_pid, signal.SIGKILL)
    wait_until(engine, first, "interrupted")
    second = engine.start(SETUP, owner="me", text=TEXT)
    assert wait_until(engine, second, "finished").message == ""
    engine.close()


SERVER = """
import sys, time
from pathlib import Path
from explorer.engine.client import Engine
from test_engine import ENDLESS, TEXT, wait_until
engine = Engine(Path(sys.argv[1]))
run_id = engine.start(ENDLESS, owner="me", text=TEXT)
wait_until(engine, run_id, "running")
while engine.poll(run_id).step < 20:
    time.sleep(0.02)
print(run_id, engine.poll(run_id).step, flush=True)
time.sleep(600)
"""


def test_a_killed_server_takes_its_worker_along_which_saves_its_runs(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, tmp_path],
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run_id, step = server.stdout.readline().split()
    server.kill()
    _, said = server.communicate(timeout=60)  # the worker holds stderr open until it has ended
    assert "Traceback" not in said
    assert load_model(tmp_path / run_id).next_step >= int(step)


def test_pasted_texts_are_for_this_user_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("TINY_LLAMA_RUNS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = runs_folder()
    assert folder.stat().st_mode & 0o077 == 0
    assert runs_folder() == folder
    folder.chmod(0o777)
    assert runs_folder() != folder
    assert runs_folder().stat().st_mode & 0o077 == 0


def test_a_killed_worker_costs_no_run_more_than_its_last_checkpoint(tmp_path):
    engine = Engine(tmp_path)
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    engine.control(run_id, "pause", owner="me")
    step = wait_until(engine, run_id, "paused").step
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "running")
    os.kill(engine.worker_pid, signal.SIGKILL)
    run = wait_until(engine, run_id, "interrupted")
    assert "last checkpoint" in run.message
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "running")
    time.sleep(0.5)
    engine.control(run_id, "stop", owner="me")
    run = wait_until(engine, run_id, "stopped")
    steps = list(run.series["loss"].steps)
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > step
    engine.close()


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (replace(SETUP, model=ModelConfig(d_model=4096, n_heads=1)), f"{MOST_PARAMETERS:,}"),
        (replace(SETUP, model=ModelConfig(n_layers=10_000, d_model=8)), "n_layers=10,000"),
        (replace(SETUP, model=ModelConfig(context=1024)), "context=1,024"),
        (replace(SETUP, training=TrainConfig(batch_size=20_000)), "MB of activations"),
        (replace(SETUP, model=ModelConfig(d_model=256, context=512)), "billion operations"),
        (replace(SETUP, model=ModelConfig(dropout=0.1, context=512, n_heads=32)), "MB of act"),
        (replace(SETUP, training=TrainConfig(steps=60_000)), "steps=60,000"),
        (replace(SETUP, training=TrainConfig(n_snapshots=101)), "n_snapshots=101"),
    ],
)
def test_runs_over_the_limits_are_refused_before_anything_is_built(setup, words):
    with pytest.raises(ConfigError, match="too large for this app") as caught:
        check_setup(setup)
    assert words in str(caught.value)


def test_names_from_links_are_never_paths():
    assert is_run_id(new_run_id())
    for word in ("", "..", "../../etc", "a/b/c/d/", "x" * 9, "abcdefg\n", "%2e%2e%2f%2e"):
        assert not is_run_id(word)


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


def test_errors_of_the_engine_are_for_users():
    assert issubclass(EngineError, UserError)
