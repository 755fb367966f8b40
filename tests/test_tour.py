"""The tour: forward and back through all stops, out of a link, and out of the way again."""

import re
from importlib import import_module

import pytest
from conftest import PAGES, go_back, open_page, prose, walk

from explorer import content
from explorer.home.papers import CARDS
from explorer.tour import STOPS

pytestmark = pytest.mark.usefixtures("app_engine")
TITLES = {
    "home": "Tiny LLaMA Explorer",
    "family_tree": "Family tree",
    "architecture": "Architecture",
    "tokens": "Tokens",
    "attention": "Attention",
    "rotary": "Rotary embeddings",
    "norm_and_swiglu": "Norm and SwiGLU",
    "generation": "Generation",
    "compare": "Compare",
    "scaling": "Scaling",
    "train": "Train",
}
"""The pages at which it stops; not all do have a stop."""


MODULES = {
    "home": "explorer.home.views",
    "family_tree": "explorer.family.page",
    "architecture": "explorer.architecture.views",
    "compare": "explorer.compare",
    "scaling": "explorer.scaling.views",
}


def views_of(page):
    """List what a page can show, by the word of the link."""
    views = import_module(MODULES.get(page, f"explorer.inside.{page}")).VIEWS
    return [view.name for view in views]


def press(app, key):
    """Press a button, and be on the page that it leads to: AppTest itself stays where it was."""
    app.button(key=key).click().run()
    assert not app.exception
    page = next(name for name, title in TITLES.items() if title == app.title[0].value)
    return app.switch_page(f"../pages/{page}.py")


def keys(app):
    return {button.key for button in app.button}


def stands_at(app, number):
    """Tell whether page, box and link are those of this stop."""
    stop = STOPS[number - 1]
    return (
        app.title[0].value == TITLES[stop.page]
        and app.query_params["tour"] == str(number)
        and content.tour(stop.page) in prose(app)
        and f"Tour, stop {number} of {len(STOPS)}: {stop.title}" in [e.value for e in app.caption]
    )


def test_the_stops_are_pages_and_views_that_exist_each_told_in_a_sentence_or_two():
    assert [stop.page for stop in STOPS] == list(TITLES)
    assert set(TITLES) <= set(PAGES)
    for stop in STOPS:
        known = views_of(stop.page) if stop.words else {}
        assert all(word in known for word in stop.words.values())
        said = content.tour(stop.page)
        assert 1 <= len(re.findall(r"[.!?](?= |$)", said)) <= 2
        assert len(said.split()) <= 45


def test_a_paper_leads_to_a_view_that_exists():
    for card in CARDS.values():
        if "view" in card.touch.link:
            assert card.touch.link["view"] in views_of(card.touch.page)


def test_a_quarter_of_a_minute_or_more_for_each_stop_makes_three_minutes():
    assert 15 <= 3 * 60 / len(STOPS) <= 20


def test_the_tour_goes_forward_and_back_through_all_stops_and_ends_on_train():
    app = press(open_page("home"), "take_tour")
    assert stands_at(app, 1)
    assert app.button(key="tour_back").disabled
    for number in range(2, len(STOPS) + 1):
        assert stands_at(press(app, "tour_next"), number)
    assert "tour_next" not in keys(app)
    assert app.button(key="train")
    for number in range(len(STOPS) - 1, 0, -1):
        assert stands_at(press(app, "tour_back"), number)


@pytest.mark.parametrize("number", [1, 4, len(STOPS)])
def test_a_link_opens_at_its_stop(number):
    stop = STOPS[number - 1]
    assert stands_at(open_page(stop.page, **stop.words, tour=str(number)), number)


def test_a_stop_that_there_is_not_is_left_out_of_page_and_link():
    app = open_page("home")
    for word in ("0", "12", "99", "-1", "x", "", "01", "1.0", "<b>"):
        go_back(app, tour=word)
        assert not {"tour_next", "tour_go"} & keys(app)
        assert "tour" not in app.query_params


def test_leaving_keeps_the_page_as_it_is_without_the_box():
    app = open_page("rotary", view="distance", tour="6")
    press(app, "tour_leave")
    assert "tour_next" not in keys(app)
    assert "tour" not in app.query_params
    assert app.title[0].value == "Rotary embeddings"
    assert app.query_params["view"] == "distance"
    walk(app, "tokens")
    assert "tour_go" not in keys(app)


def test_who_walks_off_to_another_page_is_led_back_to_the_stop():
    app = press(open_page("home"), "take_tour")
    press(app, "tour_next")
    walk(app, "generation")
    assert app.title[0].value == "Generation"
    assert "tour_next" not in keys(app)
    assert stands_at(press(app, "tour_go"), 2)


def test_the_tour_keeps_the_model_that_pages_look_at():
    app = open_page("attention", run="repeat-llama", tour="5")
    for key in ("tour_next", "tour_next", "tour_back"):
        press(app, key)
        assert app.query_params["run"] == "repeat-llama"


def test_a_stop_opens_at_its_view_even_if_the_page_was_left_at_another():
    app = open_page("attention", view="stages", tour="5")
    press(app, "tour_next")
    press(app, "tour_back")
    assert stands_at(app, 5)
    assert "view" not in app.query_params
