"""A run that its owner's browser trains is lent and given back; nothing else is taken from it."""

import base64

import numpy as np
import pytest
import torch
from tiny_runs import SETUP, TEXT, wait_until

from explorer.engine.run import BROWSER, SERVER
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.errors import EngineError
from explorer.engine.store import read_runs
from tiny_llama.checkpoint import new_trainer, read_checkpoint
from tiny_llama.corpora import own_text
from tiny_llama.cost import count_parameters
from tiny_llama.data import tokenize
from tiny_llama.metrics import read_metrics
from tiny_llama.sample_config import SampleConfig


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


@pytest.fixture
def run(engine):
    run_id = engine.start(SETUP, owner="me", text=TEXT, place=BROWSER)
    return wait_until(engine, run_id, RunState.PAUSED)


def written(numbers):
    return base64.b64encode(np.asarray(numbers, "<f4").tobytes()).decode()


def row(step, run):
    training = run.setup.training
    said = {"step": step, "loss": 2.5, "gradient_norm": 1.5, "seconds": 0.25}
    if training.evaluates_at(step):
        said |= {"held_out_loss": 2.25, "bits_per_byte": 3.5}
    return said | ({"sample": [1, 2, 3]} if training.samples_at(step) else {})


def returned(run, next_step, loan, **otherwise):
    numbers = written(np.linspace(0, 1, count_parameters(run.setup.model)))
    said = {"loan": loan, "next_step": next_step, "stops": False}
    said |= {"rows": [row(step, run) for step in range(run.next_row, next_step)]}
    return said | dict.fromkeys(("weights", "means", "squares"), numbers) | otherwise


def borrow(engine, run):
    return engine.lend(run.id, owner="me").values["loan"]


def test_it_waits_ready_and_takes_no_memory_while_a_browser_trains_it(engine, run):
    found = engine.lend(run.id, owner="me")
    assert found.values["next_step"] == 0
    assert len(found.arrays["weights"]) == count_parameters(run.setup.model)
    assert "means" not in found.arrays
    assert (run.status, run.worker, run.step) == (RunState.PAUSED, None, 0)


def test_what_comes_back_is_a_run_as_any_other(engine, run):
    loan = borrow(engine, run)
    engine.take_back(run.id, returned(run, 12, loan), owner="me")
    assert (run.status, run.step, run.worker) == (RunState.PAUSED, 11, None)
    assert list(run.series["loss"].steps) == list(range(1, 12))
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(12))
    checkpoint = read_checkpoint(run.folder)
    weights = torch.cat([each.flatten() for each in checkpoint.found.model.parameters()])
    n_weights = count_parameters(run.setup.model)
    assert torch.equal(
        weights.detach(), torch.linspace(0, 1, n_weights, dtype=torch.float64).float()
    )
    assert engine.analyse(run.id, "heads", text="the cat").step == 11
    assert len(engine.generate(run.id, "the", SampleConfig(n_tokens=5)).text) > 3


def test_it_goes_on_from_there_in_a_browser_and_at_home(engine, run):
    loan = borrow(engine, run)
    engine.take_back(run.id, returned(run, 12, loan), owner="me")
    found = engine.lend(run.id, owner="me")
    assert found.values["next_step"] == 12
    assert found.arrays["squares"][-1] == 1
    engine.bring_home(run.id, owner="me")
    wait_until(engine, run.id, RunState.FINISHED)
    assert run.place == SERVER
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(41))


def test_a_tab_that_asks_twice_goes_on_with_what_it_got_first(engine, run):
    loans = {engine.lend(run.id, owner="me", borrower="tab").values["loan"] for _ in range(2)}
    assert loans == {"tab"}
    engine.take_back(run.id, returned(run, 5, "tab"), owner="me")
    assert run.step == 4


def test_its_first_steps_are_computed_here_too_and_it_stays_as_it_is(engine, run):
    loan = borrow(engine, run)
    engine.take_back(run.id, returned(run, 12, loan), owner="me")
    losses = engine.repeat(run.id, steps=11, owner="me")
    assert (run.status, run.step, run.place) == (RunState.PAUSED, 11, BROWSER)
    trainer = new_trainer(run.setup, tokenize(own_text(TEXT), "characters"))
    assert (
        losses.tolist() == [report.loss for report, _ in zip(trainer, range(12), strict=False)][1:]
    )
    with pytest.raises(EngineError, match="another student"):
        engine.repeat(run.id, steps=11, owner="you")
    engine.take_back(run.id, returned(run, 41, loan), owner="me")
    with pytest.raises(EngineError, match="has ended"):
        engine.repeat(run.id, steps=11, owner="me")


