"""The form of the Train page: what to train, the button that starts it, and why it cannot."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, controls, run_actions, session
from explorer.family.tree import ROOT
from explorer.run_actions import Wanted
from tiny_llama.config import ModelConfig
from tiny_llama.errors import UserError
from tiny_llama.miniatures import real_models
from tiny_llama.presets import find_preset
from tiny_llama.setup import Setup, changes, describe_changes, setting_word

# Bold, since no colour of a primary button is readable on dark as well as beneath white letters.
_TRAIN, _ICON = "**Train**", ":material/play_circle:"


def show() -> tuple[Wanted | None, DeltaGenerator]:
    """Draw the form; start a run when the button is pressed.

    Returns:
        What the widgets ask for, None while it cannot be trained; and a place under the button.
    """
    chosen = controls.basics()
    button, place, notes = st.container(), st.container(), st.container()
    return _wanted(chosen, button, notes), place


def _wanted(
    chosen: controls.Basics, button: DeltaGenerator, notes: DeltaGenerator
) -> Wanted | None:
    try:
        wanted = Wanted(setup=controls.details(chosen), text=chosen.checked_text())
    except UserError as error:
        button.button(_TRAIN, icon=_ICON, width="stretch", key="cannot_train", disabled=True)
        notes.error(str(error), icon=":material/error:")
        return None
    if name := _real_name(wanted.setup.model):
        button.caption(f"**{content.escaped(name)} in small**")
    if parts := _parts(chosen, wanted.setup):
        notes.caption(parts)
    if button.button(_TRAIN, icon=_ICON, width="stretch", key="train"):
        _start(wanted, notes)
    _say_what_changed(wanted, notes)
    return wanted


def _real_name(model: ModelConfig) -> str:
    """Of which real models this is the miniature; empty for Tiny LLaMA itself, and for none."""
    real = real_models(model)
    if not real or ROOT in real:
        return ""
    names = {node["id"]: node["name"] for node in content.facts("family_tree")["nodes"]}
    return ", ".join(names[each] for each in real)


def _parts(chosen: controls.Basics, setup: Setup) -> str:
    """How the model differs from the preset that it is named after; empty where it does not."""
    usual = replace(setup, model=find_preset(chosen.preset).config)
    if not (changed := changes(usual, setup)):
        return ""
    words = ", ".join(f"{name}: {setting_word(name, new)}" for name, (_, new) in changed.items())
    return content.escaped(f"{chosen.preset} with {words}.")


def _start(wanted: Wanted, notes: DeltaGenerator) -> None:
    try:
        run_actions.start(wanted)
    except UserError as error:
        notes.error(str(error), icon=":material/error:")
    else:
        st.rerun()  # all of the page looks at the new run


def _say_what_changed(wanted: Wanted, notes: DeltaGenerator) -> None:
    """Say how the widgets differ from the student's run on the screen, if they do."""
    run = session.current_run()
    if run is None or not session.is_mine(run):
        return
    changed = describe_changes(run.setup, wanted.setup)
    notes.caption(f"Beside {session.run_name(run)}: {content.escaped(changed)}.")
