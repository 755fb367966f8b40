"""Has the page drawn anew where its theme turns from light to dark, or back, while it is open."""

from explorer.components.browser import part


def follow_theme() -> None:
    """Run the page once more when the browser's theme is another one than before.

    By itself Streamlit 1.67 gives a chart that is on the screen the letters of the new theme, and
    leaves lines and areas in the colours of the old one (its issue 11974).
    """
    mount = part("theme", css=False, isolate_styles=False)
    mount(key="theme", data={}, height=1, on_changed_change=lambda: None)
