"""A browser-side part in one HTML file, which opens without this app and without a network."""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st


def stand_alone(folder: Path, name: str, function: str, title: str, data: Mapping[str, Any]) -> str:
    """Pack a part's script and style, and those that they import, with what it shows.

    Args:
        folder: where the part's files are.
        name: of the files, without their endings.
        function: what the script exports.
        title: of the page.
        data: what the part is given.
    """
    return _PAGE.format(
        title=escape(title),
        style=_theme() + _packed(folder / f"{name}.css"),
        script=_packed(folder / f"{name}.js"),
        function=function,
        data=json.dumps(data).replace("<", "\\u003c"),
    )


_IMPORT = re.compile(r'^(?:@import|import \{[^}]*\} from) "(.*)";?\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:default )?", re.MULTILINE)


def _packed(path: Path) -> str:
    """Give a script or a style with what it imports before it; no name may stand in both."""
    text = path.read_text(encoding="utf-8")
    imported = [_packed(path.parent / place) for place in _IMPORT.findall(text)]
    return "".join([*imported, _EXPORT.sub("", _IMPORT.sub("", text))])


_NAMES = {
    "text-color": "textColor",
    "background-color": "backgroundColor",
    "secondary-background-color": "secondaryBackgroundColor",
    "primary-color": "primaryColor",
    "chart-categorical-colors": "chartCategoricalColors",
    "chart-sequential-colors": "chartSequentialColors",
}
"""Streamlit's settings by the names under which a part finds them in its style."""


def _theme() -> str:
    """Give the app's own colours, light or dark as the reader likes it."""
    return _THEME.format(light=_colours("light"), dark=_colours("dark"))


def _colours(kind: str) -> str:
    found = {name: st.get_option(f"theme.{kind}.{option}") for name, option in _NAMES.items()}
    return " ".join(
        f"--st-{name}: {','.join(colour) if isinstance(colour, list) else colour};"
        for name, colour in found.items()
        if colour
    )


_THEME = """
:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
:root {{
  color-scheme: light dark;
  --st-border-color: color-mix(in srgb, var(--st-text-color) 22%, var(--st-background-color));
}}
body {{ margin: 24px; background: var(--st-background-color); color: var(--st-text-color);
  font-family: system-ui, sans-serif; }}
"""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<div id="view"></div>
<script type="module">
{script}
const parentElement = document.getElementById("view")
{function}({{ data: {data}, parentElement, setTriggerValue() {{}} }})
</script>
</html>
"""
