"""What several views of the Attention page need."""

from collections.abc import Callable

import streamlit as st

from explorer import link, showing
from explorer.components import reading_map
from explorer.inspection import Inspection
from explorer.stage import Stage


def choose_window(inspection: Inspection) -> int:
    """Let the student choose where the shown part of a long text begins."""
    n_tokens, most = len(inspection.reading["tokens"]), reading_map.MOST_TOKENS
    if n_tokens <= most:
        return 0
    last = n_tokens - most
    label = f"First of the {most} tokens shown"
    return int(link.widget(st.slider, "first", label, min_value=0, max_value=last))


def offer_page(stage: Stage, make_page: Callable[[], str]) -> None:
    """Offer a view as one file.

    Args:
        stage: of the view.
        make_page: writes it, called when it is asked for.
    """
    stage.below.download_button(
        "Stand-alone page (HTML)",
        data=lambda: make_page().encode(),
        file_name="attention.html",
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
        help="This view in one file that opens without the app and without a network.",
    )


def explain(stage: Stage, inspection: Inspection, layer: int, head: int) -> None:
    """Show formula, code and the pattern of one head."""
    path = f"blocks.{layer}.attention.pattern"
    trace = inspection.analyse("trace", text=inspection.text, patterns=[path])
    stage.explain(
        code="tiny_llama.parts.attentions.attention:Attention._pattern",
        tensor=showing.LiveTensor(path=path, axes="h t s", values=trace[path][head:]),
    )
