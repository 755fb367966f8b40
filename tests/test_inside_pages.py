"""Every view of every page that looks inside, for models at every stage of their lives."""

from importlib import import_module

import pytest
from conftest import PAGES, ROOT, open_page, until

from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")
INSIDE = [name for name in PAGES if (ROOT / "explorer" / "inside" / name).is_dir()]
VIEWS = [
    (name, view.name) for name in INSIDE for view in import_module(f"explorer.inside.{name}").VIEWS
]
NEEDS_PAST = ("attention", "time")


@pytest.fixture(scope="module")
def live(engine):
    """A default model that trains all the while."""
    run_id = engine.start(Setup().with_values({"steps": "20000", "n_snapshots": "0"}), owner="me")
    until(lambda: engine.poll(run_id).step > 1)
    yield run_id
    engine.control(run_id, "stop", owner="me")


def is_well(app, names):
    """Whether the page has no error, but for a run without a past where that is what is shown."""
    errors = [error.value for error in app.error]
    return not errors if names != NEEDS_PAST else all("snapshots" in each for each in errors)


@pytest.mark.parametrize("names", VIEWS, ids="-".join)
def test_a_model_is_looked_into_while_it_trains(names, live, engine):
    page, view = names
    app = open_page(page, view=view, run=live)
    assert is_well(app, names)
    assert engine.poll(live).status == "running"


@pytest.mark.parametrize("names", VIEWS, ids="-".join)
def test_an_untrained_model_is_looked_into(names):
    page, view = names
    app = open_page(page, view=view, at="0")
    assert is_well(app, names)


@pytest.mark.parametrize("page", INSIDE)
@pytest.mark.parametrize("link", [{"run": "AAAAAAAA"}, {"view": "<script>"}, {"text": "\0"}])
def test_nonsense_in_a_link_is_answered(page, link):
    app = open_page(page, **link)
    assert not app.exception
