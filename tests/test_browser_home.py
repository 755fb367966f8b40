"""Home and the tour in a real browser: keys, one press that trains, cards that open."""

import re

import pytest
from app_in_browser import SCREENS, WIDTH, check_views, choose, findings, settle, students
from playwright.sync_api import expect

from explorer.home.views import VIEWS
from explorer.tour import STOPS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_of_home_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "", VIEWS, screen)


@pytest.mark.parametrize("screen", list(SCREENS))
def test_the_tour_can_be_used_by_everybody(browser, server, screen):
    with students(browser, server, screen) as come:
        student = come("/?tour=1")
        settle(student)
        assert not findings(student)
        assert student.page.evaluate(WIDTH) <= SCREENS[screen][1]


def replay(student):
    return student.page.get_by_role("group", name="A recorded training")


STEP = "group => Number(group.querySelector('.numbers b').textContent.replace(',', ''))"


def test_a_recorded_training_replays_by_itself_until_it_is_paused(come):
    student = come("/")
    student.page.wait_for_function(
        "() => [...document.querySelectorAll('.st-key-replay *')].some(each => "
        "Number(each.shadowRoot?.querySelector('.numbers b')?.textContent.replace(',', '')) > 20)"
    )
    group = replay(student)
    expect(group).to_contain_text(re.compile("After [1-9]00 steps it writes"))
    group.get_by_role("button", name="Pause").click()
    at = group.evaluate(STEP)
    student.draw()
    student.draw()
    assert group.evaluate(STEP) == at
    slider = group.get_by_role("slider", name="Moment")
    slider.press("Home")
    expect(group).to_contain_text("Before it learns, it writes")
    slider.press("ArrowRight")
    said = re.compile("after [1-9]00 steps it writes: [A-Z][a-z]+")
    expect(slider).to_have_attribute("aria-valuetext", said)
    group.get_by_role("button", name="Play").click()
    expect(group.get_by_role("button", name="Pause")).to_be_visible()


def test_who_likes_no_motion_sees_how_it_ended_and_may_press_play(come):
    student = come("/?view=results")
    student.page.emulate_media(reduced_motion="reduce")
    choose(student, "At a glance")
    group = replay(student)
    expect(group).to_contain_text("After 4,000 steps it writes")
    expect(group.get_by_role("button", name="Play")).to_be_visible()
    assert group.evaluate(STEP) == 4000
    group.get_by_role("button", name="Play").click()
    expect(group).to_contain_text("Before it learns, it writes")


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_what_a_newcomer_presses_is_on_the_first_screen(come, size):
    student = come("/")
    student.page.set_viewport_size({"width": size[0], "height": size[1]})
    settle(student)
    for name in ("Train a tiny one now", "Take the three-minute tour"):
        expect(student.button(name)).to_be_in_viewport(ratio=1)
    expect(student.page.locator(".st-key-model_card")).to_be_in_viewport(ratio=1)
    expect(replay(student)).to_be_in_viewport(ratio=0.95)


def see_stop(student, number):
    words = f"Tour, stop {number} of {len(STOPS)}: {STOPS[number - 1].title}"
    expect(student.page.get_by_text(words)).to_be_visible()
    student.see_link(tour=str(number))
    settle(student)


def see_subject(student, number):
    """Wait until the page has moved to what the stop speaks of, and not under the box."""
    student.page.wait_for_function(IS_SEEN, arg=STOPS[number - 1].subject[-1])


IS_SEEN = """key => {
  const [box, seen] = ["tour", key].map(each =>
    document.querySelector(`.st-key-${each}`)?.getBoundingClientRect())
  return seen && box.top >= 0 && seen.top >= box.bottom && seen.top < innerHeight - 100
}"""
TOP = "document.querySelector('[data-testid=stMain]').scrollTop"


def test_the_tour_is_walked_by_keys_which_do_nothing_while_one_types(come):
    student = come("/")
    student.press("Take the three-minute tour")
    see_stop(student, 1)
    for number in range(2, len(STOPS) + 1):
        student.page.keyboard.press("n")
        see_stop(student, number)
        see_subject(student, number)
    student.page.keyboard.press("n")  # there is no stop after the last
    see_stop(student, len(STOPS))
    student.page.keyboard.press("b")
    see_stop(student, len(STOPS) - 1)

    student.open("/attention?tour=5")
    see_stop(student, 5)
    text = the_text(student)
    student.page.keyboard.type("no bananas")
    expect(text).to_have_value(re.compile("no bananas"))
    see_stop(student, 5)

    student.page.reload()
    see_stop(student, 5)
    student.press("Leave the tour")
    expect(student.page.get_by_text("Tour, stop")).to_have_count(0)
    expect(student.page).to_have_url(re.compile("/attention"))
    assert "tour" not in student.query


def test_the_page_moves_to_a_stop_once_and_then_is_the_students(come):
    student = come("/attention?tour=5")
    student.page.set_viewport_size({"width": 1280, "height": 240})  # too low for box and subject
    see_stop(student, 5)
    see_subject(student, 5)
    assert student.page.evaluate(TOP) > 0
    text = the_text(student)
    where = student.page.evaluate(TOP)
    student.page.keyboard.type("Gus. ")
    student.page.keyboard.press("Control+Enter")
    student.see_link(text=r".*fox\.Gus.*")
    settle(student)
    expect(text).to_be_focused()
    assert student.page.evaluate(TOP) == where
    student.page.keyboard.press("Escape")
    student.page.locator(".st-key-tour_next button").click()
    see_stop(student, 6)
    see_subject(student, 6)
    student.press("Leave the tour")
    expect(student.page.get_by_text("Tour, stop")).to_have_count(0)
    assert student.page.evaluate(PADDING) == ""


def the_text(student):
    """Open the line of the text that the model reads; lead into its box."""
    student.page.locator(".st-key-text_line button").first.click()
    text = student.page.get_by_role("textbox", name=re.compile("Text that the model reads"))
    text.click()
    text.press("Control+End")
    return text


PADDING = "document.querySelector('[data-testid=stMain]').style.scrollPaddingTop"


def test_one_press_on_home_trains_and_the_run_shows_up(come):
    student = come("/")
    student.press("Train a tiny one now")
    student.see("Training", since=1)
    expect(student.page).to_have_url(re.compile(r"/train\?.*run="))
    assert student.model_step() >= 1


def test_a_paper_is_opened_by_a_press_and_by_its_link(come):
    student = come("/?view=research")
    student.press("RoPE")
    dialog = student.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Jianlin Su")
    student.see_link(paper="rope")
    settle(student)
    student.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    settle(student)
    assert "paper" not in student.query
    expect(student.button("RoPE")).to_be_focused()  # so that a key opens it again
    student.page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Jianlin Su")
    again = come("/?view=research&paper=rope", beside=student)
    expect(again.page.get_by_text("Jianlin Su")).to_be_visible()
    again.page.get_by_role("link", name="Turn queries and keys").click()
    expect(again.page.get_by_role("heading", name="Rotary embeddings", level=1)).to_be_visible()
