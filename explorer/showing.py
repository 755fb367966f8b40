"""How a view is shown: its words, its picture, and formula, running code and live tensor."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import streamlit as st

from explorer import content, session
from explorer.figures.labels import visible
from explorer.figures.picture import Picture
from explorer.source import source
from tiny_llama.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class LiveTensor:
    """An activation to show: where it is in the model, what its axes are, and its numbers."""

    path: str
    axes: str
    """The letters of HOUSE style, as "h t s"."""
    values: np.ndarray


def choose_view(views: Mapping[str, str], key: str = "view") -> str:
    """Let the student choose what to see, by title; its name is in the link.

    Args:
        views: titles by name; the first one is the usual.
        key: widget and word of the link.
    """
    names = list(views)
    session.take_from_link(key, names, usual=names[0])
    chosen = st.segmented_control(
        "What to see",
        names,
        required=True,
        format_func=lambda name: views.get(name, name),
        key=key,
        label_visibility="collapsed",
    )
    session.put_into_link(key, str(chosen), usual=names[0])
    return str(chosen)


def choose_head(config: ModelConfig) -> tuple[int, int]:
    """Let the student choose one head of a model, counted from 0; the choice is in the link.

    Ends the page where there is none.
    """
    if not (config.has_attention and config.n_layers):
        stop(
            f"This model has no attention to look at (attention='{config.attention}', "
            f"n_layers={config.n_layers}); choose another model in the sidebar."
        )
    layer, head = st.columns(2)
    with layer:
        chosen_layer = choose_layer(config.n_layers)
    with head:
        chosen_head = choose_index("head", "Head", config.n_heads)
    return chosen_layer, chosen_head


def choose_layer(n_layers: int) -> int:
    """Let the student choose a layer, counted from 0; the choice is in the link."""
    return choose_index("layer", "Layer", n_layers)


def choose_place(key: str, label: str, tokens: Sequence[str]) -> int:
    """Let the student choose a token of the text by its place, at first the last one."""
    last = len(tokens) - 1
    if last < 1:
        return 0
    place = session.keep_between(key, 0, last)
    titled = f"{label}: {content.escaped(visible(tokens[last if place is None else place]))}"
    return int(st.slider(titled, 0, last, last, key=key, bind="query-params"))


def choose_index(key: str, label: str, n: int) -> int:
    """One of n things, counted from 0; a choice that another model does not have is the first."""
    options = list(range(n))
    session.take_from_link(key, options, usual=0)
    chosen = int(st.selectbox(label, options, key=key))
    session.put_into_link(key, chosen, usual=0)
    return chosen


def stop(why: str) -> NoReturn:
    """Say why there is nothing to see, and end the page."""
    st.error(content.escaped(why), icon=":material/error:")
    st.stop()


def tiles(numbers: Mapping[str, str]) -> None:
    """Show numbers side by side, each under its label."""
    with st.container(horizontal=True):
        for label, number in numbers.items():
            st.metric(label, number, border=True)


def markdown_table(rows: Sequence[Sequence[str]], align: str) -> str:
    """A table in Markdown.

    Args:
        rows: cells in Markdown, the heads first.
        align: a letter for each column, `l` for words and `r` for numbers.
    """
    heads, *others = (f"| {' | '.join(row)} |" for row in rows)
    marks = " | ".join({"l": "---", "r": "---:"}[letter] for letter in align)
    return "\n".join([heads, f"| {marks} |", *others])


def introduce(page: str, view: str) -> None:
    """Say what to look at, and one thing to do."""
    words = content.inside(page, view)
    st.markdown(words.look)
    st.markdown(f":material/touch_app: **Try it:** {words.try_it}")


def cite_all(rows: Iterable[Mapping[str, Any]]) -> None:
    """Say where the rows of a table of facts come from, each source once."""
    for origin, confidence in dict.fromkeys((row["source"], row["confidence"]) for row in rows):
        st.caption(content.cited(origin, confidence))


def draw(picture: Picture, *, key: str) -> None:
    """Draw a picture in the page's theme, with its words for who does not see it.

    The camera button above it saves it as SVG.
    """
    st.plotly_chart(
        picture.figure,
        key=key,
        alt=picture.alt,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": "svg", "filename": key},
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
    )


def explain(page: str, view: str, *, code: str, tensor: LiveTensor | None = None) -> None:
    """Lay formula, running code and live tensor side by side, folded until wanted.

    Args:
        page: as in `content.inside`.
        view: as in `content.inside`.
        code: where the code is; see `explorer.source`.
        tensor: what this code has just computed.
    """
    with st.expander("Formula, code and tensor", icon=":material/function:", key=f"explain_{view}"):
        formula, running = st.columns(2, gap="large")
        with formula:
            st.markdown(content.inside(page, view).formula)
            if tensor is not None:
                show_tensor(tensor)
        with running:
            show_code(code)


def show_code(where: str) -> None:
    """Show a piece of the running code; see `explorer.source`."""
    found = source(where)
    st.caption(f"The code that runs: `{found.path}`, from line {found.line}")
    st.code(found.code, language="python", wrap_lines=True)


def show_tensor(tensor: LiveTensor) -> None:
    """Show an activation: its path, shape and first numbers."""
    values = tensor.values
    sizes = " × ".join(f"{size:,}" for size in values.shape)
    first = values[(0,) * (values.ndim - 2)]
    part = ", its first matrix" if first.ndim < values.ndim else ""
    st.caption(f"The live tensor `{tensor.path}`: `{tensor.axes}` = {sizes}, {values.dtype}{part}")
    with np.printoptions(precision=2, suppress=True, threshold=60, edgeitems=3, linewidth=60):
        st.code(str(first), language=None)
