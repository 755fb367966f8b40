import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import until
from transformers import AutoModelForCausalLM

from explorer.engine import client, pool
from explorer.engine import limits as limits_module
from explorer.engine.client import Engine, EngineError
from explorer.engine.frames import Frame, read_frame, write_frame
from explorer.engine.limits import OWN, SHARED, check_setup, held_bytes, limits
from explorer.engine.store import (
    FolderUse,
    is_run_id,
    new_run_id,
    runs_folder,
    to_clear,
    write_record,
    zip_folder,
)
from tiny_llama.__main__ import main
from tiny_llama.checkpoint import load_model
from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    activation_bytes,
    count_parameters,
    training_flops,
    training_memory,
)
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.metrics import read_metrics
from tiny_llama.presets import PRESETS
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
    trace = engine.analyse(
        run_id, "trace", text="the dog", patterns=["blocks.*.attention.pattern", "logits"]
    )
    assert trace["tokens"] == list("the dog")
    pattern = trace["blocks.0.attention.pattern"]
    assert pattern.shape == (2, 7, 7)
    np.testing.assert_allclose(pattern.sum(-1), 1, rtol=1e-5)
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


def test_a_view_that_is_made_in_one_piece_does_not_hold_up_training(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    before = engine.poll(run_id).step
    found = engine.analyse("", "cuts", texts=["Once there was"], corpus="tales", vocab_size=2000)
    assert found["sizes"]["sentencepiece"] > found["sizes"]["characters"]
    assert len(found["cuts"][0]["sentencepiece"]["ids"]) < len("Once there was")
    assert engine.poll(run_id).step > before
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


@pytest.mark.parametrize(
    ("view", "values"),
    [
        ("layer", {"text": "the", "layer": 99, "first": 0, "most": 9}),
        ("heads", {"text": ""}),
        ("heads", {"text": "x" * 20_000}),
        ("ablate", {"text": "the", "heads": [[0, 0]], "by": "magic"}),
    ],
)
def test_a_view_that_cannot_be_had_is_answered_with_a_sentence(engine, view, values):
    with pytest.raises(EngineError, match=r"\.$"):
        engine.analyse("tales-llama", view, **values)
    assert engine.analyse("tales-llama", "reading", text="the").step == 4000


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
    workers = engine.worker_pids
    deep = replace(MODEL, norm="none", n_layers=8)
    wild = TrainConfig(steps=1, learning_rate=1000.0, gradient_clip=0.0, warmup_steps=0)
    run_id = engine.start(replace(SETUP, model=deep, training=wild), owner="me", text=TEXT)
    assert "learning rate" in wait_until(engine, run_id, "failed", "finished").message
    assert engine.worker_pids == workers
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
    os.kill(engine.worker_pids[0], signal.SIGINT)
    step = run.step
    while run.step == step:
        assert run.status == "running"
        time.sleep(0.02)
    engine.control(run_id, "stop", owner="me")
    wait_until(engine, run_id, "stopped")


def test_a_worker_that_does_not_answer_is_a_sentence(engine, monkeypatch):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    monkeypatch.setattr(pool, "PATIENCE_SECONDS", 0.2)
    os.kill(engine.worker_pids[0], signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match="too busy"):
            engine.generate(run_id, "the", SampleConfig())
    finally:
        os.kill(engine.worker_pids[0], signal.SIGCONT)
    monkeypatch.undo()
    engine.control(run_id, "stop", owner="me")


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


def test_two_servers_do_not_train_in_the_same_folder(tmp_path):
    code = "from explorer.engine.store import runs_folder; print(runs_folder()); input()"
    one, two = (
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"TINY_LLAMA_RUNS": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    folders = [each.stdout.readline().strip() for each in (one, two)]
    for each in (one, two):
        each.communicate("\n", timeout=60)
    assert folders.count(str(tmp_path)) == 1
    assert len(set(folders)) == 2


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


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (replace(SETUP, model=ModelConfig(d_model=4096, n_heads=1)), f"{OWN.parameters:,}"),
        (replace(SETUP, model=ModelConfig(n_layers=10_000, d_model=8)), "n_layers=10,000"),
        (
            replace(SETUP, model=ModelConfig(feed_forward="moe_swiglu", n_experts=65)),
            "n_experts=65 are 260 experts",
        ),
        (replace(SETUP, model=ModelConfig(context=1024)), "context=1,024"),
        (replace(SETUP, training=TrainConfig(batch_size=20_000)), "MB of activations"),
        (replace(SETUP, model=ModelConfig(d_model=256, context=512)), "billion operations"),
        (replace(SETUP, model=ModelConfig(dropout=0.1, context=512, n_heads=32)), "MB of act"),
        (replace(SETUP, training=TrainConfig(steps=60_000)), "steps=60,000"),
        (replace(SETUP, training=TrainConfig(n_snapshots=101)), "n_snapshots=101"),
    ],
)
def test_runs_over_the_limits_are_refused_before_anything_is_built(setup, words):
    with pytest.raises(ConfigError, match="too large to train") as caught:
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


