"""Experiments on disk: found again, cleared away, paused unwatched; no worker is needed for it."""

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tiny_runs import SETUP

from explorer.engine import store
from explorer.engine.experiment import Experiment, ExperimentState
from explorer.engine.limits import OWN
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.caretaker import Caretaker
from explorer.engine.server.experiments import Experiments
from explorer.engine.server.registry import Registry
from tiny_llama.comparing.plan import Plan, Side

PLAN = Plan(title="One", sides={"usual": Side(setup=SETUP)}, seeds=(0, 1))
NEVER = 600


class Bench:
    """Experiments of a folder, over a dispatch that only takes down what it is asked."""

    def __init__(self, folder, limits=OWN):
        found = list(store.read_experiments(folder))
        self.folder, self.launched = folder, []
        self.registry = Registry(run for each in found for run in each.runs.values())
        dispatch = SimpleNamespace(launch=self.launch, let_in=lambda: None, tell=lambda *_: None)
        self.experiments = Experiments(
            *(self.registry, dispatch), folder=folder, limits=limits, found=found
        )
        parts = (self.registry, dispatch, self.experiments)
        self.caretaker = Caretaker(*parts, folder=folder, limits=limits, seconds=NEVER)

    def launch(self, run):
        self.launched.append(run.id)
        self.registry.move(run, RunState.STARTING)

    def start(self, **plan):
        seconds = dict.fromkeys(PLAN.sides, 1.0)
        return self.experiments.start(
            replace(PLAN, **plan), owner=store.fingerprint("me"), text="some text", seconds=seconds
        )

    def close(self):
        self.caretaker.retire()
        self.caretaker.close()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_an_experiment_is_found_again_with_the_runs_that_had_begun(bench):
    experiment = bench.start()
    (again,) = store.read_experiments(bench.folder)
    assert (again.id, again.plan, again.state) == (experiment.id, PLAN, ExperimentState.RUNNING)
    assert (again.owner, again.seconds) == (experiment.owner, experiment.seconds)
    assert list(again.runs) == ["usual.seed-0", "usual.seed-1"]
    run = again.runs["usual.seed-0"]
    assert (run.id, run.experiment) == (f"{experiment.id}.usual.seed-0", experiment.id)
    assert (run.name, run.owner) == ("usual, seed 0", experiment.owner)
    assert (run.folder / "text.txt").read_text() == "some text"
    assert list(store.read_runs(bench.folder)) == []


def test_a_damaged_record_is_replaced_by_the_one_before_and_a_damaged_plan_is_passed_over(
    bench, capsys
):
    experiment = bench.start()
    bench.experiments.control(experiment, "pause")
    (experiment.folder / store.STATE).write_text("damaged")
    (again,) = store.read_experiments(bench.folder)
    assert again.state is ExperimentState.RUNNING
    (experiment.folder / "experiment.json").write_text("{}")
    assert list(store.read_experiments(bench.folder)) == []
    assert f"the experiment {experiment.id} cannot be read" in capsys.readouterr().err


def test_what_goes_on_again_does_so_once_somebody_looks(bench, tmp_path):
    experiment = bench.start()
    again = Bench(tmp_path)
    again.experiments.take_care()
    assert again.launched == []
    found = again.experiments.find(experiment.id)
    assert sorted(again.launched) == sorted(run.id for run in found.runs.values())
    again.close()


def test_an_experiment_that_nobody_looks_at_is_paused_and_says_so(tmp_path):
    bench = Bench(tmp_path, replace(OWN, unwatched_experiment_seconds=900))
    experiment = bench.start()
    bench.experiments.take_care()
    assert experiment.state is ExperimentState.RUNNING
    experiment.seen_at -= 901
    bench.experiments.take_care()
    assert experiment.state is ExperimentState.PAUSED
    assert experiment.message == "Paused, since nobody looked at it for 15 minutes; press Go on."
    bench.close()


def test_old_experiments_are_cleared_away_whole_but_none_that_goes_on(bench):
    old, going = bench.start(), bench.start(title="Another")
    bench.experiments.control(old, "stop")
    for run in old.runs.values():
        bench.registry.move(run, RunState.INTERRUPTED)
        bench.registry.move(run, RunState.STOPPED)
    for experiment in (old, going):
        experiment.seen_at -= 2 * OWN.unwatched_seconds
        long_ago = time.time() - OWN.forgotten_seconds - 60
        os.utime(experiment.folder / store.STATE, (long_ago, long_ago))
    bench.caretaker.clear_old_runs()
    assert not old.folder.exists()
    assert old.id not in bench.experiments
    assert all(bench.registry.find(run.id) is None for run in old.runs.values())
    assert going.folder.exists()
    assert going.id in bench.experiments


def test_all_of_it_counts_as_its_students(bench):
    experiment = bench.start()
    (use,) = store.folder_uses(bench.folder)
    assert use.name == experiment.id
    files = [path for path in experiment.folder.rglob("*") if path.is_file()]
    assert use.n_bytes == sum(path.stat().st_size for path in files)
    assert bench.experiments.owners() == {experiment.id: store.fingerprint("me")}


def test_the_time_left_follows_from_the_last_minute(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    experiment = Experiment(
        id="abcdefgh", plan=PLAN, owner="", folder=None, seconds={"usual": 40.0}
    )
    monkeypatch.setattr("explorer.engine.experiment.time.monotonic", lambda: clock.now)
    run = Run(
        id="run", setup=SETUP, owner="", folder=None, status=RunState.RUNNING, has_history=True
    )
    experiment.runs["usual.seed-0"] = run
    assert experiment.seconds_left() is None
    for _ in range(11):  # a step each second, of forty that take a second each
        experiment.note_pace()
        clock.now += 1
        run.step += 1
    assert experiment.seconds_done == 11
    assert experiment.seconds_left() == pytest.approx(80 - 10)