def test_the_last_step_finishes_it_and_a_stop_stops_it(engine, run):
    loan = borrow(engine, run)
    engine.take_back(run.id, returned(run, 3, loan, stops=True), owner="me")
    assert run.status is RunState.STOPPED
    engine.take_back(run.id, returned(run, 41, loan), owner="me")
    assert (run.status, run.step) == (RunState.FINISHED, 40)


def test_the_server_that_comes_next_knows_where_it_trains(engine, run):
    engine.caretaker.save()
    found = {each.id: each for each in read_runs(engine.folder)}
    assert (found[run.id].place, found[run.id].loan) == (BROWSER, "")


def test_what_comes_once_more_since_an_answer_was_lost_is_kept_once(engine, run):
    loan = borrow(engine, run)
    first = returned(run, 12, loan)
    engine.take_back(run.id, first, owner="me")
    again = returned(run, 20, loan)
    again["rows"] = first["rows"] + again["rows"]
    engine.take_back(run.id, again, owner="me")
    assert run.step == 19
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(20))


def test_what_was_started_before_the_browser_said_who_is_here_is_theirs(engine, run):
    other = engine.start(SETUP, owner="you", text=TEXT, place=BROWSER)
    engine.adopt(owner="me again", before="me")
    assert engine.is_owner(run, "me again")
    assert engine.is_text_owner(run, "me again")
    assert engine.is_owner(engine.poll(other), "you")
    engine.caretaker.save()
    assert {each.id: each.owner for each in read_runs(engine.folder)}[run.id] == run.owner
    wait_until(engine, other, RunState.PAUSED)


HOSTILE = {
    "nothing": lambda run: {},
    "no object": lambda run: [1, 2],
    "a step before": lambda run: {"next_step": 0},
    "a step beyond": lambda run: {"next_step": 10**9},
    "no whole step": lambda run: {"next_step": 5.5},
    "fewer rows": lambda run: {"rows": []},
    "rows of other steps": lambda run: {"rows": [row(7, run)] * 5},
    "rows that are none": lambda run: {"rows": "x" * 5},
    "a row without a loss": lambda run: {"rows": [*(row(s, run) for s in range(4)), {"step": 4}]},
    "a loss that is none": lambda run: {"rows": _with(run, loss=float("nan"))},
    "a loss that is a list": lambda run: {"rows": _with(run, loss=[1])},
    "a huge loss": lambda run: {"rows": _with(run, loss=1e300)},
    "a sample that is text": lambda run: {"rows": _with(run, at=0, sample="<b>")},
    "a sample of no token": lambda run: {"rows": _with(run, at=0, sample=[10**6])},
    "a sample that is long": lambda run: {"rows": _with(run, at=0, sample=[1] * 10**5)},
    "too few weights": lambda run: {"weights": written([1.0])},
    "too many weights": lambda run: {"weights": written(np.ones(10**6))},
    "no base64": lambda run: {"weights": "é" + returned(run, 5, "")["weights"][1:]},
    "weights that are NaN": lambda run: {"weights": written(_numbers(run) * np.nan)},
    "averages that are infinite": lambda run: {"means": written(_numbers(run) + np.inf)},
    "squares below zero": lambda run: {"squares": written(_numbers(run) - 5)},
    "numbers as a list": lambda run: {"weights": [1.0, 2.0]},
    "another loan": lambda run: {"loan": "of another tab"},
}


def _with(run, at=4, **changes):
    return [row(step, run) | (changes if step == at else {}) for step in range(5)]


def _numbers(run):
    return np.ones(count_parameters(run.setup.model))


def files(run):
    """Read what a run folder has, but for the record of before, which a save of the same moves."""
    paths = [path for path in run.folder.iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in paths if path.name != "run.before.json"}


def test_whatever_else_a_browser_says_is_refused_and_nothing_is_lost(engine, run):
    loan = borrow(engine, run)
    engine.caretaker.save()
    before = files(run)
    for name, hostile in HOSTILE.items():
        otherwise = hostile(run)
        whole = name in ("nothing", "no object")
        said = otherwise if whole else returned(run, 5, loan) | otherwise
        with pytest.raises(EngineError, match="not kept"):
            engine.take_back(run.id, said, owner="me")
    assert files(run) == before
    assert (run.status, run.step) == (RunState.PAUSED, 0)
    engine.take_back(run.id, returned(run, 5, loan), owner="me")
    assert run.step == 4


def test_only_its_owner_and_only_a_run_on_loan(engine, run):
    loan = borrow(engine, run)
    with pytest.raises(EngineError, match="another student"):
        engine.take_back(run.id, returned(run, 5, loan), owner="you")
    with pytest.raises(EngineError, match="another student"):
        engine.lend(run.id, owner="you")
    engine.registry.place(run, SERVER)
    with pytest.raises(EngineError, match="trains on the server"):
        engine.take_back(run.id, returned(run, 5, loan), owner="me")
