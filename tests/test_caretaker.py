"""What is written down, and when; what is cleared away; no worker is needed for it."""

import json
import os
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from conftest import until
from tiny_runs import SETUP

from explorer.engine import store
from explorer.engine.limits import OWN
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.caretaker import Caretaker
from explorer.engine.server.experiments import Experiments
from explorer.engine.server.registry import Registry
from tiny_llama.errors import CheckpointError

NEVER = 600


class Alive:
    """A worker that lives."""

    is_alive = True


class Bench:
    """A registry and its caretaker over a folder."""

    def __init__(self, folder, seconds):
        self.folder, self.registry = folder, Registry()
        dispatch = SimpleNamespace(let_in=lambda: None)
        experiments = Experiments(self.registry, dispatch, folder=folder, limits=OWN)
        self.caretaker = Caretaker(
            *(self.registry, dispatch, experiments), folder=folder, limits=OWN, seconds=seconds
        )

    def add(self, status=RunState.RUNNING):
        """Add a run that is on disk as it stands."""
        name = store.new_run_id()
        run = Run(id=name, setup=SETUP, owner="me", folder=self.folder / name, status=status)
        store.write_record(run)
        self.registry.add(run)
        return run

    def record(self, run):
        return json.loads((run.folder / "run.json").read_text())

    def close(self):
        self.caretaker.retire()
        self.caretaker.close()


@pytest.fixture
def bench(tmp_path):
    """Lend a caretaker that looks of itself only when the test is over."""
    bench = Bench(tmp_path, NEVER)
    yield bench
    bench.close()


def test_what_becomes_of_a_run_is_on_disk_at_once(bench):
    run = bench.add()
    for state in (RunState.PAUSED, RunState.RUNNING, RunState.STOPPED):
        bench.registry.move(run, state, f"It is {state}.")
        until(lambda: not bench.registry.unsaved)
        assert bench.record(run).items() >= {"status": state, "message": f"It is {state}."}.items()


def test_a_record_counts_as_saved_only_when_it_is_on_disk(bench, monkeypatch):
    seen, write = [], store.write_record

    def look(run):
        seen.append(dict(bench.registry.unsaved))
        write(run)

    monkeypatch.setattr(store, "write_record", look)
    run = bench.add()
    bench.registry.move(run, RunState.STOPPED)
    until(lambda: not bench.registry.unsaved)
    assert seen[1:] == [{run.id: 1}]
    assert bench.record(run)["status"] == "stopped"


def test_a_change_that_the_disk_has_no_room_for_is_tried_again(tmp_path, monkeypatch):
    bench, write, tries = Bench(tmp_path, 0.01), store.write_record, []
    run = bench.add()

    def full(run):
        tries.append(run.status)
        if len(tries) < 3:
            raise CheckpointError("run.json cannot be written (no space); make room.")
        write(run)

    monkeypatch.setattr(store, "write_record", full)
    bench.registry.move(run, RunState.STOPPED)
    until(lambda: not bench.registry.unsaved)
    assert tries == [RunState.STOPPED] * 3
    assert bench.record(run)["status"] == "stopped"
    bench.close()


def test_what_was_not_saved_when_the_engine_ends_is_saved_then(bench):
    run = bench.add()
    bench.caretaker.retire()
    bench.registry.move(run, RunState.PAUSED)
    bench.caretaker.close()
    assert bench.record(run)["status"] == "paused"


def test_a_folder_that_is_deleted_while_its_record_is_written_stays_away(bench, monkeypatch):
    writing, go_on, written = (threading.Event() for _ in range(3))
    write = store.write_record
    run = bench.add()

    def slowly(run):
        writing.set()
        go_on.wait(60)
        write(run)
        written.set()

    monkeypatch.setattr(store, "write_record", slowly)
    bench.registry.move(run, RunState.PAUSED)
    writing.wait(60)
    deleting = threading.Thread(target=bench.caretaker.delete, args=(run,))
    deleting.start()
    until(lambda: bench.registry.find(run.id) is None)
    go_on.set()
    assert written.wait(60)
    deleting.join(60)
    bench.registry.move(run, RunState.STOPPED)
    bench.caretaker.save()
    assert not run.folder.exists()


def test_old_runs_are_cleared_but_none_that_somebody_looks_at_or_that_moves(bench):
    bench.caretaker.limits = replace(OWN, forgotten_seconds=3600)
    old, watched, moving = (
        bench.add(state) for state in (RunState.FINISHED, RunState.FINISHED, RunState.RUNNING)
    )
    for run in (old, watched, moving):
        os.utime(run.folder / "run.json", (1, 1))
    old.seen_at = moving.seen_at = -1e9
    watched.seen_at = time.monotonic()
    bench.caretaker.clear_old_runs()
    assert bench.registry.all() == [watched, moving]
    assert not old.folder.exists()
    assert watched.folder.exists()
    assert moving.folder.exists()


def test_a_run_that_is_taken_up_while_old_ones_are_cleared_is_kept(bench):
    run = bench.add(RunState.PAUSED)
    bench.registry.launch(run, Alive())
    assert not bench.registry.remove(run.id, only_idle=True)
    assert bench.registry.find(run.id) is run


def test_a_run_that_nobody_looks_at_leaves_its_history_on_disk(bench):
    run = bench.add(RunState.FINISHED)
    run.has_history, run.samples = True, [(0, "once")]
    run.seen_at = time.monotonic()
    bench.registry.forget(run, unseen_since=time.monotonic() - 300)
    assert run.samples
    run.seen_at -= 301
    bench.registry.forget(run, unseen_since=time.monotonic() - 300)
    assert (run.samples, run.has_history) == ([], False)
