"""Every page says what is wrong with a damaged run, and its owner can delete it."""

import json

import pytest
from conftest import PAGES, found, open_page
from damaging import flip
from tiny_runs import SETUP, TEXT, wait_until

from explorer.engine.store import read_runs

FIRST_TIER = ("attention", "train")


def some_pages():
    return [
        pytest.param(page, marks=() if page in FIRST_TIER else pytest.mark.slow) for page in PAGES
    ]


@pytest.fixture
def damage(app_engine):
    """Let a finished run of `owner` be damaged, and found again as by a new server."""

    def damaged(change):
        run_id = app_engine.start(SETUP, owner="owner", text=TEXT)
        run = wait_until(app_engine, run_id, "finished")
        app_engine.caretaker.save()
        app_engine.registry.remove(run_id)
        with app_engine.caretaker._records:  # so nobody writes its record any more
            pass
        change(run.folder)
        (again,) = [each for each in read_runs(app_engine.folder) if each.id == run_id]
        app_engine.registry.add(again)
        made.append(run_id)
        return run_id

    made = []
    yield damaged
    for run_id in made:
        if app_engine.poll(run_id):
            app_engine.delete(run_id, owner="owner")


def damage_log(folder):
    flip(folder / "metrics.jsonl", 3)


def damage_model(folder):
    flip(folder / "model.safetensors", -1)


def damage_record(folder):
    for name in ("run.json", "run.before.json"):
        record = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(record | {"step": "many"}))


def said(app):
    return [each.value for each in (*app.error, *app.warning)]


@pytest.mark.parametrize("page", some_pages())
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (damage_log, "In metrics.jsonl, line 1 is damaged and left out."),
        (damage_record, "This run cannot be read: The file run.json is damaged"),
    ],
)
def test_a_page_shows_what_is_damaged(damage, page, change, sentence):
    app = open_page(page, owner="owner", run=damage(change))
    assert any(each.replace("\\", "").startswith(sentence) for each in said(app)), said(app)


def test_a_page_says_that_it_looks_at_the_checkpoint_before(damage):
    app = open_page("attention", owner="owner", run=damage(damage_model))
    assert any("last checkpoint was damaged" in each for each in said(app)), said(app)


def test_a_run_that_cannot_be_read_is_deleted_on_its_page(damage, app_engine):
    run_id = damage(damage_record)
    folder = found(app_engine, run_id).folder
    app = open_page("train", owner="owner", run=run_id)
    names = app.selectbox(key="model_choice").options
    assert any("cannot be read" in name for name in names), names
    app.button(key="run_delete").click().run()
    assert not app.exception
    assert app_engine.poll(run_id) is None
    assert not folder.exists()
