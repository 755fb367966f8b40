"""What becomes of runs when a worker dies, the disk is full, or the server starts again."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from damaging import flip
from tiny_runs import (
    ENDLESS,
    SETUP,
    TEXT,
    kill_workers,
    train_a_while,
    wait_for,
    wait_for_steps,
    wait_until,
)

from explorer.engine.server.engine import Engine
from explorer.engine.server.errors import EngineError
from tiny_llama.checkpoint import load_model
from tiny_llama.errors import CheckpointError
from tiny_llama.metrics import read_metrics
from tiny_llama.run_lock import hold_run
from tiny_llama.sample_config import SampleConfig

# A worker that dies under its runs.


def test_a_killed_worker_is_replaced_and_three_runs_go_on_from_their_checkpoints(engine):
    ids = [engine.start(ENDLESS, owner=f"student {n}", text=TEXT) for n in range(3)]
    kept = {}
    for n, run_id in enumerate(ids):
        wait_until(engine, run_id, "running")
        engine.control(run_id, "pause", owner=f"student {n}")  # pausing writes a checkpoint
        kept[run_id] = engine.poll(run_id).step
        engine.control(run_id, "resume", owner=f"student {n}")
    wait_for_steps(engine, ids, 20)
    kill_workers(engine)
    for run_id in ids:
        wait_for(lambda run_id=run_id: engine.poll(run_id).message)
        run = wait_until(engine, run_id, "running")
        assert "worker process ended unexpectedly" in run.message
        went_on = int(re.search(r"step ([\d,]+)", run.message)[1].replace(",", ""))
        assert went_on >= kept[run_id]
    wait_for_steps(engine, ids, 40)
    for n, run_id in enumerate(ids):
        engine.control(run_id, "pause", owner=f"student {n}")
        steps = list(engine.poll(run_id).series["loss"].steps)
        assert steps == list(range(1, len(steps) + 1))
        engine.delete(run_id, owner=f"student {n}")


@pytest.mark.slow
def test_a_resumed_run_learns_the_very_same_as_one_that_was_never_disturbed(engine):
    setup = replace(SETUP, training=replace(SETUP.training, steps=200))
    calm = wait_until(engine, engine.start(setup, owner="me", text=TEXT), "finished")
    run_id = engine.start(setup, owner="me", text=TEXT)
    wait_for_steps(engine, [run_id], 50)
    kill_workers(engine)
    disturbed = wait_until(engine, run_id, "finished")
    assert list(disturbed.series["loss"].values) == list(calm.series["loss"].values)
    assert disturbed.samples == calm.samples


@pytest.mark.slow
def test_a_run_in_whose_turn_the_worker_keeps_dying_does_not_take_the_others_along(engine):
    run_id = engine.start(ENDLESS, owner="me", text=TEXT)
    for _ in range(2):
        wait_until(engine, run_id, "running")
        wait_for_steps(engine, [run_id], 1)
        kill_workers(engine)
        wait_until(engine, run_id, "starting", "interrupted")
    assert "twice while this run had its turn" in wait_until(engine, run_id, "interrupted").message
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "running")
    engine.delete(run_id, owner="me")


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_not_started_over_and_over(engine, tmp_path, monkeypatch):
    engine.warm_up()
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "nowhere"))
    kill_workers(engine)
    wait_for(lambda: not engine.worker_pids)
    run_id = engine.start(SETUP, owner="me", text=TEXT)
    assert "could not start" in wait_until(engine, run_id, "interrupted").message
    monkeypatch.undo()
    engine.control(run_id, "resume", owner="me")
    wait_until(engine, run_id, "finished")


@pytest.mark.slow
def test_a_look_in_whose_turn_the_worker_dies_is_refused_and_leaves_the_others_alone(engine):
    run_id = train_a_while(engine)
    worker = engine.poll(run_id).worker
    engine.control(run_id, "pause", owner="me")  # so that each turn is the look's
    look = {"text": "Once", "seeds": [1, 2, 3, 4, 5, 6], "n_tokens": 200}

    def ask():
        with pytest.raises(EngineError, match="ended before it could answer"):
            engine.analyse("tales-llama", "samples", owner="greedy", **look)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: worker.turn.question is not None)
    killed = set(engine.worker_pids)
    kill_workers(engine)
    asking.join()
    wait_for(lambda: not killed & set(engine.worker_pids))
    for owner in ("greedy", "another"):
        with pytest.raises(EngineError, match="not tried again for an hour"):
            engine.analyse("tales-llama", "samples", owner=owner, **look)
    found = engine.analyse("tales-llama", "samples", owner="greedy", **look | {"n_tokens": 5})
    assert len(found["tokens"]) == 6
    before = engine.poll(run_id).step
    engine.control(run_id, "resume", owner="me")
    wait_for_steps(engine, [run_id], before + 10)
    engine.delete(run_id, owner="me")


# A disk that is full.


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit")
def test_on_a_full_disk_a_run_waits_and_goes_on_when_there_is_room(engine):
    run_id = train_a_while(engine)
    run = engine.poll(run_id)
    worker, no_limit = run.worker.pid, resource.prlimit(run.worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (2_000, no_limit[1]))
    try:
        wait_until(engine, run_id, "paused")
        assert "could not be saved" in run.message
        assert worker in engine.worker_pids
        assert engine.generate(run_id, "the", SampleConfig(n_tokens=1))
        with pytest.raises(EngineError, match="cannot be written"):
            engine.control(run_id, "stop", owner="me")
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, no_limit)
    step = run.step
    engine.control(run_id, "resume", owner="me")
    wait_for_steps(engine, [run_id], step + 20)
    engine.control(run_id, "stop", owner="me")
    assert list(run.series["loss"].steps) == list(range(1, run.step + 1))
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))


# A server that starts again.


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """Lend a server that found the runs of an earlier one, and copies of them with damages."""
    folder = tmp_path_factory.mktemp("again")
    first = Engine(folder)
    done = wait_until(first, first.start(SETUP, owner="me", text=TEXT), "finished")
    live, paused = train_a_while(first), train_a_while(first)
    first.control(paused, "pause", owner="me")
    step = first.poll(paused).step
    first.close()
    names = {
        "torn": _copy(folder, live, _tear_metrics),
        **{f"cut {n}": _copy(folder, paused, _cut(n)) for n in (0, 7, 5_000)},
        "lost": _copy(folder, live, lambda run: [_cut(0, name)(run) for name in CHECKPOINTS]),
        "early": _copy(folder, done.id, _as_if_it_were_being_prepared),
        "no setup": _copy(folder, paused, lambda run: (run / "setup.json").unlink()),
        "no model": _copy(folder, paused, _without(*CHECKPOINTS)),
        "no record": _copy(folder, done.id, _without_record),
        "log": _copy(folder, done.id, lambda run: flip(run / "metrics.jsonl", 3)),
        "short log": _copy(folder, done.id, _cut(-400, "metrics.jsonl")),
    }
    shutil.copytree(EARLIER, folder / "earlier1")
    shutil.copytree(EARLIER, folder / "earlier2")
    (folder / "earlier2" / "setup.json").unlink()
    second = Engine(folder)
    yield SimpleNamespace(
        engine=second,
        first=first,
        done=done,
        live=live,
        step=step,
        names=names,
        n_workers=len(second.worker_pids),
    )
    second.close()


EARLIER = Path(__file__).parent / "earlier_run"
"""The folder of a paused run of `me`, as the app left it before a run's state was an enum."""
CHECKPOINTS = ("model.safetensors", "model.before.safetensors")