def kill_workers(engine):
    for pid in engine.worker_pids:
        os.kill(pid, signal.SIGKILL)


def test_a_killed_worker_is_replaced_and_three_runs_go_on_from_their_checkpoints(tmp_path):
    engine = Engine(tmp_path)
    ids = [engine.start(ENDLESS, owner=f"student {n}", text=TEXT) for n in range(3)]
    kept = {}
    for n, run_id in enumerate(ids):
        wait_until(engine, run_id, "running")
        engine.control(run_id, "pause", owner=f"student {n}")  # pausing writes a checkpoint
        kept[run_id] = wait_until(engine, run_id, "paused").step
        engine.control(run_id, "resume", owner=f"student {n}")
    wait_for_steps(engine, ids, 20)
    kill_workers(engine)
    for run_id in ids:
        until(lambda run_id=run_id: engine.poll(run_id).message)
        run = wait_until(engine, run_id, "running")
        assert "worker process ended unexpectedly" in run.message
        went_on = int(re.search(r"step ([\d,]+)", run.message)[1].replace(",", ""))
        assert went_on >= kept[run_id]
    wait_for_steps(engine, ids, 40)
    for run_id in ids:
        steps = list(engine.poll(run_id).series["loss"].steps)
        assert steps == list(range(1, len(steps) + 1))
    engine.close()


def train_a_while(engine):
    """Start a long run and return its id once it has done some steps."""
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_for_steps(engine, [run_id], 20)
    return run_id


def wait_for_steps(engine, ids, n_steps, seconds=60):
    until(lambda: min(engine.poll(run_id).step for run_id in ids) >= n_steps, seconds)


def test_a_resumed_run_learns_the_very_same_as_one_that_was_never_disturbed(tmp_path):
    engine = Engine(tmp_path)
    setup = replace(SETUP, training=replace(SETUP.training, steps=200))
    calm = wait_until(engine, engine.start(setup, owner="me", text=TEXT), "finished")
    run_id = engine.start(setup, owner="me", text=TEXT)
    wait_for_steps(engine, [run_id], 50)
    kill_workers(engine)
    disturbed = wait_until(engine, run_id, "finished")
    assert list(disturbed.series["loss"].values) == list(calm.series["loss"].values)
    assert disturbed.samples == calm.samples
    engine.close()


def test_a_run_in_whose_turn_the_worker_keeps_dying_does_not_take_the_others_along(tmp_path):
    engine = Engine(tmp_path)
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    for _ in range(2):
        wait_until(engine, run_id, "running")
        wait_for_steps(engine, [run_id], 1)
        kill_workers(engine)
        wait_until(engine, run_id, "starting", "interrupted")
    run = wait_until(engine, run_id, "interrupted")
    assert "ended twice" in run.message
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "running")
    engine.close()


def test_a_worker_that_cannot_start_is_not_started_over_and_over(tmp_path, monkeypatch):
    engine = Engine(tmp_path)
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "nowhere"))
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    assert "could not start" in wait_until(engine, run_id, "interrupted").message
    monkeypatch.undo()
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "finished")
    engine.close()


def test_a_server_that_starts_again_finds_its_runs_and_whose_they_are(tmp_path):
    first = Engine(tmp_path)
    done = wait_until(first, first.start(SETUP, owner="me", text=TEXT), "finished")
    live = first.start(ENDLESS, owner="me", text=TEXT)
    wait_for_steps(first, [live], 20)
    first.close()

    second = Engine(tmp_path)
    assert [run.id for run in second.runs_of("me")] == [live, done.id]
    assert second.runs_of("you") == []
    assert second.poll(done.id).status == "finished"
    assert list(second.poll(done.id).series["loss"].values) == list(done.series["loss"].values)
    assert second.poll(done.id).samples == done.samples
    assert second.worker_pids == []  # nothing trains before somebody looks
    wait_until(second, live, "starting", "running")
    run = wait_until(second, live, "running")
    assert "server was started anew" in run.message
    wait_for_steps(second, [live], run.step + 1)
    with pytest.raises(EngineError, match="another student"):
        second.control(live, "stop", owner="you")
    second.control(live, "stop", owner="me")
    second.close()


