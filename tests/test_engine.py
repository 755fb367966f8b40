"""The engine as pages call it, with a worker of its own; its faults are in `test_engine_faults`."""

import csv
import io
import os
import re
import signal
import threading
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_runs import (
    ENDLESS,
    MODEL,
    SETUP,
    TEXT,
    train_a_while,
    wait_for,
    wait_for_steps,
    wait_until,
)
from transformers import AutoModelForCausalLM

from explorer.engine.limits import OWN, check_setup
from explorer.engine.server import admission, pool
from explorer.engine.server.errors import EngineError
from explorer.engine.store import read_runs
from tiny_llama.__main__ import main
from tiny_llama.checkpoint import load_model
from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    activation_bytes,
    count_parameters,
    training_flops,
    training_memory,
)
from tiny_llama.errors import UserError
from tiny_llama.sample_config import SampleConfig
from tiny_llama.train_config import TrainConfig


@pytest.fixture(scope="module")
def finished(engine):
    """Give a run that has done all its steps."""
    return wait_until(engine, engine.start(SETUP, owner="my-own-secret", text=TEXT), "finished")


@pytest.fixture
def running(engine):
    """Lend a long run that has done some steps; it is gone when the test is over."""
    run_id = train_a_while(engine)
    yield engine.poll(run_id)
    if engine.poll(run_id):
        engine.delete(run_id, owner="me")


def test_a_run_trains_to_its_end_and_says_what_it_did(finished):
    assert list(finished.series["loss"].steps) == list(range(1, 41))
    assert finished.setup.model.vocab_size == len(set(TEXT)) + 1
    losses = finished.series["loss"].values
    assert losses[-1] < losses[0]
    assert [step for step, _ in finished.samples] == [0, 40]
    assert (finished.folder / "model.safetensors").exists()


def test_a_paused_run_does_exactly_one_step_when_asked(engine, running):
    engine.control(running.id, "pause", owner="me")
    step = wait_until(engine, running.id, "paused").step
    engine.control(running.id, "step", owner="me")
    assert (running.step, running.status) == (step + 1, "paused")
    engine.control(running.id, "resume", owner="me")
    wait_for_steps(engine, [running.id], step + 2)
    assert list(running.series["loss"].steps)[step - 1 : step + 1] == [step, step + 1]
    engine.control(running.id, "stop", owner="me")
    assert running.status == "stopped"


def test_nobody_steers_the_run_of_another(engine, running):
    for action in ("pause", "resume", "step", "stop"):
        with pytest.raises(EngineError, match="another student"):
            engine.control(running.id, action, owner="you")
    with pytest.raises(EngineError, match="another student"):
        engine.text_of(running.id, owner="you")
    assert engine.text_of(running.id, owner="me") == TEXT
    assert running.status == "running"


def test_four_runs_move_at_once_and_know_who_shares_their_worker(engine):
    ids = [engine.start(ENDLESS, owner="me", text=TEXT) for _ in range(4)]
    wait_for_steps(engine, ids, 20)
    share = engine.share(engine.poll(ids[0]))
    assert share.n_all_runs == 4
    assert 1 <= share.n_turns <= 4
    assert 1 <= share.n_workers <= 4
    wait_for(lambda: (engine.poll(ids[0]).seconds_left() or 0) > 0)
    for run_id in ids:
        engine.delete(run_id, owner="me")


def test_a_model_writes_and_is_looked_into_while_it_trains(engine, running):
    text = engine.generate(running.id, "the cat", SampleConfig(n_tokens=5)).text
    assert text.startswith("the cat")
    assert len(text) == 12
    trace = engine.analyse(
        running.id, "trace", text="the dog", patterns=["blocks.*.attention.pattern", "logits"]
    )
    assert trace["tokens"] == list("the dog")
    pattern = trace["blocks.0.attention.pattern"]
    assert pattern.shape == (2, 7, 7)
    np.testing.assert_allclose(pattern.sum(-1), 1, rtol=1e-5)
    assert running.status == "running"


def test_a_tokenizer_that_learns_does_not_hold_up_training(engine, running):
    before = engine.poll(running.id).step
    found = engine.analyse("", "cuts", texts=["Once there was"], corpus="tales", vocab_size=2000)
    assert found["sizes"]["sentencepiece"] > found["sizes"]["characters"]
    assert len(found["cuts"][0]["sentencepiece"]["ids"]) < len("Once there was")
    assert engine.poll(running.id).step > before


