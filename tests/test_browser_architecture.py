"""The Architecture page in a real browser: every view, and the picture by pointer and by keys."""

import re

import pytest
from app_in_browser import SCREENS, check_views, settle
from playwright.sync_api import expect

from explorer.architecture.views import VIEWS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_is_drawn_and_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "architecture", VIEWS, screen, ready="picture")


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
    expect(picture.get_by_role("button", name=re.compile("^Embedding"))).to_be_focused()

    saved = student.download("Save as SVG", tmp_path).read_text()
    assert saved.startswith("<svg")
    assert "Last norm" in saved
    assert "color-mix" not in saved


@pytest.mark.parametrize("preset", ["tiny-llama", "gpt3-175b"])
def test_choices_and_the_whole_picture_are_seen_together_on_a_projector(come, preset):
    student = come(f"/architecture?preset={preset}")
    student.page.set_viewport_size({"width": 1280, "height": 720})
    settle(student)
    for label in ("Model to begin with", "Norm", "Positions", "Attention", "Feed-forward"):
        expect(student.widget(label)).to_be_in_viewport(ratio=1)
    panels = student.page.locator(".panel svg")
    expect(panels).to_have_count(4)
    for panel in panels.all():
        expect(panel).to_be_in_viewport(ratio=1)
    sizes = student.page.locator(".panel svg text").evaluate_all(LETTERS)
    assert min(sizes) >= 13.9, sizes
    width = panels.first.bounding_box()["width"]
    student.press("Full size")
    settle(student)
    assert panels.first.bounding_box()["width"] > 1.3 * width


LETTERS = """texts => texts.map(each =>
  parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a)"""
"""How large letters are as they are drawn."""


def test_on_a_phone_the_picture_comes_first_and_its_toggles_under_it(come):
    student = come("/architecture")
    student.page.set_viewport_size({"width": 390, "height": 800})
    settle(student)
    tabs = student.page.get_by_role("radio", name="The picture", exact=True)
    expect(tabs).to_be_in_viewport()
    panel = student.page.locator(".panel svg").first
    expect(panel).to_be_in_viewport()
    above, below = panel.bounding_box(), student.widget("Model to begin with").bounding_box()
    assert above["y"] + above["height"] < below["y"]
    student.choose("Positions", "learned")
    student.see_text("Differs from LLaMA in Positions: rope → learned, sizes aside.")


def test_beside_costs_parts_and_sizes_are_one_press_away(come):
    student = come("/architecture?view=parameters&preset=llama-1-7b")
    expect(student.widget("Norm")).to_be_hidden()
    student.page.get_by_role("button", name="Parts and sizes").click()
    norm = student.page.get_by_role("combobox", name="Norm", exact=True)
    expect(norm).to_be_visible()
    norm.click()
    student.page.get_by_role("option", name="layernorm", exact=True).click()
    student.see_link(norm="layernorm")
    student.see_text("LLaMA 7B, changed: 6,738,681,856 parameters")


def test_a_toggle_redraws_the_picture_and_leads_to_the_train_page(come):
    student = come("/architecture")
    picture = student.page.get_by_role("group", name=re.compile("^The model: Token numbers"))
    turns = picture.get_by_role("button", name=re.compile("^Turn"))
    expect(turns).to_have_count(2)
    student.choose("Positions", "learned")
    expect(turns).to_have_count(0)
    expect(picture.get_by_role("button", name=re.compile(r"^\+ learned positions"))).to_be_visible()
    student.see_text("Differs from LLaMA in Positions: rope → learned, sizes aside.")
    student.page.get_by_test_id("stMain").get_by_role("link", name="Train this model").click()
    expect(student.page.get_by_role("heading", name="Train", level=1)).to_be_visible()
    student.see_link(position="learned")