def test_a_run_that_was_being_prepared_when_the_server_ended_starts_again(tmp_path):
    first = Engine(tmp_path)
    run_id = first.start(SETUP, owner="me", text=TEXT)
    run = first.runs[run_id]
    wait_until(first, run_id, "finished")
    first.close()
    for name in ("setup.json", "model.safetensors", "metrics.jsonl", "tokenizer.json"):
        (run.folder / name).unlink()
    run.status = "starting"
    write_record(run)
    second = Engine(tmp_path)
    again = wait_until(second, run_id, "finished")
    assert list(again.series["loss"].values) == list(run.series["loss"].values)
    second.close()


def test_a_torn_last_line_of_the_metrics_costs_nothing(tmp_path):
    first = Engine(tmp_path)
    run_id = train_a_while(first)
    first.close()
    metrics = tmp_path / run_id / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + '{"step": 99999, "sample": "é'.encode()[:-1])
    second = Engine(tmp_path)
    run = wait_until(second, run_id, "running")
    wait_for_steps(second, [run_id], 40)
    second.control(run_id, "stop", owner="me")
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))
    second.close()


@pytest.mark.parametrize("n_bytes", [0, 7, 5_000])
def test_a_checkpoint_that_was_cut_short_gives_way_to_the_one_before(tmp_path, n_bytes):
    first = Engine(tmp_path)
    run_id = train_a_while(first)
    first.control(run_id, "pause", owner="me")
    before = wait_until(first, run_id, "paused").step
    first.close()
    model = tmp_path / run_id / "model.safetensors"
    model.write_bytes(model.read_bytes()[:n_bytes])
    second = Engine(tmp_path)
    second.control(run_id, "resume", owner="me")
    run = wait_until(second, run_id, "running")
    assert "checkpoint was damaged" in run.message
    assert f"step {before:,}" in run.message
    second.close()


def test_a_run_without_any_whole_checkpoint_says_so_and_keeps_what_there_is(tmp_path):
    first = Engine(tmp_path)
    run_id = train_a_while(first)
    first.close()
    for name in ("model.safetensors", "model.before.safetensors"):
        (tmp_path / run_id / name).write_bytes(b"")
    second = Engine(tmp_path)
    run = wait_until(second, run_id, "failed")
    assert run.message.endswith(".")
    assert run.step >= 20
    second.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit")
def test_on_a_full_disk_a_run_waits_and_goes_on_when_there_is_room(tmp_path):
    engine = Engine(tmp_path)
    run_id = train_a_while(engine)
    worker = engine.worker_pids[0]
    no_limit = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (2_000, no_limit[1]))
    run = wait_until(engine, run_id, "paused")
    assert "could not be saved" in run.message
    assert engine.worker_pids == [worker]
    assert engine.generate(run_id, "the", SampleConfig(n_tokens=1))
    with pytest.raises(EngineError, match="cannot be written"):
        engine.control(run_id, "stop", owner="me")
    step = run.step
    resource.prlimit(worker, resource.RLIMIT_FSIZE, no_limit)
    engine.control(run_id, "resume", owner="me")
    wait_for_steps(engine, [run_id], step + 20)
    engine.control(run_id, "stop", owner="me")
    run = wait_until(engine, run_id, "stopped")
    assert list(run.series["loss"].steps) == list(range(1, run.step + 1))
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))
    engine.close()


def test_a_fork_goes_on_by_itself_and_leaves_the_other_alone(engine):
    run_id = train_a_while(engine)
    engine.control(run_id, "pause", owner="me")
    source = wait_until(engine, run_id, "paused")
    step = source.step
    copy_id = engine.fork(run_id, owner="you", steps=step + 30)
    copy = wait_until(engine, copy_id, "finished")
    assert engine.poll(run_id).step == step
    assert copy.parent == run_id
    assert list(copy.series["loss"].steps) == list(range(1, step + 31))
    assert list(copy.series["loss"].values)[:step] == list(source.series["loss"].values)
    with pytest.raises(EngineError, match="another student"):
        engine.control(copy_id, "resume", owner="me")
    engine.delete(run_id, owner="me")


