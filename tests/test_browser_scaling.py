"""The Scaling page in a real browser: every view, light and dark, wide and narrow."""

import pytest
from app_in_browser import SCREENS, check_views, settle

from explorer.scaling.views import VIEWS

pytestmark = pytest.mark.slow
PLOT = ".nsewdrag"
"""What a press on a Plotly chart's lines meets: as large as the room that they have."""


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_is_drawn_and_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "scaling", VIEWS, screen, ready="explain_{}")


def test_on_a_phone_the_map_has_more_room_than_its_legend(come):
    student = come("/scaling")
    student.page.set_viewport_size({"width": 390, "height": 844})
    settle(student)
    chart = student.page.locator(".st-key-law_map .js-plotly-plot")
    legend, plot = (chart.locator(part).first.bounding_box() for part in (".legend .bg", PLOT))
    assert plot["height"] > 3 * legend["height"]