def test_others_tokenizers_are_learned_between_those_of_a_long_look(engine):
    answered = []

    def ask(owner, analysis, **values):
        engine.analyse("", analysis, owner=owner, corpus="tales", **values)
        answered.append(owner)

    sizes = range(300, 312)
    long = threading.Thread(target=ask, args=("one", "vocabularies"), kwargs={"sizes": [*sizes]})
    long.start()
    wait_for(lambda: engine.worker_pids)
    ask("other", "cuts", texts=["Once there was"], vocab_size=333)
    long.join()
    assert answered == ["other", "one"]


@pytest.mark.parametrize(
    ("analysis", "values"),
    [
        ("layer", {"text": "the", "layer": 99, "first": 0, "most": 9}),
        ("heads", {"text": ""}),
        ("heads", {"text": "x" * 20_000}),
        ("ablate", {"text": "the", "heads": [[0, 0]], "by": "magic"}),
        ("cuts", {"texts": ["Once"], "corpus": "tales", "vocab_size": 1}),
    ],
)
def test_an_analysis_that_cannot_be_had_is_answered_with_a_sentence(engine, analysis, values):
    with pytest.raises(EngineError, match=r"\.$"):
        engine.analyse("tales-llama", analysis, **values)
    assert engine.analyse("tales-llama", "reading", text="the").step == 4000


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [("", SampleConfig()), ("x" * 20_000, SampleConfig()), ("x", SampleConfig(n_tokens=5000))],
)
def test_what_cannot_be_asked_is_answered_with_a_sentence(engine, finished, prompt, settings):
    with pytest.raises(EngineError, match=r"\.$"):
        engine.generate(finished.id, prompt, settings)


def test_the_same_run_asked_for_again_before_its_first_step_is_one(engine):
    asked = [engine.start_once(ENDLESS, owner="hasty", text=TEXT) for _ in range(6)]
    assert len(set(asked)) == 1
    other_text = engine.start_once(ENDLESS, owner="hasty", text=TEXT[1:])
    other_seed = replace(ENDLESS, training=replace(ENDLESS.training, seed=9))
    others = [
        other_text,
        engine.start_once(other_seed, owner="hasty", text=TEXT),
        engine.start_once(ENDLESS, owner="calm", text=TEXT),
    ]
    assert len({*asked, *others}) == 4
    wait_for_steps(engine, asked[:1], 1)
    again = engine.start_once(ENDLESS, owner="hasty", text=TEXT)
    assert again not in {*asked, *others}
    for run_id in {*asked, *others, again}:
        engine.delete(run_id, owner="calm" if run_id == others[-1] else "hasty")


def test_a_run_that_cannot_start_says_why(engine):
    long = replace(SETUP, model=replace(MODEL, context=512), training=TrainConfig(batch_size=1))
    run_id = engine.start(long, owner="me", text="too short for that " * 53)
    run = wait_until(engine, run_id, "failed")
    assert "context=512" in run.message


def test_a_run_that_blows_up_ends_with_a_sentence_and_leaves_the_others_alone(engine, running):
    workers = engine.worker_pids
    wild = TrainConfig(optimizer="sgd", learning_rate=900.0, gradient_clip=0.0, warmup_steps=0)
    setup = replace(SETUP, training=wild, model=replace(MODEL, norm="none"))
    run_id = engine.start(setup, owner="me", text=TEXT)
    assert "learning rate" in wait_until(engine, run_id, "failed").message
    step = running.step
    wait_for_steps(engine, [running.id], step + 1)
    assert engine.worker_pids == workers


def test_a_vocabulary_that_makes_a_model_too_large_is_noticed(engine):
    many = "".join(chr(0x4E00 + i) for i in range(4000))
    wide = replace(SETUP, model=ModelConfig(d_model=512, n_layers=1, n_heads=4, context=16))
    check_setup(wide)
    run_id = engine.start(wide, owner="me", text=many)
    assert "parameters" in wait_until(engine, run_id, "failed").message


@pytest.mark.slow
def test_others_train_while_a_long_text_is_prepared(engine, running):
    slow = replace(SETUP, tokenizer="sentencepiece")
    words = "".join(f"{i * 7919 % 100_003:x} " for i in range(300_000))
    run_id, before = engine.start(slow, owner="me", text=words), running.step
    assert engine.generate(running.id, "the", SampleConfig(n_tokens=1))
    wait_until(engine, run_id, "running", "finished")
    assert running.step > before
    engine.delete(run_id, owner="me")


def test_ctrl_c_in_the_terminal_is_not_for_the_worker(engine, running):
    workers = engine.worker_pids
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    wait_for_steps(engine, [running.id], running.step + 20)
    assert (running.status, engine.worker_pids) == ("running", workers)