def test_a_deleted_run_is_gone_and_only_its_owner_can_delete_it(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    folder = wait_until(engine, run_id, "running").folder
    with pytest.raises(EngineError, match="another student"):
        engine.delete(run_id, owner="you")
    engine.delete(run_id, owner="me")
    assert engine.poll(run_id) is None
    assert not folder.exists()
    with pytest.raises(EngineError, match="not on this server"):
        engine.control(run_id, "stop", owner="me")


def shrink(monkeypatch, **changes):
    smaller = replace(OWN, **changes)
    monkeypatch.setattr(client, "limits", lambda: smaller)


def test_a_student_may_have_only_so_many_runs_at_once(engine, monkeypatch):
    shrink(monkeypatch, live_runs_a_student=2)
    first, second = (engine.start(ENDLESS, owner="eager", text=TEXT) for _ in range(2))
    with pytest.raises(EngineError, match="2 runs going, the most"):
        engine.start(ENDLESS, owner="eager", text=TEXT)
    engine.control(first, "pause", owner="eager")
    third = engine.start(ENDLESS, owner="eager", text=TEXT)
    with pytest.raises(EngineError, match="2 runs going"):
        engine.control(first, "resume", owner="eager")
    engine.start(SETUP, owner="another", text=TEXT)
    for run_id in (first, second, third):
        engine.delete(run_id, owner="eager")


def test_models_that_do_not_fit_beside_the_others_are_refused(engine, monkeypatch):
    shrink(monkeypatch, training_bytes=1_000)
    with pytest.raises(EngineError, match="choose a smaller model"):
        engine.start(SETUP, owner="me", text=TEXT)


def test_a_run_that_nobody_looks_at_pauses_leaves_the_memory_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "CARE_SECONDS", 0.05)
    shrink(monkeypatch, unwatched_seconds=0.5, unloaded_seconds=1.0)
    engine = Engine(tmp_path)
    run_id = train_a_while(engine)
    run = engine.runs[run_id]
    until(lambda: run.status == "paused" and run.worker is None and not run.has_history)
    assert "nobody looked" in run.message
    assert engine.poll(run_id).series["loss"].steps[-1] == run.step
    step = run.step
    engine.control(run_id, "step", owner="me")
    until(lambda: engine.poll(run_id).step == step + 1)
    assert wait_until(engine, run_id, "paused").step == step + 1
    engine.control(run_id, "resume", owner="me")
    wait_for_steps(engine, [run_id], step + 5)
    engine.close()


def test_old_runs_are_cleared_but_none_that_somebody_looks_at(tmp_path, monkeypatch):
    engine = Engine(tmp_path)
    old, watched = (engine.start(SETUP, owner="me", text=TEXT) for _ in range(2))
    for run_id in (old, watched):
        wait_until(engine, run_id, "finished")
    shrink(monkeypatch, forgotten_seconds=-1)
    engine.runs[old].seen_at = -1e9
    engine.runs[watched].seen_at = time.monotonic()
    until(lambda: not engine._unsaved)
    os.utime(tmp_path / old / "run.json", (1, 1))
    shrink(monkeypatch, forgotten_seconds=3600)
    engine.clear_old_runs()
    assert not (tmp_path / old).exists()
    assert engine.poll(old) is None
    assert engine.poll(watched).status == "finished"
    engine.close()


def test_too_much_of_it_goes_from_the_oldest_on():
    uses = [FolderUse(name=f"run{n}", n_bytes=100, touched=float(n)) for n in (3, 1, 2)]
    assert to_clear(uses, most_bytes=250, most_seconds=1e9, now=4) == ["run1"]
    assert to_clear(uses, most_bytes=50, most_seconds=1e9, now=4) == ["run1", "run2", "run3"]
    assert to_clear(uses, most_bytes=1000, most_seconds=1.5, now=4) == ["run1", "run2"]


def test_a_run_folder_comes_as_a_zip_file_that_the_command_line_resumes(engine, tmp_path):
    run_id = train_a_while(engine)
    engine.control(run_id, "pause", owner="me")
    steps = wait_until(engine, run_id, "paused").step + 20
    packed = engine.export(run_id, "folder")
    engine.delete(run_id, owner="me")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path)
        assert {"run.json", "model.before.safetensors"}.isdisjoint(archive.namelist())
    assert main(["train", "--resume", "--steps", str(steps), "--out", str(tmp_path)]) == 0
    assert load_model(tmp_path).next_step == steps + 1


