"""The Architecture page in a real browser: every view, and the picture by pointer and by keys."""

import re

import pytest
from app_in_browser import SCREENS, check_views, settle
from playwright.sync_api import expect

from explorer.architecture.views import VIEWS


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_is_drawn_and_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "architecture", VIEWS, screen, ready="view_{}")


def test_the_picture_is_read_by_pointer_and_keys_and_a_press_opens_a_part(come, tmp_path):
    student = come("/architecture")
    picture = student.page.get_by_role("group", name=re.compile("^The model: Token numbers"))
    tip = picture.locator(".tip")
    norm = picture.get_by_role("button", name=re.compile("^Last norm, RMSNorm, 64 parameters"))
    norm.hover()
    expect(tip).to_contain_text("g · x / √(mean(x²) + ε)")
    expect(tip).to_contain_text("norm.weight: 64")

    first = picture.get_by_role("button", name=re.compile("^Token numbers"))
    first.focus()
    first.press("ArrowDown")
    expect(tip).to_contain_text("E[token]")
    settle(student)
    student.page.keyboard.press("Enter")
    dialog = student.page.get_by_role("dialog")
    expect(dialog).to_contain_text("The model: Embedding")
    expect(dialog).to_contain_text("The live tensor")
    student.see_link(open="model.embedding")
    student.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    settle(student)
    assert "open" not in student.query

    saved = student.download("Save as SVG", tmp_path).read_text()
    assert saved.startswith("<svg")
    assert "Last norm" in saved
    assert "color-mix" not in saved


def test_a_toggle_redraws_the_picture_and_leads_to_the_train_page(come):
    student = come("/architecture")
    picture = student.page.get_by_role("group", name=re.compile("^The model: Token numbers"))
    turns = picture.get_by_role("button", name=re.compile("^Turn"))
    expect(turns).to_have_count(2)
    student.choose("Positions", "learned")
    expect(turns).to_have_count(0)
    expect(picture.get_by_role("button", name=re.compile(r"^\+ learned positions"))).to_be_visible()
    student.see_text("Differs from LLaMA in position: rope → learned, sizes aside.")
    student.page.get_by_test_id("stMain").get_by_role("link", name="Train this model").click()
    expect(student.page.get_by_role("heading", name="Train", level=1)).to_be_visible()
    student.see_link(position="learned")