def test_a_worker_that_does_not_answer_is_a_sentence(engine, running, monkeypatch):
    pid = running.worker.pid
    monkeypatch.setattr(pool, "PATIENCE_SECONDS", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match="too busy"):
            engine.generate(running.id, "the", SampleConfig())
    finally:
        os.kill(pid, signal.SIGCONT)


def test_errors_of_the_engine_are_for_users():
    assert issubclass(EngineError, UserError)


def test_a_fork_goes_on_by_itself_and_leaves_the_other_alone(engine, running):
    engine.control(running.id, "pause", owner="me")
    step = wait_until(engine, running.id, "paused").step
    copy_id = engine.fork(running.id, owner="you", steps=step + 30)
    copy = wait_until(engine, copy_id, "finished")
    assert engine.poll(running.id).step == step
    assert copy.parent == running.id
    assert list(copy.series["loss"].steps) == list(range(1, step + 31))
    assert list(copy.series["loss"].values)[:step] == list(running.series["loss"].values)
    with pytest.raises(EngineError, match="another student"):
        engine.control(copy_id, "resume", owner="me")


def test_a_deleted_run_is_gone_and_only_its_owner_can_delete_it(engine, running):
    with pytest.raises(EngineError, match="another student"):
        engine.delete(running.id, owner="you")
    engine.delete(running.id, owner="me")
    assert engine.poll(running.id) is None
    assert not running.folder.exists()
    with pytest.raises(EngineError, match="not on this server"):
        engine.control(running.id, "stop", owner="me")


def test_a_student_may_have_only_so_many_runs_at_once(engine, monkeypatch):
    monkeypatch.setattr(engine.admission, "limits", replace(OWN, live_runs_a_student=2))
    first, second = (engine.start(ENDLESS, owner="eager", text=TEXT) for _ in range(2))
    with pytest.raises(EngineError, match="2 runs going, the most"):
        engine.start(ENDLESS, owner="eager", text=TEXT)
    engine.control(first, "pause", owner="eager")
    third = engine.start(ENDLESS, owner="eager", text=TEXT)
    with pytest.raises(EngineError, match="2 runs going"):
        engine.control(first, "resume", owner="eager")
    assert [run.id for run in engine.runs_of("eager")] == [third, second, first]
    for run_id in (first, second, third):
        engine.delete(run_id, owner="eager")


def test_a_model_that_does_not_fit_beside_the_others_waits_and_then_starts(
    engine, running, monkeypatch
):
    monkeypatch.setattr(admission, "held_bytes", lambda setup, text_bytes: 100)
    monkeypatch.setattr(engine.admission, "limits", replace(OWN, training_bytes=150))
    run = engine.poll(engine.start(SETUP, owner="patient", text=TEXT))
    assert run.status == "waiting"
    assert "place 1 of 1 in the line" in run.message
    with pytest.raises(EngineError, match="waits for memory"):
        engine.generate(run.id, "the", SampleConfig(n_tokens=1))
    monkeypatch.undo()
    engine.registry.changed.set()  # else the caretaker looks within a second
    wait_until(engine, run.id, "finished")
    assert [step for step, _ in run.samples] == [0, 40]


def test_a_look_does_not_wait_for_a_greedy_run(engine, running):
    looks = {"evaluate_texts": 10_000, "evaluate_every": 1, "sample_tokens": 10_000}
    greedy = replace(ENDLESS, training=replace(ENDLESS.training, sample_every=1, **looks))
    run_id = engine.start(greedy, owner="greedy", text=TEXT)
    wait_for_steps(engine, [running.id], running.step + 20)
    assert wait_until(engine, run_id, "running").step <= 1  # its first look goes on
    step = running.step
    found = engine.analyse(running.id, "heads", text="the cat")
    assert found["maps"].shape[:2] == (1, 2)
    wait_for_steps(engine, [running.id], step + 20)
    assert engine.poll(run_id).step <= 1
    engine.control(run_id, "pause", owner="greedy")
    kept = load_model(engine.poll(run_id).folder)
    assert kept.next_step == engine.poll(run_id).step + 1 or engine.poll(run_id).step == 0
    engine.delete(run_id, owner="greedy")


