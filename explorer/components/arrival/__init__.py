"""Has the browser show another page from its top."""

from explorer.components.browser import part


def arrive_at(page: str, about: str = "") -> None:
    """Scroll to the top when the page is another one than before, and to its link in the bar.

    Args:
        page: its name.
        about: what it shows, where it counts as another page for something else.
    """
    part("arrival", css=False)(key="arrival", data={"page": page, "about": about}, height=1)
