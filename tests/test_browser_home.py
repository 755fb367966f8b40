"""Home and the tour in a real browser: keys, one press that trains, cards that open."""

import re

import pytest
from app_in_browser import SCREENS, check_views, settle
from playwright.sync_api import expect

from explorer.home.views import VIEWS
from explorer.tour import STOPS


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_of_home_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "?tour=1", VIEWS, screen)


def see_stop(student, number):
    words = f"Tour, stop {number} of {len(STOPS)}: {STOPS[number - 1].title}"
    expect(student.page.get_by_text(words)).to_be_visible()
    student.see_link(tour=str(number))
    settle(student)


def test_the_tour_is_walked_by_keys_which_do_nothing_while_one_types(come):
    student = come("/")
    student.press("Take the three-minute tour")
    see_stop(student, 1)
    for number in range(2, len(STOPS) + 1):
        student.page.keyboard.press("n")
        see_stop(student, number)
    student.page.keyboard.press("n")  # there is no stop after the last
    see_stop(student, len(STOPS))
    student.page.keyboard.press("b")
    see_stop(student, len(STOPS) - 1)

    student.open("/attention?tour=5")
    see_stop(student, 5)
    text = student.page.get_by_role("textbox", name=re.compile("Text that the model reads"))
    text.click()
    student.page.keyboard.type("no bananas")
    expect(text).to_have_value(re.compile("no bananas"))
    see_stop(student, 5)

    student.page.reload()
    see_stop(student, 5)
    student.press("Leave the tour")
    expect(student.page.get_by_text("Tour, stop")).to_have_count(0)
    expect(student.page).to_have_url(re.compile("/attention"))
    assert "tour" not in student.query


def test_one_press_on_home_trains_and_the_run_shows_up(come):
    student = come("/")
    student.press("Train a tiny one now")
    student.see("Training", since=1)
    expect(student.page).to_have_url(re.compile(r"/train\?.*run="))
    assert student.sidebar_step() >= 0


def test_a_paper_is_opened_by_a_press_and_by_its_link(come):
    student = come("/?view=research")
    student.page.get_by_text(re.compile("Zhuiyi Technology")).click()
    expect(student.page.get_by_text("Jianlin Su")).to_be_visible()
    student.see_link(paper="rope")
    again = come("/?view=research&paper=rope", beside=student)
    expect(again.page.get_by_text("Jianlin Su")).to_be_visible()
    again.page.get_by_role("link", name="Turn queries and keys").click()
    expect(again.page.get_by_role("heading", name="Rotary embeddings", level=1)).to_be_visible()