def test_a_run_that_nobody_looks_at_pauses_leaves_the_memory_and_comes_back(
    engine, running, monkeypatch
):
    few = replace(OWN, unwatched_seconds=0.2, unloaded_seconds=0.4)
    monkeypatch.setattr(engine.caretaker, "limits", few)
    engine.registry.changed.set()  # else the caretaker looks within a second
    wait_for(lambda: running.status == "paused" and not (running.worker or running.has_history))
    monkeypatch.undo()
    assert "nobody looked" in running.message
    assert engine.poll(running.id).series["loss"].steps[-1] == running.step
    step = running.step
    engine.control(running.id, "step", owner="me")
    assert (running.step, running.status) == (step + 1, "paused")
    engine.control(running.id, "resume", owner="me")
    wait_for_steps(engine, [running.id], step + 5)


def test_a_run_folder_comes_as_a_zip_file_that_the_command_line_resumes(engine, running, tmp_path):
    engine.control(running.id, "pause", owner="me")
    steps = wait_until(engine, running.id, "paused").step + 20
    packed = engine.export(running.id, "folder", owner="me")
    engine.delete(running.id, owner="me")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path)
        assert {"run.json", "model.before.safetensors"}.isdisjoint(archive.namelist())
        about = archive.read("README.md").decode()
        named = {re.sub("/.*", "/", name) for name in archive.namelist()}
        assert named - {"README.md"} <= set(re.findall("`([a-z./]+)`", about))
    assert "python -m tiny_llama train --resume --out FOLDER" in about
    assert main(["train", "--resume", "--steps", str(steps), "--out", str(tmp_path)]) == 0
    assert load_model(tmp_path).next_step == steps + 1


def test_a_text_stays_its_owners_in_every_zip_file_and_every_copy(engine, running):
    copy = engine.fork(running.id, owner="you")
    wait_for_steps(engine, [copy], 1)
    for run_id in (running.id, copy):
        names = {
            owner: zipfile.ZipFile(io.BytesIO(engine.export(run_id, "folder", owner=owner)))
            for owner in ("me", "you", "")
        }
        has_text = {owner: "text.txt" in zipped.namelist() for owner, zipped in names.items()}
        assert has_text == {"me": True, "you": False, "": False}
        assert engine.text_of(run_id, owner="me") == TEXT
        with pytest.raises(EngineError, match="another student's and stays theirs"):
            engine.text_of(run_id, owner="you")
    again = engine.fork(copy, owner="you")
    wait_for_steps(engine, [again], 1)
    assert not engine.is_text_owner(engine.poll(again), "you")
    (found,) = [run for run in read_runs(engine.folder) if run.id == again]
    assert found.text_owner == running.owner
    for run_id in (copy, again):
        engine.delete(run_id, owner="you")


def test_a_model_comes_as_a_zip_file_that_transformers_opens(engine, finished, tmp_path):
    with zipfile.ZipFile(io.BytesIO(engine.export(finished.id, "hugging_face"))) as archive:
        archive.extractall(tmp_path)
        assert "AutoModelForCausalLM.from_pretrained" in archive.read("README.md").decode()
    ours, theirs = load_model(finished.folder), AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, ours.model(tokens), rtol=1e-4, atol=1e-5)


def test_a_model_that_hugging_face_cannot_express_says_so(engine):
    odd = replace(SETUP, model=replace(MODEL, position="alibi"))
    run_id = engine.start(odd, owner="me", text=TEXT)
    wait_until(engine, run_id, "finished")
    with pytest.raises(EngineError, match="no equivalent in Hugging Face"):
        engine.export(run_id, "hugging_face")


def test_metrics_come_as_a_table_of_every_step(engine, finished):
    rows = list(csv.DictReader(io.StringIO(engine.export(finished.id, "metrics").decode())))
    assert [int(row["step"]) for row in rows] == list(range(41))
    losses = [float(row["loss"]) for row in rows[1:]]
    np.testing.assert_allclose(losses, finished.series["loss"].values, rtol=1e-6)


def test_what_a_run_takes_is_what_was_predicted(finished):
    model, batch_size = finished.setup.model, finished.setup.training.batch_size
    memory = training_memory(model)
    assert finished.measured == {
        "parameters": count_parameters(model),
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": activation_bytes(model, batch_size=batch_size, n_tokens=model.context),
        "step_flops": batch_size * training_flops(model, model.context),
    }


def test_the_secret_of_an_owner_is_nowhere_in_the_folder(engine, finished):
    wait_for(lambda: not engine.registry.unsaved)
    for path in finished.folder.rglob("*"):
        assert path.is_dir() or b"my-own-secret" not in path.read_bytes()
    assert engine.is_owner(finished, "my-own-secret")
    assert re.fullmatch("[0-9a-f]{64}", finished.owner)
