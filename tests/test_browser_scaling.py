"""The Scaling page in a real browser: every view, light and dark, wide and narrow."""

import pytest
from app_in_browser import SCREENS, check_views

from explorer.scaling.views import VIEWS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("screen", list(SCREENS))
def test_every_view_is_drawn_and_can_be_used_by_everybody(browser, server, screen):
    check_views(browser, server, "scaling", VIEWS, screen, ready="explain_{}")
