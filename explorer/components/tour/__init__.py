"""Shows what a stop of the tour speaks of: the page moves to it once, and the tour's box stays."""

from collections.abc import Sequence

from explorer.components.browser import part


def show_subject(stop: int, subject: Sequence[str]) -> None:
    """Scroll the page to a stop's subject, under the box, when the tour comes to this stop.

    Args:
        stop: its number; while it stays, the page is the student's.
        subject: keys of the elements that the stop speaks of, from the top down; where the screen
            has no room for all of them, the last ones are shown.
    """
    mount = part("tour", isolate_styles=False)
    mount(key="tour_subject", data={"stop": stop, "subject": list(subject)}, height=1)
