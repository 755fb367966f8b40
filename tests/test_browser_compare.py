"""The Compare page in a real browser: every view, light and dark, wide and narrow; choices."""

import re

import pytest
from app_in_browser import SCREENS, check_views, settle
from playwright.sync_api import expect

from explorer.compare import VIEWS, tasks
from explorer.compare.tasks import MODELS
from explorer.recorded import recorded

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_of_compare_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "compare", VIEWS, screen)


def test_the_race_is_drawn_along_another_axis_and_found_again_by_the_link(come):
    student = come("/compare")
    charts = student.page.locator(".st-key-picture").get_by_test_id("stPlotlyChart")

    def is_along(title: str) -> None:  # for a moment the chart from before stands beside the new
        expect(charts.filter(has_text=title)).to_have_count(1)
        expect(charts).to_have_count(1)

    is_along("Step")
    student.page.get_by_role("radio", name="FLOPs", exact=True).click()
    student.see_link(along="flops")
    is_along("Operations (FLOP)")
    student.page.reload()
    is_along("Operations (FLOP)")


def test_a_side_of_the_race_opens_on_train(come):
    student = come("/compare")
    settle(student)
    student.press("Open both")
    student.page.get_by_role("link", name="Train GPT-3 style as here").click()
    expect(student.page).to_have_title(re.compile("^Train"))
    student.see_link(preset="tiny-gpt3")


def test_a_press_on_a_cell_of_the_tasks_opens_it(come):
    student = come("/compare?view=tasks")
    settle(student)
    table = tasks.Table(recorded("tasks").results)
    numbers = student.page.locator(".st-key-picture .heatmap-label")
    for row, column in ((3, 2), (1, 0)):
        expect(numbers).to_have_count(len(table.tasks) * len(table.models))
        box = numbers.nth(row * len(table.models) + column).bounding_box()
        assert box
        student.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        student.see_link(task=table.tasks[row], lacking=table.models[column])
        said = student.page.get_by_text(MODELS[table.models[column]].capitalize(), exact=True)
        expect(said).to_be_visible()
        settle(student)
