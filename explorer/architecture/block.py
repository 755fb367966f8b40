"""The picture of the model, and the part that was pressed: its formula, running code and tensor."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import prod

import numpy as np
import streamlit as st

from explorer import content, glossary, link, presentation, session, showing
from explorer.architecture.widgets import summary
from explorer.components.block_diagram import block_diagram, times
from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.inspection import example_text
from explorer.source import has_source
from explorer.stage import Stage
from explorer.widgets import choose_layer
from tiny_llama.analyses.room import check_size
from tiny_llama.config import ModelConfig
from tiny_llama.diagram import AXES, Box, Panel, Wire, diagram, kinds_of_layers
from tiny_llama.errors import UserError
from tiny_llama.menu import CHOICES, MENU, POSITION
from tiny_llama.setup import Setup

N_TOKENS = 16
"""What a model reads just for a look."""


def show(stage: Stage, setup: Setup, preset: str) -> None:
    """Draw the model, and open the box that was pressed."""
    config = setup.model
    with stage.controls:
        layer = _layer(config)
    panels = diagram(config, layer=layer)
    places = {f"{panel.name}.{box.name}": (panel, box) for panel in panels for box in panel.boxes}
    opened = link.value("open", among=["", *places])
    block_diagram(
        panels,
        key="block_diagram",
        formulas=content.formulas(),
        opened=(places[opened][0].name, places[opened][1].name) if opened else None,
        open_box=_press,
        is_presented=presentation.is_on(),
    )
    st.caption(summary(config, preset))
    if not presentation.is_on():
        st.caption(_legend(panels))
    if opened:
        panel, box = places[opened]
        title = f"{panel.title}: {box.title}"
        st.dialog(title, width="large", on_dismiss=_close)(_show_box)(config, panel, box)


def _close() -> None:
    link.put(open="")


def _press(panel: str, box: str) -> None:
    link.put(open=f"{panel}.{box}")


def _layer(config: ModelConfig) -> int:
    """Let the student choose the layer to open, where they are not all alike."""
    if len(kinds_of_layers(config)) < 2:
        return 0
    return choose_layer(config.n_layers)


def _legend(panels: Sequence[Panel]) -> str:
    """Say what the letters on the wires stand for, with their sizes here."""
    sizes = {
        letter: size
        for panel in panels
        for wire in panel.wires
        for letter, size in zip(wire.axes.split(), wire.shape, strict=True)
    }
    words = (
        f"**{letter}** {AXES[letter]}: {sizes[letter]:,}" for letter in AXES if letter in sizes
    )
    return " · ".join(words)


# The part that was pressed.


def _show_box(config: ModelConfig, panel: Panel, box: Box) -> None:
    words, running = st.columns(2, gap="large")
    with words:
        if formula := content.formulas().get((box.part, box.step)):
            st.code(formula, language=None, wrap_lines=True)
        glossary.say(_words(config, box.part))
        _show_weights(box)
    with running:
        showing.show_code(code_of(config, box))
        if wire := leaving(panel, box):
            _show_tensor(config, wire)


def _words(config: ModelConfig, part: str) -> str:
    """Give the card of the model's option in this slot, or the words about this part."""
    if part in MENU or part in CHOICES:
        return content.card(part, getattr(config, part))
    return content.part(part)


def _show_weights(box: Box) -> None:
    if not box.weights:
        return
    alike = Counter((re.sub(_NUMBER, "*", path), shape) for path, shape in box.weights.items())
    rows = [["Learned", "Shape", "Numbers"]]
    for (path, shape), n in alike.items():
        each = f"{n:,} × " if n > 1 else ""
        rows.append([f"`{path}`", f"{each}{times(shape)}", f"{n * prod(shape):,}"])
    st.markdown(showing.markdown_table(rows, "lrr"))


_NUMBER = r"\b\d+\b"
"""Of an expert, which are alike: one line for all of them."""


def leaving(panel: Panel, box: Box) -> Wire | None:
    """Find a wire that carries away what a box makes, if a recording finds it."""
    return next((wire for wire in panel.wires if wire.start == box.name and wire.path), None)