def _copy(folder, name, damage):
    """Lay a copy of a run beside it, damaged in one way; return what it is called."""
    copy = folder / f"copy{len(list(folder.iterdir())):04}"
    shutil.copytree(folder / name, copy)
    damage(copy)
    return copy.name


def _cut(n_bytes, name="model.safetensors"):
    def cut(run):
        (run / name).write_bytes((run / name).read_bytes()[:n_bytes])

    return cut


def _without(*names):
    def remove(run):
        for name in names:
            (run / name).unlink()

    return remove


def _without_record(run):
    """Damage the record, and the one before; whose the run is can still be read."""
    for name in ("run.json", "run.before.json"):
        record = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps(record | {"step": "many"}))


def _tear_metrics(run):
    torn = '{"step": 99999, "sample": "é'.encode()[:-1]
    (run / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes() + torn)


def _as_if_it_were_being_prepared(run):
    for name in ("setup.json", *CHECKPOINTS, "metrics.jsonl", "tokenizer.json"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text())
    record = {key: value for key, value in record.items() if key != "digest"}
    (run / "run.json").write_text(json.dumps(record | {"status": "starting", "step": 0}))


def test_a_server_that_starts_again_finds_its_runs_and_whose_they_are(again):
    engine, done = again.engine, again.done
    assert again.n_workers == 0  # nothing trains before somebody looks
    assert {again.live, done.id, *again.names.values()} <= {run.id for run in engine.runs_of("me")}
    assert engine.runs_of("you") == []
    assert engine.poll(done.id).status == "finished"
    assert list(engine.poll(done.id).series["loss"].values) == list(done.series["loss"].values)
    assert engine.poll(done.id).samples == done.samples
    assert engine.poll(again.live).status in ("starting", "running")
    run = wait_until(engine, again.live, "running")
    assert "server was started anew" in run.message
    wait_for_steps(engine, [again.live], run.step + 1)
    with pytest.raises(EngineError, match="another student"):
        engine.control(again.live, "stop", owner="you")
    engine.control(again.live, "stop", owner="me")


