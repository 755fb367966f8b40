"""A word of the glossary in a real browser: by mouse, by keyboard, on a phone, while presenting."""

import re

import pytest
from app_in_browser import SCREENS, findings, frames_sent, settle, students
from playwright.sync_api import expect

from explorer import content

pytestmark = pytest.mark.slow
HEAD = content.meaning("head")


def word(student, name):
    """Find a word of the page's prose that is explained at a touch."""
    return student.page.locator(
        ".st-key-words a[href^='./?view=glossary&word=']", has_text=name
    ).first


def meaning(student):
    return student.page.locator(".meaning")


def on_screen(locator):
    box = locator.bounding_box()
    size = locator.page.viewport_size
    assert box
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]
    return box


@pytest.mark.parametrize("screen", list(SCREENS))
def test_a_press_explains_a_word_beside_it_and_nothing_is_asked_of_the_server(
    browser, server, screen
):
    with students(browser, server, screen) as come:
        student = come("/attention?view=heads")
        head = word(student, "head")
        sent = frames_sent(student, head)
        head.scroll_into_view_if_needed()
        settle(student)
        sent.clear()
        if SCREENS[screen][1] < 900:
            head.dispatch_event("pointerdown", {"pointerType": "touch"})
        head.click()
        box = meaning(student)
        expect(box).to_contain_text(HEAD)
        expect(box).to_have_role("dialog")
        expect(box).to_have_accessible_name("head")
        expect(box).to_have_accessible_description(HEAD)
        expect(box).to_be_focused()
        shown, marked = on_screen(box), head.bounding_box()
        assert shown["y"] >= marked["y"] + marked["height"] or (
            shown["y"] + shown["height"] <= marked["y"]
        )
        assert not findings(student)
        head.click()  # once more closes it
        expect(box).to_be_hidden()
        head.click()
        expect(box).to_be_visible()
        student.page.locator(".st-key-heading h1").click()
        expect(box).to_be_hidden()
        assert sent == []


def test_by_keyboard_a_word_is_reached_opened_and_left_as_it_was(come):
    student = come("/attention?view=heads")
    settle(student)
    head = word(student, "head")
    head.focus()
    student.page.keyboard.press("Enter")
    box = meaning(student)
    expect(box).to_be_focused()
    student.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Close")).to_be_focused()
    student.page.keyboard.press("Enter")
    expect(box).to_be_hidden()
    expect(head).to_be_focused()
    student.page.keyboard.press("Enter")
    expect(box).to_be_visible()
    student.page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(head).to_be_focused()


def test_while_presenting_escape_closes_a_word_before_it_ends_the_presentation(come):
    student = come("/attention?view=heads")
    settle(student)
    student.bar.locator(".st-key-begin_presenting").get_by_role("button").click()
    expect(student.page.locator(".st-key-leave_presenting")).to_be_visible()
    settle(student)
    word(student, "head").click()
    box = meaning(student)
    expect(box).to_be_visible()
    letters = box.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
    assert letters >= 20
    on_screen(box)
    student.page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    settle(student)
    assert student.query["present"] == "true"
    student.page.keyboard.press("Escape")
    expect(student.page.locator(".st-key-begin_presenting")).to_be_visible()


def test_all_words_are_one_press_from_any_of_them_with_the_page_behind_it_kept(come):
    student = come("/attention?view=heads&hide=layer")
    settle(student)
    word(student, "head").click()
    meaning(student).get_by_role("link", name="All words").click()
    student.see_link(view="glossary", word="head")
    first = student.page.locator(".st-key-scrolled strong").first
    expect(first).to_have_text("head")
    student.page.go_back()
    expect(student.page).to_have_url(re.compile("/attention"))


def test_a_word_opens_in_a_tab_of_its_own_as_any_link_does(come):
    student = come("/attention?view=heads")
    settle(student)
    head = word(student, "head")
    with student.page.context.expect_page() as opened:
        head.click(modifiers=["ControlOrMeta"])
    expect(meaning(student)).to_be_hidden()
    expect(opened.value.locator(".st-key-scrolled strong").first).to_have_text("head")
    opened.value.close()


@pytest.mark.parametrize(
    ("link", "over"),
    [("/?view=research&paper=rope", "stDialog"), ("/attention", "stPopoverBody")],
)
def test_in_what_lies_over_the_page_a_word_is_explained_and_it_stays_open(come, link, over):
    student = come(link)
    settle(student)
    if over == "stPopoverBody":
        student.button("About").click()
    place = student.page.get_by_test_id(over)
    place.locator("a[href^='./?view=glossary&word=']").first.click()
    box = meaning(student)
    expect(box).to_be_focused()
    box.get_by_role("paragraph").click()
    expect(box).to_be_visible()
    student.page.keyboard.press("Tab")
    expect(box.get_by_role("button", name="Close")).to_be_focused()
    student.page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(place).to_be_visible()
