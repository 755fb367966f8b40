"""A button that lets the page's picture fill the screen, until it or Escape is pressed."""

from explorer.components.browser import part


def offer() -> None:
    """Draw the button; what it does is done in the browser alone, and in no link."""
    part("full_size")(key="full_size", data={}, width="content", height="content")
