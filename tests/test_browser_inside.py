"""The pages that look inside, in a real browser: every view, light and dark, wide and narrow."""

import re
from importlib import import_module
from itertools import pairwise

import pytest
from app_in_browser import LONG, SCREENS, check_views, choose, frames_sent, link, settle
from conftest import PAGES, ROOT
from playwright.sync_api import expect

pytestmark = pytest.mark.slow
INSIDE = [name for name in PAGES if (ROOT / "explorer" / "inside" / name).is_dir()]


@pytest.mark.parametrize("screen", list(SCREENS))
@pytest.mark.parametrize("name", INSIDE)
def test_every_view_is_drawn_and_can_be_used_by_everybody(browser, server, name, screen):
    views = import_module(f"explorer.inside.{name}").VIEWS
    check_views(browser, server, name, views, screen, ready="explain_{}")


def test_every_page_opens_for_an_untrained_model_and_for_one_in_training(come):
    student = come(link(**LONG))
    student.train()
    run_id = student.run_id
    for name in INSIDE:
        for words in ("at=0", f"run={run_id}"):
            student.open(f"/{name}?{words}")
            expect(student.page.locator("[class*=st-key-explain_]")).to_be_visible()
            settle(student)
            expect(student.page.get_by_test_id("stException")).to_have_count(0)
            expect(student.page.get_by_test_id("stAlertContentError")).to_have_count(0)
    student.open(f"/train?run={run_id}")
    student.see("Training", since=1)


def test_a_head_is_opened_by_a_press_and_read_by_pointer_and_keys(come):
    student = come("/attention?run=repeat-llama")
    heads = student.page.get_by_role("group", name=re.compile("2 layers of 4 heads"))
    heads.get_by_role("button").filter(has_text=re.compile("Induction")).nth(2).click()
    student.see_link(view="head", head="2")  # in the layer that is usual for this model

    words = student.page.locator(".words")
    arcs = student.page.get_by_role("listbox")
    expect(arcs).to_be_visible()
    sent = frames_sent(student, arcs)
    arcs.focus()
    arcs.press("ArrowDown")
    arcs.press("ArrowDown")
    expect(words).to_contain_text("(1) reads with head 2")
    arcs.press("Enter")
    expect(words).to_contain_text("(kept)")
    arcs.press("End")
    expect(words).not_to_contain_text("(kept)")
    arcs.press("Escape")
    expect(words).to_contain_text("Point at a token")

    student.page.get_by_role("option").nth(20).hover()
    expect(words).to_contain_text("reads with head 2")
    student.page.get_by_role("button", name="3: Induction").click()
    student.page.get_by_role("option").nth(20).hover()
    expect(words).to_contain_text("; head 3:")
    assert not sent  # all of this happened in the browser

    while "view" in student.query:  # each word of the link is a step of its own
        student.page.go_back()
        settle(student)
    expect(heads).to_be_visible()


def test_a_view_is_saved_as_pictures_and_as_a_page_that_needs_no_server(come, browser, tmp_path):
    student = come("/attention?view=head&run=repeat-llama&layer=1")
    expect(student.page.get_by_role("listbox")).to_be_visible()
    svg = student.download("Save “Map: row reads from column” as SVG", tmp_path).read_text()
    assert svg.startswith("<svg")
    assert "color-mix" not in svg
    png = student.download("Save “Arcs: left reads from right” as PNG", tmp_path).read_bytes()
    assert png.startswith(b"\x89PNG")
    html = student.download("Stand-alone page (HTML)", tmp_path)

    student.open("/attention?run=repeat-llama")
    assert student.download("Save as PNG", tmp_path).read_bytes().startswith(b"\x89PNG")
    grid = student.download("Stand-alone page (HTML)", tmp_path / "grid")

    alone = browser.new_context(offline=True).new_page()
    troubles = []
    alone.on("pageerror", lambda error: troubles.append(str(error)))
    alone.goto(grid.as_uri())
    expect(alone.get_by_role("button").filter(has_text=re.compile("Induction"))).to_have_count(4)
    alone.goto(html.as_uri())
    alone.get_by_role("option").nth(20).hover()
    expect(alone.locator(".words")).to_contain_text("reads with head 1")
    assert not troubles
    alone.context.close()


def test_the_time_machine_plays_from_the_first_step_to_the_last(come):
    student = come("/attention?view=time&run=repeat-llama&layer=1&head=1")
    slider = student.page.get_by_role("slider", name="Training step", exact=True)
    expect(slider).to_have_attribute("aria-valuetext", "Step 2,000")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "Step 0")
    student.page.get_by_role("button", name="Play").click()
    expect(student.page.get_by_role("button", name="Pause")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", "Step 2,000")
    expect(student.page.get_by_role("button", name="Play")).to_be_visible()


def test_a_run_is_looked_into_while_it_trains_and_again_later(come):
    student = come(link(**LONG))
    student.train()
    run_id = student.run_id
    student.bar.get_by_role("link", name="Attention", exact=True).click()
    step = re.compile(r" · step ([\d,]+)")
    said = student.page.get_by_text(step)
    expect(said).to_be_visible()
    before = int(step.search(said.inner_text())[1].replace(",", ""))
    choose(student, "One head")
    expect(said).to_contain_text(f" · step {before:,}")
    student.press("Look again")
    expect(said).not_to_contain_text(f" · step {before:,}")
    assert student.run_id == run_id
    student.bar.get_by_role("link", name="Train", exact=True).click()
    student.see("Training", since=before)


def test_why_a_view_has_nothing_to_show_stands_where_its_picture_would(come):
    student = come("/rotary?view=conventions&run=tales-gpt3")
    picture = student.page.locator(".st-key-picture")
    expect(picture.get_by_text("Nothing turns in this model")).to_be_visible()
    expect(picture.get_by_role("button", name="Look at tales-llama")).to_be_visible()


CLOCKS = "document.querySelector('.st-key-clocks .scatterlayer path').getBoundingClientRect().width"


def test_clocks_grow_with_the_screen(come):
    student = come("/rotary?view=rotation")
    clocks = student.page.locator(".st-key-clocks .scatterlayer path").first
    expect(clocks).to_be_visible()
    settle(student)
    before = student.page.evaluate(CLOCKS)
    student.page.set_viewport_size({"width": 1920, "height": 1080})
    student.page.wait_for_function(f"{CLOCKS} > {1.5 * before}")


NAMES = """() => [...document.querySelectorAll(".st-key-unit_map .xaxislayer-above .xtick text")]
  .map(each => each.getBoundingClientRect()).map(({ left, right }) => [left, right])"""


def test_as_many_tokens_are_named_as_there_is_room_for(come):
    student = come("/norm_and_swiglu?view=gate")
    named = student.page.locator(".st-key-unit_map .xaxislayer-above .xtick text")
    expect(named).to_have_count(40)
    _check_apart(student)
    student.page.keyboard.press("p")
    expect(named).to_have_count(20)  # larger letters
    _check_apart(student)


def _check_apart(student):
    settle(student)
    names = sorted(student.page.evaluate(NAMES))
    # Names stand upright: a line of them is four pixels higher than its letters.
    assert all(before[1] <= after[0] + 1 for before, after in pairwise(names))
