"""What browsers have trained comes a few at a time, each when asked to, and none of it is lost."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from app_server import AppServer
from browser_student import HAND_OVER, BrowserTrainer
from conftest import SLOW, open_page
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit_client import Tab
from test_guard import attended
from test_lending import returned
from tiny_runs import SETUP, TEXT, Clock, wait_until

from explorer import guard
from explorer.components.hand_over import KEY
from explorer.engine.limits import limits
from explorer.engine.run import BROWSER, SERVER
from explorer.engine.run_state import RunState
from explorer.guard.hand_overs import GRACE, LATEST, SENT_WITHIN, SOONEST, TAKEN_WITHIN, HandOvers
from explorer.guard.server import Guard

MOST = 3


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gone():
    return set()


@pytest.fixture
def turns(clock, gone):
    return HandOvers(MOST, gone.__contains__, clock.monotonic)


# Turns.


def test_so_many_have_a_turn_and_the_others_are_told_when_to_ask_again(turns):
    assert [turns.ask(name) for name in "abc"] == [0, 0, 0]
    assert SOONEST <= turns.ask("d") <= LATEST
    assert not turns.comes("d")
    assert turns.comes("a")
    assert not turns.comes("a"), "twice in one turn"
    assert turns.ask("a") > 0, "before the first is taken"
    turns.end("a")
    assert turns.ask("d") == 0


def test_who_has_waited_longer_comes_first(turns):
    for name in "abcdef":
        turns.ask(name)
    turns.end("a")
    assert turns.ask("f") > 0
    assert turns.ask("e") > 0
    assert turns.ask("d") == 0
    turns.end("b")
    assert turns.ask("f") > 0
    assert turns.ask("e") == 0


def test_who_asks_again_has_the_same_turn(turns):
    assert [turns.ask("a"), turns.ask("a"), turns.n_turns] == [0, 0, 1]


def test_a_turn_that_is_not_used_and_one_that_never_ends_are_over_at_last(turns, clock):
    for name in "abc":
        turns.ask(name)
    turns.comes("a")
    clock.now += SENT_WITHIN
    assert turns.n_turns == 1
    assert not turns.comes("b")
    clock.now += TAKEN_WITHIN
    assert turns.n_turns == 0


def test_who_has_gone_holds_no_turn_and_no_place(turns, clock, gone):
    for name in "abcd":
        turns.ask(name)
    gone.update("ad")
    assert turns.ask("e") == 0
    wait = turns.ask("f")
    clock.now += wait + GRACE + 1  # f is not heard of any more
    turns.end("b")
    turns.end("c")
    turns.end("e")
    assert [turns.ask(name) for name in "xyz"] == [0, 0, 0]


def test_the_slower_the_server_the_later_one_is_to_ask_again(turns, clock):
    def wait(seconds):
        for number in range(30):
            assert turns.ask(f"{seconds} {number}") == 0
            clock.now += seconds
            turns.end(f"{seconds} {number}")
        for number in range(MOST):
            turns.ask(f"{seconds} holds {number}")
        told = [turns.ask(f"{seconds} waits {number}") for number in range(9)]
        assert told == sorted(told)
        clock.now += 1000
        return told[-1]

    assert wait(1.0) < wait(20.0) <= LATEST


def test_a_class_that_comes_at_once_is_through_in_order_and_never_more_than_some_at_once(
    turns, clock
):
    takes, next_at = 4.0, dict.fromkeys(range(30), 0.0)
    ends, done = {}, []
    while len(done) < 30:
        for name, end in tuple(ends.items()):
            if clock.now >= end:
                turns.end(name)
                del ends[name]
                done.append(name)
        for name in [name for name, at in next_at.items() if at <= clock.now]:
            wait = turns.ask(name)
            next_at[name] = clock.now + wait
            if not wait:
                assert turns.comes(name)
                del next_at[name]
                ends[name] = clock.now + takes
        assert len(ends) == turns.n_turns <= MOST
        clock.now += 0.5
        assert clock.now < 30 * takes
    assert all(abs(place - name) < MOST for place, name in enumerate(done))


# Where the server answers nobody.


def given(n_letters):
    """Make the message by which a browser hands over."""
    said = WidgetState(id=_make_trigger_id(f"$$ID-abc-{KEY}", "events"))
    said.json_trigger_value = json.dumps([{"event": "returned", "value": "A" * n_letters}])
    message = BackMsg()
    message.rerun_script.fragment_id = "part"
    message.rerun_script.widget_states.widgets.append(said)
    return message


def test_thirty_that_hand_over_again_and_again_to_a_server_that_is_stuck_are_held_few_at_once():
    held = []

    async def come():
        sessions = SimpleNamespace(
            get_session_info=lambda _: "there", get_active_session_info=lambda _: None
        )
        server = SimpleNamespace(
            handle_backmsg=lambda _, message, client: held.append(message),
            uploaded_file_mgr=None,
            _session_mgr=sessions,
        )
        stands = Guard(server)
        for again in range(4):
            for number in range(30):
                has_turn = stands.hand_overs.ask(str(number)) == 0
                if has_turn or again == 3:  # the last time, without being asked to
                    stands.take(str(number), given(3_500_000))

    attended(come())
    long = [each for each in held if each.ByteSize() > 1_000_000]
    assert len(long) == limits().hand_overs


# What a page says to the browser.


@pytest.fixture
def run(app_engine):
    run_id = app_engine.start(SETUP, owner="me", text=TEXT, place=BROWSER)
    return wait_until(app_engine, run_id, RunState.PAUSED)


def say(app, event, value):
    """Say what the browser's part says, and give the answer with which it is drawn next."""
    part = hand_over(app)
    said = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{part.id}__events")
    said.json_trigger_value = json.dumps([{"event": event, "value": value}])
    before = json.loads(part.json)["answers"]
    app._run(WidgetStates(widgets=[said]))
    assert not app.exception
    told = json.loads(hand_over(app).json)
    assert told["answers"] == before + 1
    assert not told["answer"].pop("isDeleted")
    return told["answer"]


