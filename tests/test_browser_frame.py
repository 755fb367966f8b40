"""The frame in a real browser: presenting by key, sharing, pages from their top, one's own run."""

import re

import pytest
from app_in_browser import LONG, link, settle
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_a_key_presents_the_picture_and_escape_ends_it(come):
    student = come("/attention?view=stages")
    picture = student.page.locator(".st-key-picture")
    expect(picture.get_by_test_id("stPlotlyChart")).to_be_visible()
    links = student.bar.get_by_role("link", name="Train", exact=True)
    expect(links).to_be_visible()
    before = picture.bounding_box()
    settle(student)
    student.page.keyboard.press("p")
    student.see_link(present="true")
    expect(links).to_be_hidden()
    expect(student.page.locator(".st-key-controls")).to_be_hidden()
    after = picture.bounding_box()
    assert before
    assert after
    assert after["width"] > 1.2 * before["width"]
    letters = picture.locator("[class*=tick] text").first
    assert letters.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") >= 20

    student.rest()
    student.page.keyboard.press("Escape")
    expect(links).to_be_visible()
    assert "present" not in student.query


def test_another_page_opens_at_its_top_and_is_marked_in_the_bar(come):
    student = come("/architecture?view=components")
    main = student.page.get_by_test_id("stMain")
    settle(student)
    main.evaluate("each => each.scrollTo(0, 700)")
    student.bar.get_by_role("link", name="Rotary embeddings", exact=True).click()
    expect(student.page).to_have_title(re.compile("^Rotary embeddings"))
    settle(student)
    assert main.evaluate("each => each.scrollTop") == 0
    here = student.bar.locator("a[aria-current=page]:visible")
    expect(here).to_have_text("Rotary embeddings")


def test_a_shared_link_opens_the_same_view_without_the_controls_that_it_hides(come):
    student = come("/attention?view=head&layer=2")
    settle(student)
    student.bar.get_by_role("button", name="Share").click()
    dialog = student.page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_be_visible()
    box = dialog.get_by_role("combobox")
    box.click()
    student.page.get_by_role("option", name="Layer", exact=True).click()
    shared = dialog.get_by_test_id("stCode")
    expect(shared).to_contain_text("hide=layer")
    address = shared.inner_text().strip()
    assert address.startswith(student.server.address)

    other = come(address.removeprefix(student.server.address))
    expect(other.widget("Head")).to_be_visible()
    expect(other.widget("Layer")).to_have_count(0)
    expect(other.page.locator(".reading")).to_be_visible()


def test_in_a_new_tab_a_students_own_run_is_one_press_away(come):
    student = come(link(**LONG))
    student.train()
    other = come("/attention", beside=student)
    other.bar.get_by_role("button", name="Your run trains").click()
    other.see_link(run=student.run_id)
