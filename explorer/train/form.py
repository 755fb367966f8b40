"""The form of the Train page: what to train, the button that starts it, and why it cannot."""

from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, controls, link, run_actions, session
from explorer.engine.run import BROWSER
from explorer.family.tree import ROOT
from explorer.run_actions import Wanted
from explorer.settings import describe, label_in_line, value_in_words
from explorer.train import in_browser
from tiny_llama.config import ModelConfig
from tiny_llama.errors import UserError
from tiny_llama.miniatures import real_models
from tiny_llama.presets import find_preset
from tiny_llama.setup import Setup, changes
from tiny_llama.tokenizers.characters import CharacterTokenizer
from tiny_llama.tokenizers.sentence_piece import (
    DEFAULT_VOCAB_SIZE,
    SentencePieceTokenizer,
    share_in_bytes,
)

# Bold, since no colour of a primary button is readable on dark as well as beneath white letters.
MOST_CHANGES = 2
"""That are said beside the form; the block under them shows all."""
MUCH_IN_BYTES = 0.05
"""The share of a text's characters that may be spelled in bytes without a word about it."""
MOST_LOOKED_AT = 50_000
"""Characters of a text by which that is judged, at every run of the page."""
MANY_READINGS = 20
"""Of a text, beyond which a model begins to know it by heart."""
_OUT_OF_RANGE = (
    ":red[:material/error: A number with a red edge is out of its range and would not be what "
    "trains; correct it.]"
)
_TRAIN, _ICON = "**Train**", ":material/play_circle:"


def show() -> Wanted | None:
    """Draw the form; start a run when the button is pressed.

    Returns:
        What the widgets ask for; None while it cannot be trained.
    """
    st.html(Path(__file__).with_name("page.css"))
    choices = st.container(gap="small")
    with st.container(key="where_it_trains"):
        place = in_browser.choose()
    row = st.container(horizontal=True, vertical_alignment="bottom", key="steps_and_train")
    with choices:
        chosen = controls.basics(steps_in=row)
    button, notes = row.container(width=120), st.container(gap="xsmall")
    with notes.container(key="not_sent"):
        st.markdown(_OUT_OF_RANGE)
    return _wanted(chosen, place, button, notes)


def _wanted(
    chosen: controls.Basics, place: str, button: DeltaGenerator, notes: DeltaGenerator
) -> Wanted | None:
    try:
        setup = controls.details(chosen)
        if place == BROWSER:
            in_browser.check(setup)
        wanted = Wanted(setup=setup, text=chosen.checked_text(), place=place)
    except UserError as error:
        button.button(_TRAIN, icon=_ICON, width="stretch", key="cannot_train", disabled=True)
        notes.error(str(error), icon=":material/error:")
        return None
    if name := _real_name(wanted.setup.model):
        notes.caption(f"**{content.escaped(name)} in small**")
    if wanted.text is not None and (n_readings := _readings(wanted)) > MANY_READINGS:
        notes.caption(
            f":material/psychology: The text is read some {n_readings:,} times; a short one is "
            f"then learned by heart. Watch the held-out loss rise while the training loss falls."
        )
    if wanted.text is not None:
        _offer_characters(wanted.setup, wanted.text, notes)
    if words := _say_what_changed(wanted) or _parts(chosen, wanted.setup):
        notes.caption(words)
    if button.button(_TRAIN, icon=_ICON, width="stretch", key="train"):
        _start(wanted, notes)
    return wanted


def _readings(wanted: Wanted) -> int:
    """Say how often training reads a text, by its characters: larger tokens read it more often."""
    n_tokens = wanted.setup.training.steps * wanted.setup.tokens_a_step
    return n_tokens // max(1, len(wanted.text or ""))


def _offer_characters(setup: Setup, text: str, notes: DeltaGenerator) -> None:
    """Say where much of a text would be read byte by byte, and offer a token a character."""
    if setup.tokenizer != SentencePieceTokenizer.name:
        return
    share = share_in_bytes(text[:MOST_LOOKED_AT], setup.vocab_size)
    if share < MUCH_IN_BYTES:
        return
    n = setup.vocab_size or DEFAULT_VOCAB_SIZE
    notes.caption(
        f":material/translate: Some {share:.0%} of your text's characters have no piece of their "
        f"own in a vocabulary of {n:,}, so the model would read each as two bytes or more."
    )
    notes.button(
        "Read characters instead",
        icon=":material/swap_horiz:",
        key="read_characters",
        on_click=lambda: link.put(tokenizer=CharacterTokenizer.name),
        help="One token for each character of the text.",
    )


def _real_name(model: ModelConfig) -> str:
    """Name the real models of which this is the miniature; empty for Tiny LLaMA itself and none."""
    real = real_models(model)
    if not real or ROOT in real:
        return ""
    names = {node["id"]: node["name"] for node in content.facts("family_tree")["nodes"]}
    return ", ".join(names[each] for each in real)


def _parts(chosen: controls.Basics, setup: Setup) -> str:
    """Say how the model differs from the preset it is named after; empty where it does not."""
    usual = replace(setup, model=find_preset(chosen.preset).config)
    if not (changed := changes(usual, setup)):
        return ""
    words = ", ".join(
        f"{label_in_line(name)}: {value_in_words(name, new)}" for name, (_, new) in changed.items()
    )
    return content.escaped(f"{chosen.preset} with {words}.")


def _start(wanted: Wanted, notes: DeltaGenerator) -> None:
    try:
        run_actions.start(wanted)
    except UserError as error:
        notes.error(str(error), icon=":material/error:")
    else:
        st.rerun()  # all of the page looks at the new run


def _say_what_changed(wanted: Wanted) -> str:
    """Say how the widgets differ from the student's run on the screen; empty if there is none."""
    run = session.current_run()
    if run is None or not session.is_mine(run):
        return ""
    changed = describe(run_actions.changed(run, wanted), MOST_CHANGES)
    return content.escaped(f"Beside {session.run_name(run)}: {changed}.")