def test_the_folder_of_an_earlier_version_opens_and_goes_on(again):
    run = again.engine.poll("earlier1")
    assert (run.status, run.step, list(run.series["loss"].steps)) == ("paused", 1, [1])
    assert [step for step, _ in run.samples] == [0]
    again.engine.control("earlier1", "resume", owner="me")
    wait_for_steps(again.engine, ["earlier1"], 5)
    again.engine.control("earlier1", "stop", owner="me")
    assert list(run.series["loss"].steps) == list(range(1, run.step + 1))


def test_a_run_that_was_being_prepared_when_the_server_ended_starts_again(again):
    run = wait_until(again.engine, again.names["early"], "finished")
    assert list(run.series["loss"].values) == list(again.done.series["loss"].values)


def test_a_torn_last_line_of_the_metrics_costs_nothing(again):
    run = wait_until(again.engine, again.names["torn"], "running")
    wait_for_steps(again.engine, [run.id], run.step + 10)
    again.engine.control(run.id, "stop", owner="me")
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))


@pytest.mark.parametrize("n_bytes", [0, 7, 5_000])
def test_a_checkpoint_that_was_cut_short_gives_way_to_the_one_before(again, n_bytes):
    name = again.names[f"cut {n_bytes}"]
    again.engine.control(name, "resume", owner="me")
    run = wait_until(again.engine, name, "running")
    assert "checkpoint was damaged" in run.message
    assert f"step {again.step:,}" in run.message
    again.engine.control(name, "stop", owner="me")


def test_a_run_without_any_whole_checkpoint_says_so_and_keeps_what_there_is(again):
    run = wait_until(again.engine, again.names["lost"], "failed")
    assert run.message.endswith(".")
    assert run.step >= 20


def test_a_run_whose_setup_is_missing_goes_on_from_its_checkpoint(again):
    name = again.names["no setup"]
    again.engine.control(name, "resume", owner="me")
    run = wait_until(again.engine, name, "running")
    assert "setup.json was damaged" in run.message
    assert f"step {again.step:,}" in run.message
    again.engine.control(name, "stop", owner="me")
    again.engine.control("earlier2", "resume", owner="me")
    older = wait_until(again.engine, "earlier2", "running")
    wait_for_steps(again.engine, ["earlier2"], 3)
    again.engine.control("earlier2", "stop", owner="me")
    assert list(older.series["loss"].steps) == list(range(1, older.step + 1))
    assert (older.folder / "setup.json").exists()


def test_a_run_whose_model_is_gone_does_not_start_over_its_log(again):
    name = again.names["no model"]
    before = read_metrics(again.engine.poll(name).folder)
    again.engine.control(name, "resume", owner="me")
    run = wait_until(again.engine, name, "failed")
    assert "model of this run is not in its folder any more" in run.message
    assert read_metrics(run.folder) == before


def test_a_run_that_cannot_be_read_is_listed_with_the_reason_and_can_be_deleted(again):
    name = again.names["no record"]
    (run,) = [each for each in again.engine.runs_of("me") if each.id == name]
    assert again.engine.poll(name) is run
    assert run.warning.startswith("This run cannot be read: The file run.json is damaged")
    for use in (
        lambda: again.engine.control(name, "resume", owner="me"),
        lambda: again.engine.fork(name, owner="me"),
        lambda: again.engine.export(name, "folder"),
        lambda: again.engine.generate(name, "the", SampleConfig(n_tokens=1)),
    ):
        with pytest.raises(EngineError, match="This run cannot be read"):
            use()
    with pytest.raises(EngineError, match="another student"):
        again.engine.delete(name, owner="you")
    again.engine.delete(name, owner="me")
    assert again.engine.poll(name) is None
    assert not run.folder.exists()