def test_a_model_comes_as_a_zip_file_that_transformers_opens(engine, tmp_path):
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    wait_until(engine, run_id, "finished")
    with zipfile.ZipFile(io.BytesIO(engine.export(run_id, "hugging_face"))) as archive:
        archive.extractall(tmp_path)
    ours, theirs = (
        load_model(engine.poll(run_id).folder),
        AutoModelForCausalLM.from_pretrained(tmp_path),
    )
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, ours.model(tokens), rtol=1e-4, atol=1e-5)


def test_a_model_that_hugging_face_cannot_express_says_so(engine):
    odd = replace(SETUP, model=replace(MODEL, position="alibi"))
    run_id = engine.start(odd, owner="me", text=TEXT)
    wait_until(engine, run_id, "finished")
    with pytest.raises(EngineError, match="no equivalent in Hugging Face"):
        engine.export(run_id, "hugging_face")


def test_metrics_come_as_a_table_of_every_step(engine):
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    run = wait_until(engine, run_id, "finished")
    rows = list(csv.DictReader(io.StringIO(engine.export(run_id, "metrics").decode())))
    assert [int(row["step"]) for row in rows] == list(range(41))
    losses = [float(row["loss"]) for row in rows[1:]]
    np.testing.assert_allclose(losses, run.series["loss"].values, rtol=1e-6)


def test_what_a_run_takes_is_what_was_predicted(engine):
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    run = wait_until(engine, run_id, "finished")
    model, batch_size = run.setup.model, run.setup.training.batch_size
    memory = training_memory(model)
    assert run.measured == {
        "parameters": count_parameters(model),
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": activation_bytes(model, batch_size=batch_size, n_tokens=model.context),
        "step_flops": batch_size * training_flops(model, model.context),
    }


def test_each_run_knows_how_many_share_its_worker(engine):
    ids = [engine.start(ENDLESS, owner="me", text=TEXT) for _ in range(3)]
    for run_id in ids:
        wait_until(engine, run_id, "running")
    share = engine.share(engine.poll(ids[0]))
    assert share.n_all_runs == 3
    assert 1 <= share.n_runs <= 3
    wait_for_steps(engine, ids, 30)
    until(lambda: (engine.poll(ids[0]).seconds_left() or 0) > 0)
    for run_id in ids:
        engine.delete(run_id, owner="me")


def test_the_secret_of_an_owner_is_nowhere_in_the_folder(engine):
    run_id = engine.start(SETUP, owner="my-own-secret", text=TEXT)
    run = wait_until(engine, run_id, "finished")
    for path in run.folder.rglob("*"):
        assert path.is_dir() or b"my-own-secret" not in path.read_bytes()


@pytest.mark.parametrize(
    ("word", "n_bytes", "wanted"),
    [
        ("shared", 16_000_000_000, SHARED),
        ("own", 1_000_000_000, OWN),
        ("", 1_000_000_000, SHARED),
        ("", 690_000_000, SHARED),
        ("", 16_000_000_000, OWN),
    ],
)
def test_a_small_container_gets_smaller_limits(monkeypatch, word, n_bytes, wanted):
    monkeypatch.setenv("TINY_LLAMA_LIMITS", word)
    monkeypatch.setattr(limits_module, "memory_bytes", lambda: n_bytes)
    here = limits.__wrapped__()  # an engine beside this test may ask, too, and be answered first
    assert replace(here, training_bytes=wanted.training_bytes) == wanted
    if wanted is SHARED:
        assert 10 * held_bytes(Setup()) < here.training_bytes < n_bytes / 3


def test_every_tiny_preset_fits_the_smallest_place(monkeypatch):
    monkeypatch.setattr(limits_module, "limits", lambda: SHARED)
    for preset in PRESETS.values():
        if preset.is_tiny:
            check_setup(Setup(model=preset.config))


def test_snapshots_stay_behind_where_a_download_would_be_too_large(tmp_path):
    (tmp_path / "snapshots").mkdir()
    for name in ("setup.json", "snapshots/00000000.safetensors"):
        (tmp_path / name).write_bytes(bytes(100))
    for most_bytes, n_files in ((200, 2), (199, 1)):
        packed = io.BytesIO(zip_folder(tmp_path, most_bytes=most_bytes))
        assert len(zipfile.ZipFile(packed).namelist()) == n_files


def test_what_becomes_of_a_run_is_on_disk_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "CARE_SECONDS", 600)
    engine = Engine(tmp_path)
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    wait_until(engine, run_id, "running")
    for action, status in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        engine.control(run_id, action, owner="me")
        until(
            lambda s=status: json.loads((tmp_path / run_id / "run.json").read_text())["status"] == s
        )
    engine.close()