def code_of(config: ModelConfig, box: Box) -> str:
    """Say where the code of a box is; see `explorer.source`."""
    if where := _CODE.get((box.part, box.step)) or _CODE.get((box.part, "")):
        return where
    slot = _SLOTS.get(box.part, box.part)
    own = MENU[slot][getattr(config, slot)].where
    method = _method(config, box)
    return f"{own}.{method}" if method and has_source(f"{own}.{method}") else own


def _method(config: ModelConfig, box: Box) -> str:
    """Name the method of an option's class that computes a box; empty: all of it."""
    if box.part == "position":
        return "rotate" if POSITION[config.position].turns else ""
    if box.part == "feed_forward":
        return "activate" if box.step.startswith("act_") else "forward"
    return _METHODS.get((box.part, box.step)) or _METHODS.get((box.part, ""), "")


def _show_tensor(config: ModelConfig, wire: Wire) -> None:
    """Show the numbers on a wire, in the current model or in an untrained one."""
    run = _current(config)
    try:
        if run is None:
            check_size(config)  # nobody should wait until a worker is free to refuse
        with st.spinner("Looking", show_time=True):
            values, whose = _ask(run, config, wire.path)
    except UserError as error:
        st.caption(content.escaped(str(error)))
        return
    st.caption(whose)
    showing.show_tensor(showing.LiveTensor(path=wire.path, axes=wire.axes, values=values))


def _current(config: ModelConfig) -> Run | None:
    """Find the run that all pages look at, if its model is made so and can be asked."""
    run = session.current_run()
    if run is None or run.status == RunState.STARTING or not _is_made_so(run, config):
        return None
    return run


def _ask(run: Run | None, config: ModelConfig, path: str) -> tuple[np.ndarray, str]:
    if run:
        text = example_text(run)
        answer = session.engine().analyse(
            run.id, "trace", owner=session.owner(), text=text, patterns=[path]
        )
        who = f"The model in the bar, which has these parts and sizes, after step {answer.step:,}"
        return answer[path], f"{who}, reading: {content.escaped(text[:60])}"
    answer = session.engine().analyse(
        "",
        "fresh",
        owner=session.owner(),
        model=asdict(config),
        path=path,
        n_tokens=N_TOKENS,
    )
    return answer["tensor"], f"A new model of this setup, untrained, reading {N_TOKENS} tokens."


def _is_made_so(run: Run, config: ModelConfig) -> bool:
    """Tell whether a run's model has these parts and sizes, its vocabulary and start aside."""
    ignored = ("vocab_size", "dropout", "init_std", "embedding_std", "scaled_residual_init")
    theirs = {name: getattr(config, name) for name in ignored}
    return replace(run.setup.model, **theirs) == config


_ATTENTION, _MODEL = "tiny_llama.parts.attentions.attention", "tiny_llama.model"
_CODE: Mapping[tuple[str, str], str] = {
    ("embedding", ""): f"{_MODEL}:TinyLlama.embed",
    ("unembedding", ""): f"{_MODEL}:TinyLlama.unembed",
    ("unembedding", "softcap"): f"{_MODEL}:TinyLlama._cap",
    ("residual", ""): f"{_MODEL}:Block.forward",
    ("block", ""): f"{_MODEL}:Block.forward",
    ("attention", "mask"): f"{_ATTENTION}:_hide",
}
"""Where a part's code is, and where that of a step is elsewhere, whatever the options are."""
_SLOTS = {"qk_norm": "attention"}
"""The slot whose option runs a part that is none."""
_METHODS: Mapping[tuple[str, str], str] = {
    ("qk_norm", ""): "_project",
    ("attention", ""): "forward",
    ("attention", "to_qkv"): "_project",
    ("attention", "scores"): "_pattern",
    ("attention", "softcap"): "_pattern",
    ("attention", "softmax"): "_pattern",
    ("attention", "heads"): "_read_step_by_step",
}
"""Which method of an option's class a step is, or a whole part."""
