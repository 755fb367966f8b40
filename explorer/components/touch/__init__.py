"""Explains a word of the glossary where it stands, when it is pressed; no page is drawn anew."""

from collections.abc import Mapping

from explorer.components.browser import part


def explain_words(meanings: Mapping[str, str]) -> str:
    """Have words in the page's prose that are links to the glossary open what they mean.

    Args:
        meanings: plain text, by word.

    Returns:
        The word for which the student has just asked for the whole glossary; empty: for none.
    """
    mount = part("touch", isolate_styles=False)
    shown = mount(
        key="touch", data={"meanings": dict(meanings)}, height=1, on_asked_change=lambda: None
    )
    return str(shown.asked or "")
