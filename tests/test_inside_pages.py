"""Every view of every page that looks inside, for models at every stage of their lives."""

from importlib import import_module

import pytest
from conftest import PAGES, QUICK, ROOT, open_page, training

from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")
INSIDE = [name for name in PAGES if (ROOT / "explorer" / "inside" / name).is_dir()]
VIEWS = {
    page: [view.name for view in import_module(f"explorer.inside.{page}").VIEWS] for page in INSIDE
}
NEEDS_PAST = ("attention", "time")
NONSENSE = ({"run": "AAAAAAAA"}, {"view": "<script>"}, {"text": "\0"})


@pytest.fixture
def live(engine):
    """Lend a default model that trains all the while."""
    setup = Setup().with_values(QUICK | {"steps": "20000", "n_snapshots": "0"})
    with training(engine, setup) as run_id:
        yield run_id


def check(page, views, **link):
    """Open views; none has an error, but the one that shows the past, of a run that has none."""
    for view in views:
        errors = [error.value for error in open_page(page, view=view, **link).error]
        needed = [True] * ((page, view) == NEEDS_PAST and "run" in link)
        assert ["snapshots" in each for each in errors] == needed, view


FIRST = [(page, VIEWS[page][:1]) for page in INSIDE]
OTHERS = [pytest.param(page, VIEWS[page][1:], marks=pytest.mark.slow) for page in INSIDE]


@pytest.mark.parametrize(("page", "views"), [*FIRST, *OTHERS])
def test_a_model_is_looked_into_while_it_trains(page, views, live, engine):
    check(page, views, run=live)
    assert engine.poll(live).status == "running"


@pytest.mark.parametrize("page", INSIDE)
def test_an_untrained_model_is_looked_into(page):
    check(page, VIEWS[page], at="0")


@pytest.mark.parametrize("page", INSIDE)
def test_nonsense_in_a_link_is_answered(page):
    for link in NONSENSE:
        assert open_page(page, **link).title[0].value


@pytest.mark.parametrize(
    ("view", "run", "is_said"),
    [("heads", "", False), ("heads", "tales-gpt3", True), ("ablate", "tales-gpt3", True)],
)
def test_where_what_to_try_names_another_models_parts_the_page_says_so(view, run, is_said):
    app = open_page("attention", view=view, **({"run": run} if run else {}))
    said = [each.value for each in app.caption]
    assert any("names parts of tales-llama" in each for each in said) == is_said


def test_of_any_model_the_same_can_be_tried_where_no_part_is_named():
    app = open_page("generation", view="next", run="tales-gpt3")
    assert not any("names parts" in each.value for each in app.caption)
