"""A run that the server has lost comes back from its owner's browser; nobody else's ever does."""

import pytest
from test_lending import HOSTILE, returned
from tiny_runs import SETUP, TEXT, wait_until

from explorer.engine import store
from explorer.engine.run import BROWSER, Run
from explorer.engine.run_state import RunState
from explorer.engine.server.engine import Engine
from explorer.engine.server.errors import EngineError
from explorer.engine.server.lost import read_lost
from explorer.engine.store import is_run_id, read_runs
from tiny_llama.errors import UserError
from tiny_llama.metrics import read_metrics
from tiny_llama.setup import Setup


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("runs"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def kept(engine):
    """Give what a browser keeps of a run up to step 11, on a server that has lost it since."""
    return kept_of(engine, SETUP, TEXT)


def kept_of(engine, setup, text=None, next_step=12):
    run_id = engine.start(setup, owner="me", text=text, place=BROWSER)
    run = wait_until(engine, run_id, RunState.PAUSED)
    lent = engine.lend(run_id, owner="me").values
    said = returned(run, next_step, lent["loan"]) | {"run": run_id, "setup": run.setup.as_dict()}
    lose(engine, run)
    return said | {"deed": lent["deed"], "mark": lent["mark"]} | ({"text": text} if text else {})


def lose(engine, run):
    """Have the server forget a run, as if its disk had been emptied."""
    engine.caretaker.delete(run)  # which writes no record of it meanwhile


def bring_back(engine, said, owner="me"):
    engine.admission._starts.clear()  # a student could not start so many so soon
    engine.bring_back(read_lost(said), owner=owner)
    return engine.poll(said["run"])


def test_it_is_the_same_run_with_its_curve_and_goes_on_from_its_step(engine, kept):
    run = bring_back(engine, kept)
    assert (run.id, run.status, run.step) == (kept["run"], RunState.PAUSED, 11)
    assert (run.place, run.worker) == (BROWSER, None)
    assert engine.is_owner(run, "me")
    assert engine.text_of(run.id, owner="me") == TEXT
    assert run.setup == Setup.from_dict(kept["setup"])
    assert list(run.series["loss"].steps) == list(range(1, 12))
    assert [row["step"] for row in read_metrics(run.folder)] == list(range(12))
    lent = engine.lend(run.id, owner="me")
    assert (lent.values["next_step"], lent.values["deed"]) == (12, kept["deed"])
    engine.take_back(run.id, returned(run, 41, lent.values["loan"]), owner="me")
    assert run.status is RunState.FINISHED
    engine.caretaker.save()
    assert {each.id: each.deed for each in read_runs(engine.folder)}[run.id] == kept["deed"]
    lose(engine, run)


def test_texts_that_the_browser_has_not_seen_may_be_missing(engine, kept):
    rows = [{name: row[name] for name in row if name != "sample"} for row in kept["rows"]]
    run = bring_back(engine, kept | {"rows": rows})
    assert run.samples == []
    lose(engine, run)


def test_one_that_had_ended_comes_back_as_finished(engine):
    run = bring_back(engine, kept_of(engine, SETUP, TEXT, next_step=41))
    assert (run.status, run.step) == (RunState.FINISHED, 40)


def test_one_on_a_built_in_text_comes_back_too(engine):
    training = {"steps": 40, "batch_size": 4, "n_layers": 1, "d_model": 16, "n_heads": 2}
    run = bring_back(engine, kept_of(engine, Setup().with_settings(training)))
    assert (run.status, run.step) == (RunState.PAUSED, 11)


def test_what_is_here_is_not_made_anew_whoever_says_so(engine, kept):
    run = bring_back(engine, kept)
    for owner in ("me", "you"):
        with pytest.raises(EngineError, match="is on the server"):
            bring_back(engine, kept, owner)
    assert engine.is_owner(run, "me")
    engine.registry.remove(run.id)  # of a folder that cannot be read, say, no run is known
    with pytest.raises(EngineError, match="is on the server"):
        bring_back(engine, kept)
    lose(engine, run)


def test_the_id_of_a_link_is_taken_over_by_nobody_without_its_deed(engine, kept):
    for deed in ("", "guessed", store.new_deed(), kept["run"], None, 5, "x" * 10**6, "\ud800"):
        with pytest.raises(EngineError, match="cannot be brought back"):
            bring_back(engine, kept | {"deed": deed}, "you")
    for run in ("../secret", "tales-llama", "", "x" * 8, None, ["a"], "\ud800"):
        with pytest.raises(EngineError, match="cannot be brought back"):
            bring_back(engine, kept | {"run": run}, "you")
    assert engine.poll(kept["run"]) is None


def test_a_deed_gives_one_id_that_fits_a_link():
    deeds = [store.new_deed() for _ in range(5)]
    ids = [store.id_of_deed(deed) for deed in deeds]
    assert len(set(ids)) == 5
    assert all(map(is_run_id, ids))
    assert ids == [store.id_of_deed(deed) for deed in deeds]


def test_what_its_student_has_deleted_stays_deleted_also_for_the_next_server(engine):
    run_id = engine.start(SETUP, owner="me", text=TEXT, place=BROWSER)
    run = wait_until(engine, run_id, RunState.PAUSED)
    lent = engine.lend(run_id, owner="me").values
    said = returned(run, 12, lent["loan"]) | {"run": run_id, "setup": run.setup.as_dict()}
    said |= {"deed": lent["deed"], "mark": lent["mark"], "text": TEXT}
    engine.delete(run_id, owner="me")
    assert engine.is_deleted(run_id)
    with pytest.raises(EngineError, match="was deleted"):
        bring_back(engine, said)
    with pytest.raises(EngineError, match="was deleted"):
        engine.take_back(run_id, said, owner="me")
    assert run_id in store.read_deleted(engine.folder)
    assert not engine.is_deleted(store.new_run_id()), "unknown is not deleted"


def test_a_list_of_what_is_deleted_that_is_damaged_is_read_as_far_as_it_can_be(tmp_path):
    assert store.read_deleted(tmp_path) == []
    store.note_deleted(tmp_path, "abcdefgh")
    with (tmp_path / store.DELETED).open("a") as file:
        file.write("../../etc\n\nABCDEFGH\nhalf")
    assert store.read_deleted(tmp_path) == ["abcdefgh", "ABCDEFGH"]


WRONG = {
    "no setup": {"setup": None},
    "a setup that is a list": {"setup": [1]},
    "a setup of lists": {"setup": {"model": {"n_layers": [1]}, "training": {}}},
    "a setup with what there is not": {"setup": {"model": {"wings": 2}, "training": {}}},
    "no text": {"text": None},
    "a text that is none": {"text": 5},
    "a text that is no text": {"text": "\ud800" * 500},
    "another text": {"text": TEXT + "another one, with a z"},
    "another mark": {"mark": "0" * 32},
    "no mark": {"mark": None},
    "rows from the middle": {"next_step": 12, "rows": []},
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_else_a_browser_has_kept_is_refused_and_leaves_nothing(engine, kept, name):
    with pytest.raises(UserError):
        bring_back(engine, kept | WRONG[name])
    assert_nothing_is_left(engine, kept)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("nothing", "no object")])
def test_its_numbers_are_checked_as_those_of_any_other(engine, kept, name):
    if name == "another loan":
        return  # which a run has only while it is here
    run = Run(id=kept["run"], setup=Setup.from_dict(kept["setup"]), owner="", folder=engine.folder)
    said = kept | {"next_step": 5, "rows": kept["rows"][:5]} | HOSTILE[name](run)
    with pytest.raises(EngineError, match="not kept"):
        bring_back(engine, said)
    assert_nothing_is_left(engine, kept)


def assert_nothing_is_left(engine, kept):
    assert engine.poll(kept["run"]) is None
    assert not (engine.folder / kept["run"]).exists()
    assert not engine.is_deleted(kept["run"])
