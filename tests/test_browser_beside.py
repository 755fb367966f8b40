"""Two models side by side, in a real browser: every view that takes two, in two screens."""

import re
from importlib import import_module

import pytest
from app_in_browser import SCREENS, check_views, settle
from conftest import PAGES, ROOT
from playwright.sync_api import expect

pytestmark = pytest.mark.slow
BESIDE = "beside=tales-gpt3"
INSIDE = [name for name in PAGES if (ROOT / "explorer" / "inside" / name).is_dir()]
TWO = {
    name: [view for view in import_module(f"explorer.inside.{name}").VIEWS if view.takes_two]
    for name in INSIDE
}


@pytest.mark.parametrize("screen", list(SCREENS))
@pytest.mark.parametrize("name", [name for name, views in TWO.items() if views])
def test_every_view_that_takes_two_is_drawn_and_can_be_used_by_everybody(
    browser, server, name, screen
):
    check_views(browser, server, f"{name}?{BESIDE}", TWO[name], screen, ready="explain_{}")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_maps_of_two_models_stand_side_by_side_or_one_under_the_other(come, width, height):
    student = come("/attention?view=head")
    student.page.set_viewport_size({"width": width, "height": height})
    settle(student)
    alone = student.page.locator(".reading").first.bounding_box()
    student.choose("Model beside it", "Beside it: tales-gpt3, shipped")
    student.see_link(beside="tales-gpt3")
    expect(student.page.locator(".reading")).to_have_count(2)
    settle(student)
    one, other = (each.bounding_box() for each in student.page.locator(".reading").all())
    assert one["width"] == pytest.approx(other["width"], abs=2)
    if width > 900:
        assert one["y"] == pytest.approx(other["y"], abs=2)
        assert one["x"] + one["width"] <= other["x"]
    else:
        assert one["y"] + one["height"] <= other["y"]
        assert one["width"] == pytest.approx(alone["width"], abs=2)
    picture = student.page.locator(".st-key-picture")
    for name in ("tales-llama", "tales-gpt3"):
        expect(picture.get_by_text(name, exact=True)).to_be_visible()


def test_from_compare_both_models_are_opened_side_by_side(come):
    student = come("/compare")
    settle(student)
    student.press("Open both")
    student.page.get_by_role("link", name="Attention of both").click()
    student.see_link(run="tales-llama", beside="tales-gpt3")
    grids = student.page.get_by_role("group", name=re.compile("3 layers of 4 heads"))
    expect(grids).to_have_count(2)
    settle(student)
    grids.nth(1).get_by_role("button", name=re.compile("1: ")).nth(1).click()
    student.see_link(view="head", layer="1", head="1")
    expect(student.page.locator(".reading")).to_have_count(2)