def test_a_damaged_log_is_said_beside_what_is_whole_of_it(again):
    run = again.engine.poll(again.names["log"])
    assert run.warning == "In metrics.jsonl, line 1 is damaged and left out."
    _, *others = again.done.series["loss"].values  # the first line is that of step 1
    assert list(run.series["loss"].values) == others
    assert run.samples == again.done.samples
    short = again.engine.poll(again.names["short log"])
    assert re.fullmatch(r"In metrics.jsonl, rows are missing at the end: \d\.", short.warning)
    assert again.engine.poll(again.done.id).warning == ""


# Two who would write into one run, and a folder that is lost.


def test_a_run_waits_until_another_process_lets_its_folder_go(engine):
    run_id, other = train_a_while(engine), train_a_while(engine, owner="other")
    engine.control(run_id, "stop", owner="me")
    run = engine.poll(run_id)
    lock = hold_run(run.folder, patience_seconds=60)
    try:
        engine.control(run_id, "resume", owner="me")
        engine.control(other, "stop", owner="other")  # its worker has had its turns meanwhile
        engine.start(SETUP, owner="third", text=TEXT)
        assert run.status == "starting"
        rows = read_metrics(run.folder)
    finally:
        lock.release()
    wait_until(engine, run_id, "running")
    with pytest.raises(CheckpointError, match="another process"):
        hold_run(run.folder)
    engine.control(run_id, "stop", owner="me")
    assert read_metrics(run.folder)[: len(rows)] == rows
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))
    hold_run(run.folder, patience_seconds=60).release()


def test_a_folder_that_is_lost_while_its_run_trains_is_said_and_the_worker_lives_on(engine):
    run_id = train_a_while(engine)
    run, pids = engine.poll(run_id), engine.worker_pids
    run.folder.rename(run.folder.with_name("elsewhere"))
    wait_until(engine, run_id, "paused")
    assert "Paused, since it could not be saved: The folder" in run.message
    assert engine.worker_pids == pids
    wait_for(lambda: not engine.registry.unsaved)  # which has made a folder of that name again
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.with_name("elsewhere").rename(run.folder)
    engine.control(run_id, "resume", owner="me")
    wait_for_steps(engine, [run_id], run.step + 10)
    engine.control(run_id, "stop", owner="me")
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))


SERVER = """
import sys, time
from pathlib import Path
from explorer.engine.server.engine import Engine
from tiny_runs import train_a_while
engine = Engine(Path(sys.argv[1]))
run_id = train_a_while(engine)
print(run_id, engine.poll(run_id).step, *engine.worker_pids, flush=True)
time.sleep(600)
"""


def server_of_its_own(folder, **streams):
    """Start a process whose engine trains a run, to be killed; it says the run, step and worker."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVER, folder],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
        **streams,
    )


@pytest.mark.slow
def test_a_killed_server_takes_its_worker_along_which_saves_its_runs(tmp_path):
    server = server_of_its_own(tmp_path, stderr=subprocess.PIPE)
    run_id, step, _ = server.stdout.readline().split()
    server.kill()
    _, said = server.communicate(timeout=60)  # the worker holds stderr open until it has ended
    assert "Traceback" not in said
    assert load_model(tmp_path / run_id).next_step >= int(step)


@pytest.mark.slow
def test_what_the_worker_of_a_killed_server_still_does_is_waited_for(tmp_path):
    server = server_of_its_own(tmp_path)
    run_id, step, worker = server.stdout.readline().split()
    os.kill(int(worker), signal.SIGSTOP)  # as if it were busy with a long look
    server.kill()
    server.wait()
    engine = Engine(tmp_path)
    try:
        assert engine.poll(run_id).status == "starting"
        wait_until(engine, engine.start(SETUP, owner="another", text=TEXT), "finished")
        assert engine.poll(run_id).status == "starting"
        os.kill(int(worker), signal.SIGCONT)
        run = wait_until(engine, run_id, "running")
        wait_for_steps(engine, [run_id], int(step) + 50)
        engine.control(run_id, "stop", owner="me")
        assert [row["step"] for row in read_metrics(run.folder)] == list(range(run.step + 1))
    finally:
        engine.close()
        server.stdout.close()
