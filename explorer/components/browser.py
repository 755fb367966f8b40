"""How Streamlit learns of a browser-side part."""

from functools import cache
from typing import Any

import streamlit as st


@cache  # at import it would fail wherever Streamlit does not run, as in a test of what is sent
def part(name: str, *, html: str = "", css: bool = True, isolate_styles: bool = True) -> Any:
    """Register a part: its folder's script, which may import `../shared.js`, and its style.

    Args:
        name: of the folder and of its files; pyproject.toml must list it.
        html: what stands on the page until the script has drawn.
        css: whether the part has a style.
        isolate_styles: whether the style is for the part alone.
    """
    return st.components.v2.component(
        f"explorer.{name}",
        html=html,
        js=f"{name}/{name}.js",
        css=f"{name}/{name}.css" if css else None,
        isolate_styles=isolate_styles,
    )
