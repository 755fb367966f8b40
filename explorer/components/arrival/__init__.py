"""Has the browser show another page from its top."""

from explorer.components.browser import part


def arrive_at(page: str) -> None:
    """Scroll to the top when the page is another one than before, and to its link in the bar.

    Args:
        page: its name.
    """
    part("arrival", css=False)(key="arrival", data={"page": page}, height=1)
