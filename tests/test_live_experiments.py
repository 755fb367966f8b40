"""Experiments that the engine runs: in step, in any order of mishaps, and as the library would."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import TEXT, kill_workers, wait_for

from explorer.engine import limits
from explorer.engine.experiment import Experiment, ExperimentState
from explorer.engine.limits import check_experiment
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.errors import EngineError
from explorer.engine.store import read_experiments
from tiny_llama.checkpoint import load_model
from tiny_llama.comparing.plan import read_plan, write_plan
from tiny_llama.comparing.results import read_results
from tiny_llama.comparing.running import Texts, conduct
from tiny_llama.corpora import own_text
from tiny_llama.errors import ConfigError
from tiny_llama.metrics import read_metrics

VALUES = {
    "title": "Two norms",
    "seeds": 2,
    "learning_rates": [0.003, 0.01],
    "settings": {
        "corpus": "own-text",
        "tokenizer": "characters",
        "n_layers": 1,
        "d_model": 16,
        "n_heads": 2,
        "context": 16,
        "batch_size": 4,
        "steps": 60,
        "warmup_steps": 2,
        "evaluate_every": 20,
        "evaluate_texts": 4,
        "sample_tokens": 2,
    },
    "sides": {"rms": {}, "layer": {"norm": "layernorm"}},
}
FINISHED = ExperimentState.FINISHED


def valued(**settings):
    """Give the values of the experiment, some settings changed."""
    return {**VALUES, "settings": VALUES["settings"] | settings}


@pytest.fixture(scope="module")
def plan(engine):
    return engine.make_plan(VALUES, owner="me", text=TEXT)


@pytest.fixture(scope="module")
def calm(plan, tmp_path_factory):
    """Give what the library makes of the plan, undisturbed."""
    return conducted(plan, tmp_path_factory.mktemp("calm"))


def conducted(plan, folder):
    """Run a plan as `sweep` does."""
    write_plan(folder, plan)
    list(conduct(folder, plan, Texts(folder, own_text(TEXT))))
    return folder


def written(folder):
    """Give all that runs have written that counts: their rows without times, their weights."""
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(place)]
        weights = load_model(place).model.state_dict()
        found[place.name] = (rows, {name: w.numpy().tobytes() for name, w in weights.items()})
    return found


def stands(engine, experiment_id, state):
    """Wait until an experiment stands like this, and return it."""
    found = engine.experiment(experiment_id)
    wait_for(
        lambda: engine.experiment(experiment_id).state is state,
        lambda: f"{found.state}: {found.message}",
    )
    return found


def goes_on(experiment, n_steps):
    """Wait until so many steps are done."""
    wait_for(lambda: experiment.steps_done >= n_steps)


def test_an_experiment_comes_to_what_the_library_makes_of_the_same_plan(engine, plan, calm):
    experiment = stands(engine, engine.start_experiment(plan, owner="me", text=TEXT), FINISHED)
    assert written(experiment.folder) == written(calm)
    assert read_plan(experiment.folder) == plan
    assert (experiment.n_over, experiment.steps_done) == (plan.n_runs, experiment.n_steps)
    ours, theirs = (read_results(each, plan) for each in (experiment.folder, calm))
    assert (ours.sides, ours.comparisons) == (theirs.sides, theirs.comparisons)
    assert experiment.rates == {side.name: side.learning_rate for side in ours.sides}
    engine.delete_experiment(experiment.id, owner="me")
    assert not experiment.folder.exists()
    assert engine.experiment(experiment.id) is None


def test_nothing_is_lost_or_counted_twice_by_pauses_stops_and_a_killed_worker(engine, plan, calm):
    experiment = engine.experiment(engine.start_experiment(plan, owner="me", text=TEXT))
    goes_on(experiment, 20)
    engine.control_experiment(experiment.id, "pause", owner="me")
    stands_still(experiment)
    assert read_results(experiment.folder, plan).n_over == experiment.n_over
    engine.control_experiment(experiment.id, "resume", owner="me")
    goes_on(experiment, 150)
    kill_workers(engine)
    goes_on(experiment, 260)
    engine.control_experiment(experiment.id, "stop", owner="me")
    stands_still(experiment)
    assert not any(run.worker for run in experiment.runs.values())
    engine.control_experiment(experiment.id, "resume", owner="me")
    stands(engine, experiment.id, FINISHED)
    assert written(experiment.folder) == written(calm)
    engine.delete_experiment(experiment.id, owner="me")


def stands_still(experiment):
    wait_for(lambda: not any(run.is_moving for run in experiment.runs.values()))


@pytest.mark.slow
def test_a_server_that_starts_again_goes_on_with_an_experiment_once_it_is_seen(
    plan, calm, tmp_path
):
    code = (
        "import json, sys, time\n"
        "from pathlib import Path\n"
        "from explorer.engine.server.engine import Engine\n"
        "from tiny_llama.comparing.plan import Plan\n"
        "engine = Engine(Path(sys.argv[1]))\n"
        "plan = Plan.from_dict(json.loads(sys.stdin.readline()))\n"
        "name = engine.start_experiment(plan, owner='me', text=json.loads(sys.stdin.readline()))\n"
        "logs = lambda: Path(sys.argv[1]).rglob('metrics.jsonl')\n"
        "while engine.experiment(name).steps_done < 150 or not any(map(Path.read_bytes, logs())):\n"
        "    time.sleep(0.01)\n"
        "print(name, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    first.stdin.write(f"{json.dumps(plan.as_dict())}\n{json.dumps(TEXT)}\n")
    first.stdin.flush()
    name = first.stdout.readline().strip()
    first.kill()
    first.communicate()
    engine = Engine(tmp_path)
    (experiment,) = engine.experiments_of("me")
    assert experiment.id == name
    assert not engine.worker_pids  # nothing trains before somebody looks
    assert engine.experiment(name) is experiment
    assert 0 < experiment.steps_done < experiment.n_steps
    stands(engine, name, FINISHED)
    assert written(experiment.folder) == written(calm)
    engine.close()


def test_its_runs_can_be_opened_but_are_none_of_the_students_list(engine, plan):
    experiment = engine.experiment(engine.start_experiment(plan, owner="mine", text=TEXT))
    goes_on(experiment, 10)
    name, run = next(iter(experiment.runs.items()))
    assert engine.runs_of("mine") == []
    assert engine.poll(experiment.run_id(name)) is run
    assert run.name == "rms, rate 0.003"
    assert engine.analyse(run.id, "trace", text="the dog", patterns=["logits"])["tokens"]
    for steer in (
        lambda: engine.control(run.id, "pause", owner="mine"),
        lambda: engine.delete(run.id, owner="mine"),
    ):
        with pytest.raises(EngineError, match="one of an experiment's"):
            steer()
    for steer in (
        lambda: engine.control_experiment(experiment.id, "stop", owner="you"),
        lambda: engine.delete_experiment(experiment.id, owner="you"),
    ):
        with pytest.raises(EngineError, match="another student's"):
            steer()
    engine.delete_experiment(experiment.id, owner="mine")
    assert engine.poll(run.id) is None


def test_what_diverges_is_noted_and_the_others_go_on(engine):
    wild = {"norm": "none", "optimizer": "sgd", "gradient_clip": 0.0, "warmup_steps": 0}
    values = valued(steps=20) | {"seeds": 1, "learning_rates": [0.003, 900.0]}
    values |= {"sides": {"wild": wild, "tame": {}}}
    plan = engine.make_plan(values, owner="me", text=TEXT)
    experiment = stands(engine, engine.start_experiment(plan, owner="me", text=TEXT), FINISHED)
    assert experiment.diverged >= {"wild.rate-900"}
    assert experiment.runs["wild.rate-900"].status is RunState.FAILED
    results = read_results(experiment.folder, plan)
    assert results.n_over == plan.n_runs == experiment.n_over
    assert "diverged at the learning rate 900" in results.sides[0].note
    engine.delete_experiment(experiment.id, owner="me")


def test_two_presses_start_one_experiment(engine, plan):
    first, second = (engine.start_experiment(plan, owner="hasty", text=TEXT) for _ in range(2))
    assert first == second
    engine.delete_experiment(first, owner="hasty")


def test_a_run_that_cannot_go_on_lets_the_experiment_wait_and_say_why(engine, plan):
    experiment = engine.experiment(engine.start_experiment(plan, owner="me", text=TEXT))
    goes_on(experiment, 10)
    engine.control_experiment(experiment.id, "pause", owner="me")
    stands_still(experiment)
    wait_for(lambda: [engine.caretaker._look_after(run) for run in experiment.runs.values()])
    broken = next(run for run in experiment.runs.values() if run.step)
    kill_workers(engine)
    for name in ("model.safetensors", "model.before.safetensors"):
        (broken.folder / name).write_bytes(b"damaged")
    engine.control_experiment(experiment.id, "resume", owner="me")
    stands(engine, experiment.id, ExperimentState.PAUSED)
    assert experiment.message.startswith(f"{broken.name}: The file model.safetensors is no whole")
    stands_still(experiment)
    engine.delete_experiment(experiment.id, owner="me")


# What one student may have.


def test_too_much_is_refused_with_the_numbers_and_how_long_it_would_take(plan, monkeypatch):
    here = replace(limits.SHARED, experiment_runs=7)
    monkeypatch.setattr(limits, "limits", lambda: here)
    with pytest.raises(ConfigError) as refused:
        check_experiment(plan, {"rms": 30.0, "layer": 60.0})
    assert str(refused.value) == (
        "This experiment is 8 runs, which would take 6 minutes and 1 MB of the disk; one student "
        "may have 7 runs, 30 minutes and 500 MB on a small container that a class shares: take "
        "fewer seeds, rates or steps."
    )
    monkeypatch.setattr(limits, "limits", lambda: limits.SHARED)
    check_experiment(plan, {"rms": 30.0, "layer": 60.0})
    with pytest.raises(ConfigError, match="would take 33 minutes"):
        check_experiment(plan, {"rms": 200.0, "layer": 300.0})


def test_the_time_is_measured_and_left_over_time_follows_from_what_is_done(engine, plan):
    seconds = engine.seconds_a_run(plan, owner="me")
    assert set(seconds) == {"rms", "layer"}
    assert all(0 < each < 60 for each in seconds.values())
    longer = engine.make_plan(valued(steps=600), owner="me", text=TEXT)
    assert engine.seconds_a_run(longer, owner="me")["rms"] > 5 * seconds["rms"]
    experiment = engine.experiment(engine.start_experiment(longer, owner="me", text=TEXT))
    left = wait_for(experiment.seconds_left)
    assert left > 0
    engine.delete_experiment(experiment.id, owner="me")


def test_what_was_started_before_its_student_was_known_becomes_theirs(engine, plan):
    experiment = engine.experiment(engine.start_experiment(plan, owner="not yet", text=TEXT))
    engine.adopt(owner="known", before="not yet")
    assert engine.experiments_of("known") == [experiment]
    assert not engine.experiments_of("not yet")
    engine.control_experiment(experiment.id, "pause", owner="known")
    (kept,) = (each for each in read_experiments(engine.folder) if each.id == experiment.id)
    assert (kept.owner, kept.text_owner) == (experiment.owner, experiment.owner)
    assert {run.owner for run in experiment.runs.values()} == {experiment.owner}
    engine.delete_experiment(experiment.id, owner="known")


def test_one_student_has_so_many_experiments_at_once_and_so_many_runs_in_one(
    engine, plan, monkeypatch
):
    here = replace(limits.OWN, live_experiments_a_student=1, experiment_runs_at_once=3)
    monkeypatch.setattr(engine._experiments, "_limits", here)
    longer = replace(plan, title="another")
    experiment = engine.experiment(engine.start_experiment(plan, owner="me", text=TEXT))
    with pytest.raises(EngineError, match="You have 1 experiment going, the most"):
        engine.start_experiment(longer, owner="me", text=TEXT)
    most = 0
    while experiment.state is not FINISHED:
        most = max(most, sum(run.is_moving for run in experiment.runs.values()))
        time.sleep(0.01)
    assert most == 3  # of the trials; then the two sides of one seed
    other = engine.start_experiment(longer, owner="me", text=TEXT)
    for each in (experiment.id, other):
        engine.delete_experiment(each, owner="me")


def test_what_goes_on_follows_from_what_is_over(plan):
    experiment = Experiment(
        id="abcdefgh", plan=plan, owner="", folder=Path(), seconds={"rms": 1.0, "layer": 2.0}
    )

    def over(*names):
        for name in names:
            setup, status = plan.sides["rms"].setup, RunState.FINISHED
            run = Run(id=name, setup=setup, owner="", folder=Path(), status=status)
            experiment.runs[name] = run

    def wanted(at_once):
        return [each.name for each in experiment.wanted(at_once)]

    trials = ["rms.rate-0.003", "rms.rate-0.01", "layer.rate-0.003", "layer.rate-0.01"]
    assert wanted(3) == trials[:3]
    over(trials[0], trials[2])
    assert wanted(8) == [trials[1], trials[3]]  # no seed before all rates are known
    over(*trials)
    seeds = ["rms.seed-0", "layer.seed-0", "rms.seed-1", "layer.seed-1"]
    assert wanted(3) == seeds[:2]  # both sides of a seed, or none
    assert wanted(4) == seeds
    assert wanted(1) == seeds[:1]
    over(seeds[1])
    assert wanted(3) == [seeds[0], seeds[2], seeds[3]]
    assert experiment.seconds_in_all == 12
    assert experiment.seconds_done == 2 * 1 + 3 * 2
