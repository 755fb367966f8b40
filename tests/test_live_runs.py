"""How runs take turns in a worker, with a clock that the test turns."""

from dataclasses import replace

import pytest
from tiny_runs import MODEL, SETUP, TEXT, Clock

from explorer.engine.messages import Control, Done, News, Turn
from explorer.engine.run_state import RunState
from explorer.engine.worker import live_runs
from explorer.engine.worker.live_runs import (
    LEAST_LOOK,
    MOST_AHEAD,
    NEWS_SECONDS,
    SLICE_SECONDS,
    LiveRun,
    LiveRuns,
)
from explorer.engine.worker.untrained import Look, Looks
from tiny_llama.checkpoint import new_trainer
from tiny_llama.corpora import own_text
from tiny_llama.data import tokenize
from tiny_llama.errors import CheckpointError
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer


class FakeTrainer:
    """Takes as long for a step, and for each piece of the look after it, as it is told."""

    def __init__(self, clock, seconds, steps=10_000, *, look=(), next_step=1):
        self.config, self.next_step = self, next_step
        self.clock, self.seconds, self.steps = clock, seconds, steps
        self.look, self.pieces = look, []

    @property
    def is_done(self):
        return self.next_step > self.steps and not self.pieces

    def advance(self):
        if self.pieces:
            self.clock.now += self.pieces.pop()
        else:
            self.clock.now += self.seconds if self.next_step else 0.0
            self.next_step += 1
            self.pieces = list(self.look)
        return None if self.pieces else self.next_step - 1


