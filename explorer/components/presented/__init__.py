"""Has the picture of a page that is presented fit the screen, whatever words stand around it."""

from explorer.components.browser import part


def fit() -> None:
    """Leave the picture what the heading above it and the words under it do not take."""
    part("presented", css=False)(key="presented", data={}, height=1)