def hand_over(app):
    parts = [each.proto for each in app.get("bidi_component")]
    [part] = [each for each in parts if each.component_name == HAND_OVER]
    return part


def test_a_page_asks_gives_and_hears_that_it_is_taken(app_engine, run):
    app = open_page("home", owner="me")
    asked = {"run": run.id, "step": 6, "stops": False}
    assert say(app, "asks", asked) == {"run": run.id, "nextRow": 0, "wait": 0}
    loan = app_engine.lend(run.id, owner="me").values["loan"]
    given = returned(run, 7, loan) | {"run": run.id}
    assert say(app, "returned", given) == {"run": run.id, "nextRow": 7, "refusal": ""}
    assert run.step == 6


def test_an_answer_that_was_lost_is_given_when_the_page_asks_again(app_engine, run):
    loan = app_engine.lend(run.id, owner="me").values["loan"]
    app_engine.take_back(run.id, returned(run, 7, loan), owner="me")
    app, all_of_it = open_page("home", owner="me"), {"run": run.id, "nextRow": 7, "refusal": ""}
    asked = {"run": run.id, "step": 6, "stops": False}
    assert say(app, "asks", asked) == all_of_it
    assert say(app, "asks", asked | {"stops": True})["wait"] == 0, "a stop is news"
    app_engine.take_back(run.id, returned(run, 7, loan, stops=True), owner="me")
    assert say(app, "asks", asked | {"stops": True}) == all_of_it


def test_who_has_nothing_to_give_is_told_why(app_engine, run):
    stranger, mine = (open_page("home", owner=owner) for owner in ("you", "me"))
    for app, run_id, why in [
        (stranger, run.id, "another student"),
        (mine, "abcdefgh", "not on this server"),
        (mine, {"no": "word"}, "not on this server"),
    ]:
        assert why in say(app, "asks", {"run": run_id, "step": "<b>"})["refusal"]
    app_engine.registry.place(run, SERVER)
    assert "trains on the server" in say(mine, "asks", {"run": run.id, "step": 3})["refusal"]


def test_where_others_have_all_turns_a_page_hears_when_to_ask_again(run, monkeypatch):
    monkeypatch.setattr(guard, "seconds_until_turn", lambda: 7.5)
    app = open_page("home", owner="me")
    answer = say(app, "asks", {"run": run.id, "step": 3, "stops": False})
    assert answer == {"run": run.id, "nextRow": 0, "wait": 7.5}


def test_a_turn_ends_whatever_comes_of_it(run, monkeypatch):
    ends = []
    monkeypatch.setattr(guard, "end_turn", lambda: ends.append(1))
    app = open_page("home", owner="me")
    assert "not kept" in say(app, "returned", {"run": run.id, "loan": "x"})["refusal"]
    assert ends == [1]


# With a real server.


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("TINY_LLAMA_LIMITS", "shared")
    with AppServer() as app:
        yield app


async def student(app, seed):
    """Open a tab whose browser trains a run."""
    tab = Tab(app.address, "train", f"where=browser&steps=20000&seed={seed}")
    await tab.open()
    await asyncio.wait_for(tab.ledger.answered.wait(), 60)
    await tab.press("train")
    await asyncio.wait_for(tab.ledger.answered.wait(), 60)
    return tab


async def wait_for(condition):
    """Wait for something to become true."""
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.05)


@SLOW
def test_what_comes_without_a_turn_is_left_out_and_the_next_one_is_taken(server):
    async def attend():
        tab = await student(server, 0)
        trainer = BrowserTrainer(tab, first_return=1e6)
        await wait_for(lambda: trainer.run)
        unasked = {"run": trainer.run, "weights": "A" * 3_500_000}
        for _ in range(3):
            before = trainer._heard()
            await tab.trigger(HAND_OVER, "returned", unasked)
            await asyncio.sleep(1)
            assert trainer._heard() == before
        trainer.stop()
        trainer = BrowserTrainer(tab, first_return=1)
        await wait_for(lambda: trainer.n_taken)
        assert not trainer.refusals
        trainer.stop()
        await tab.close()

    attended(attend())


@SLOW
def test_of_a_class_that_hands_over_at_once_everybody_s_comes_once_and_is_taken(server):
    async def attend():
        tabs = [await student(server, seed) for seed in range(12)]
        trainers = [BrowserTrainer(tab, first_return=20) for tab in tabs]
        await wait_for(lambda: all(trainer.n_taken for trainer in trainers))
        assert not any(trainer.refusals for trainer in trainers)
        assert sum(trainer.n_given for trainer in trainers) == len(tabs), "each comes once"
        for trainer, tab in zip(trainers, tabs, strict=True):
            trainer.stop()
            await tab.close()

    attended(attend())