class FakeRecorder:
    is_full = False

    def note(self, report):
        return {"step": report}

    def write_if_due(self):
        if self.is_full:
            raise CheckpointError("model.safetensors cannot be written (no space); make room.")

    def checkpoint(self):
        self.write_if_due()

    def flush(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(live_runs, "time", clock)
    return clock


@pytest.fixture
def told():
    return []


@pytest.fixture
def runs(told):
    return LiveRuns(told.append)


def add(
    runs,
    clock,
    name,
    seconds,
    *,
    steps=10_000,
    used=0.0,
    look=(),
    untrained=None,
    student=None,
    group="",
):
    runs._runs[name] = LiveRun(
        id=name,
        group=group,
        is_compared=bool(group),
        student=student or f"student of {name}",
        trainer=FakeTrainer(clock, seconds, steps, look=look),
        recorder=FakeRecorder(),
        used=used,
        state=RunState.RUNNING,
        untrained=untrained,
        is_measured=True,
    )
    return runs._runs[name]


def ask(runs, action, name="run"):
    """Have a run steered, to the last piece of it."""
    answer = runs.control(Control(run=name, action=action))
    return answer if isinstance(answer, Done) else list(answer)[-1]


def test_runs_take_turns_and_each_has_the_same_time_however_long_its_steps_are(runs, clock):
    quick, middling, slow = (add(runs, clock, f"{n}", n / 1000) for n in (1, 7, 90))
    for _ in range(200):
        runs.train_a_slice()
    times = [run.trainer.next_step * run.trainer.seconds for run in (quick, middling, slow)]
    assert max(times) - min(times) <= 0.09 + SLICE_SECONDS
    assert quick.trainer.next_step > 50 * slow.trainer.next_step


def test_students_have_the_same_time_however_many_runs_they_have(runs, clock):
    many = [add(runs, clock, f"{n}", 0.01, student="many") for n in range(3)]
    one = add(runs, clock, "one", 0.01, student="one")
    for _ in range(400):
        runs.train_a_slice()
    steps = [run.trainer.next_step for run in many]
    assert one.trainer.next_step == pytest.approx(sum(steps), abs=6)
    assert max(steps) - min(steps) <= 6


def test_runs_of_a_group_go_in_step_however_long_their_steps_are(runs, clock):
    quick = add(runs, clock, "quick", 0.001, student="one", group="seed 0")
    slow = add(runs, clock, "slow", 0.02, student="one", group="seed 0")
    other = add(runs, clock, "other", 0.001, student="one", group="seed 1")
    for _ in range(300):
        runs.train_a_slice()
        assert abs(quick.trainer.next_step - slow.trainer.next_step) <= MOST_AHEAD
    assert slow.trainer.next_step > 100
    assert other.trainer.next_step > 3 * slow.trainer.next_step  # it goes at its own pace


def test_a_run_waits_for_none_that_has_ended_or_stands_still(runs, clock):
    quick, slow, third = (
        add(runs, clock, name, 0.01, student="one", group="seed 0", steps=steps)
        for name, steps in (("quick", 10_000), ("slow", 5), ("third", 10_000))
    )
    ask(runs, "pause", "third")
    for _ in range(100):
        runs.train_a_slice()
    assert slow.trainer.is_done
    assert quick.trainer.next_step > 100
    ask(runs, "resume", "third")
    before = quick.trainer.next_step
    for _ in range(10):
        runs.train_a_slice()
    assert quick.trainer.next_step == before  # until the one that was away has caught up
    assert third.trainer.next_step > 40


def test_a_run_that_comes_back_does_not_make_up_for_its_pause(runs, clock):
    one, other = add(runs, clock, "one", 0.01), add(runs, clock, "other", 0.01)
    ask(runs, "pause", "one")
    for _ in range(100):
        runs.train_a_slice()
    ask(runs, "resume", "one")
    before = other.trainer.next_step
    for _ in range(20):
        runs.train_a_slice()
    assert one.trainer.next_step > 0
    assert other.trainer.next_step > before


def test_each_turn_is_told_before_it_begins_and_rows_at_most_so_often(runs, clock, told):
    add(runs, clock, "run", 0.01)
    for _ in range(40):
        runs.train_a_slice()
    assert isinstance(told[0], Turn)
    news = [each for each in told if isinstance(each, News)]
    rows = [row["step"] for each in news for row in each.rows]
    assert rows == list(range(1, len(rows) + 1))
    assert len(news) <= clock.now / NEWS_SECONDS + 1
    assert len([each for each in told if isinstance(each, Turn)]) == 40


def test_a_run_does_its_first_step_at_once_however_long_it_takes(runs, clock, told):
    add(runs, clock, "run", 3 * SLICE_SECONDS)
    runs.train_a_slice()
    assert [row["step"] for each in told if isinstance(each, News) for row in each.rows] == [1]


def test_a_run_that_ends_is_told_and_let_go(runs, clock, told):
    add(runs, clock, "run", 0.01, steps=3)
    runs.train_a_slice()
    runs.train_a_slice()
    assert told[-1].state is RunState.FINISHED
    assert not runs.are_moving
    with pytest.raises(CheckpointError, match="not live"):
        ask(runs, "pause")


def test_on_a_full_disk_a_run_waits_with_what_it_has_learned(runs, clock, told):
    run = add(runs, clock, "run", 0.01)
    run.recorder.is_full = True
    runs.train_a_slice()
    assert told[-1].state is RunState.PAUSED
    assert "could not be saved" in told[-1].message
    run.recorder.is_full = False
    ask(runs, "resume")
    assert (told[-1].state, told[-1].message) == (RunState.RUNNING, "")


def test_what_does_not_fit_how_a_run_stands_changes_nothing(runs, clock):
    run = add(runs, clock, "run", 0.01)
    ask(runs, "step")
    assert run.trainer.next_step == 1
    ask(runs, "pause")
    ask(runs, "pause")
    ask(runs, "step")
    assert (run.trainer.next_step, run.state) == (2, RunState.PAUSED)


# What one run does must not cost the others.

GREEDY = [0.03] * 1_000
"""Half a minute of looking after each step, in pieces."""


def test_a_greedy_look_comes_out_of_its_own_runs_time(runs, clock):
    others = [add(runs, clock, f"{n}", 0.01) for n in range(3)]
    greedy = add(runs, clock, "greedy", 0.01, look=GREEDY)
    for _ in range(400):
        runs.train_a_slice()
    steps = [run.trainer.next_step for run in others]
    assert min(steps) > 0.9 * clock.now / 0.01 / 4
    assert max(steps) - min(steps) <= 10
    assert greedy.trainer.next_step == 2  # its first look still goes on
    assert greedy.used == pytest.approx(clock.now / 4, abs=2 * SLICE_SECONDS)


def test_no_turn_lasts_longer_than_a_slice_and_a_piece(runs, clock):
    add(runs, clock, "greedy", 0.01, look=GREEDY)
    for _ in range(50):
        before = clock.now
        runs.train_a_slice()
        assert clock.now - before <= SLICE_SECONDS + 0.03


def test_one_step_of_a_greedy_run_is_done_in_pieces(runs, clock, told):
    run = add(runs, clock, "run", 0.01, look=GREEDY)
    ask(runs, "pause")
    pieces = runs.control(Control(run="run", action="step"))
    assert [next(pieces) for _ in range(1_000)] == [None] * 1_000
    assert isinstance(list(pieces)[-1], Done)
    assert (run.trainer.next_step, told[-1].state) == (2, RunState.PAUSED)
    assert [row["step"] for row in told[-1].rows] == [1]


def test_a_step_that_is_under_way_ends_with_its_run(runs, clock):
    run = add(runs, clock, "run", 0.01, look=GREEDY)
    ask(runs, "pause")
    pieces = runs.control(Control(run="run", action="step"))
    next(pieces)
    ask(runs, "stop")
    assert isinstance(list(pieces)[-1], Done)
    assert run.state is RunState.STOPPED


# The look at the untrained model waits until something moves.


def with_untrained(runs, clock, *, n_pieces=20, **settings):
    untrained = Look(FakeTrainer(clock, 0.0, look=[0.01] * n_pieces, next_step=0))
    return add(runs, clock, "run", 0.01, untrained=untrained, **settings)


def rows_of(told):
    return [row["step"] for each in told if isinstance(each, News) for row in each.rows]


def test_the_first_step_is_told_before_the_untrained_model_is_looked_at(runs, clock, told):
    with_untrained(runs, clock)
    runs.train_a_slice()
    assert (rows_of(told), clock.now) == ([1], 0.01)


def test_alone_a_run_soon_shows_its_untrained_model_and_moves_meanwhile(runs, clock, told):
    run = with_untrained(runs, clock)
    while run.untrained:
        runs.train_a_slice()
    assert 0.2 < clock.now < 0.2 * 2 + 2 * SLICE_SECONDS
    assert sorted(rows_of(told))[0] == 0
    assert run.trainer.next_step > 15


def test_among_many_a_look_takes_a_small_share_of_a_runs_first_turns(runs, clock):
    for n in range(9):
        add(runs, clock, f"{n}", 0.01)
    run = with_untrained(runs, clock, n_pieces=1_000)
    for _ in range(1_000):
        runs.train_a_slice()
    spent = run.looked_seconds + run.trained_seconds
    assert run.looked_seconds / spent == pytest.approx(LEAST_LOOK, abs=0.05)


def test_a_run_ends_only_when_its_untrained_model_has_been_looked_at(runs, clock, told):
    with_untrained(runs, clock, steps=2)
    while runs.are_moving:
        runs.train_a_slice()
    assert sorted(rows_of(told)) == [0, 1, 2]
    assert told[-1].state is RunState.FINISHED


def test_a_run_that_is_paused_early_still_shows_its_untrained_model_and_nothing_more(
    runs, clock, told
):
    run = with_untrained(runs, clock)
    other = add(runs, clock, "other", 0.01)
    while run.is_new:
        runs.train_a_slice()
    ask(runs, "pause")
    step, others_step = run.trainer.next_step, other.trainer.next_step
    while run.untrained:
        runs.train_a_slice()
    assert run.trainer.next_step == step
    assert other.trainer.next_step > others_step
    assert sorted(rows_of([each for each in told if each.run == "run"])) == list(range(step))
    ask(runs, "pause", "other")
    assert not runs.are_moving


def test_a_look_that_cannot_be_saved_is_not_tried_over_and_over(runs, clock, told):
    run = with_untrained(runs, clock, n_pieces=2)
    runs.train_a_slice()
    ask(runs, "pause")
    run.recorder.is_full = True
    runs.train_a_slice()
    assert not runs.are_moving
    assert "could not be saved" in told[-1].message


def test_new_runs_come_first_and_then_have_no_more_than_others(runs, clock):
    old = add(runs, clock, "old", 0.01)
    for _ in range(20):
        runs.train_a_slice()
    new = add(runs, clock, "new", 0.01, used=old.used)
    runs.train_a_slice()
    assert new.trainer.next_step == 2
    before = old.used
    for _ in range(20):
        runs.train_a_slice()
    assert old.used - before == pytest.approx(new.used - before, abs=2 * SLICE_SECONDS)


def test_runs_that_begin_alike_share_one_look_which_each_reports(runs, clock, told):
    look = Look(FakeTrainer(clock, 0.0, look=[0.01] * 20, next_step=0))
    for n in range(5):
        add(runs, clock, f"{n}", 0.01, untrained=look)
    while any(run.untrained for run in runs._runs.values()):
        runs.train_a_slice()
    assert sum(run.looked_seconds for run in runs._runs.values()) == pytest.approx(0.2)
    reported = [each.run for each in told if isinstance(each, News) and {"step": 0} in each.rows]
    assert sorted(reported) == [f"{n}" for n in range(5)]


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 5},
        {"evaluate_texts": 7},
        {"sample_tokens": 3},
        {"n_snapshots": 9},
    ],
)
def test_a_look_is_shared_only_where_it_finds_the_same(changed):
    config = TrainConfig(n_snapshots=0)
    one, looks = new_trainer(Setup(model=MODEL, training=config, corpus="tales")), Looks()
    alike = replace(config, steps=99, learning_rate=1e-5, batch_size=1)
    look = looks.of(one)
    assert looks.of(Trainer(one.model, one.corpus, alike)) is look
    other = replace(config, **changed)
    assert looks.of(Trainer(one.model, one.corpus, other)) is not look


def test_looks_at_texts_of_ones_own_are_nobody_elses():
    looks, corpus = Looks(), tokenize(own_text(TEXT))
    one = new_trainer(SETUP, corpus)
    assert looks.of(one) is not looks.of(one)
