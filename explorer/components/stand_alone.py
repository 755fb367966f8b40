"""A browser-side part in one HTML file, which opens without this app and without a network."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any


def stand_alone(folder: Path, name: str, function: str, title: str, data: Mapping[str, Any]) -> str:
    """Pack a component's script and style with what it shows.

    Args:
        folder: where the component's files are.
        name: of the files, without their endings.
        function: what the script exports.
        title: of the page.
        data: what the component is given.
    """
    script = (folder / f"{name}.js").read_text(encoding="utf-8")
    return _PAGE.format(
        title=escape(title),
        style=_THEME + (folder / f"{name}.css").read_text(encoding="utf-8"),
        script=script.replace("export default function", "function"),
        function=function,
        data=json.dumps(data).replace("<", "\\u003c"),
    )


_THEME = """
:root {
  --st-text-color: #0E1620; --st-background-color: #FFFFFF; --st-border-color: #C9D0D9;
  --st-secondary-background-color: #F3F5F8; --st-primary-color: #00639C;
}
@media (prefers-color-scheme: dark) {
  :root {
    --st-text-color: #E8EDF3; --st-background-color: #10161F; --st-border-color: #3A4656;
    --st-secondary-background-color: #1A2330; --st-primary-color: #56B4E9;
    --st-chart-categorical-colors: #56B4E9,#E69F00,#009E73,#CC79A7,#D55E00,#0072B2;
    --st-chart-sequential-colors: #16202D,#1B5A87,#62A7D8,#E8F4FC;
  }
}
body { margin: 24px; background: var(--st-background-color); color: var(--st-text-color);
  font-family: system-ui, sans-serif; }
"""
"""As the app's own, which such a page does not have."""
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
