"""Groups of widgets that pages share; each shows a word of the link under its setting's own name.

Options are shown by their names, as a link, the command line and a config have them; cards give the
titles. A setting that may be left open (`auto`) is a number box that may be empty.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, guard, link, state
from explorer.engine.limits import check_text, limits
from explorer.settings import (
    LABELS,
    MODEL_FINE_POINTS,
    MORE_PARTS,
    PARTS,
    SECTIONS,
    SIZES,
    WHEN_OPEN,
)
from explorer.words import BOUNDS, KINDS, OPTIONS
from tiny_llama import config
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task, own_text
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.presets import PRESETS, find_preset
from tiny_llama.setup import (
    MODEL_FIELDS,
    OWN_TEXT,
    SETTINGS,
    TINY,
    Setup,
    from_preset,
    nearest_preset,
    setup_of_preset,
)
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

_VOCABULARY = "model_vocab_size"
"""Widget and word of the link; `vocab_size` is what is wanted of a tokenizer."""
_PASTED = "own_text"
_KEPT = "kept own text"
_UPLOADED, _TAKEN = "uploaded_text", "taken upload"
WHO_CAN_READ = (
    "The text stays on this server, with your runs on it, and only you can read it. Whoever has a "
    "link to such a run sees what its model writes, and that may repeat the text."
)
"""Said where a text is pasted."""
NO_TEXT_YET = (
    ":material/info: There is no text yet: a link never brings one along. Paste or upload yours, "
    "or choose another text to learn from."
)
"""Said where none has been, as to who comes by another's link."""
_BLOCK = {
    "above": ("tied_unembedding",),
    "inside": (*("feed_forward", "norm", "norm_placement", "attention", "n_kv_heads", "bias"),),
    "below": ("position",),
}
"""The picture of a model, from the top down: above its blocks, in each of them, and below."""
_ALL_AS = {"tiny-llama": "All as LLaMA", "tiny-gpt3": "All as GPT-3"}


@dataclass(frozen=True, kw_only=True)
class Basics:
    """The first choices: which model, which text, how long."""

    preset: str
    corpus: str
    steps: int
    own_text: str | bytes
    """The student's own text as it came, where that is the corpus."""

    def checked_text(self) -> str | None:
        """Give the student's own text, fit for training; None where the corpus is another one.

        Raises:
            TextError: if it is empty, too short, too long or no text.
        """
        return own_text(self.own_text).text() if self.corpus == OWN_TEXT else None


def basics(steps_in: DeltaGenerator | None = None) -> Basics:
    """Let the student choose a model, a text and a number of steps.

    Args:
        steps_in: where the number of steps stands; None: after the others.
    """
    with st.grid(2, min_column_width=90, gap="xsmall"):
        preset = _choice("preset", "Model", TINY, TINY[0], then=_take_preset)
        corpus = _choice(
            "corpus",
            LABELS["corpus"],
            [*CORPORA, OWN_TEXT],
            Setup.corpus,
            hint=_what_there_is_to_read(),
        )
    own: str | bytes = ""
    if corpus == OWN_TEXT:
        with st.expander("Your own text", icon=":material/edit_note:", expanded=True):
            own = _own_text()
    with steps_in or st.container():
        steps = _widget("steps", LABELS["steps"], TrainConfig.steps)
    return Basics(preset=preset, corpus=corpus, steps=steps, own_text=own)


def any_model(parts: DeltaGenerator, fine: DeltaGenerator) -> tuple[Setup, str]:
    """Let the student choose any model, tiny or real, and change any part of it.

    Args:
        parts: where the widgets of its parts and sizes stand.
        fine: where those of its fine points stand.

    Returns:
        A setup whose model has the vocabulary that was chosen, and the preset it began with.

    Raises:
        ConfigError: if the choices do not fit together.
    """
    preset = _choice("preset", "Model to begin with", PRESETS, TINY[0], then=_take_preset)
    usual = setup_of_preset(preset)
    with parts, st.grid(2, min_column_width=90, gap="xsmall"):
        values = _widgets({**PARTS, **SIZES}, usual)
    with fine, st.grid(2, min_column_width=90, gap="xsmall"):
        values |= _widgets({**MORE_PARTS, **MODEL_FINE_POINTS}, usual)
        vocab_size = _vocabulary(usual.model.vocab_size)
    setup = usual.with_settings(values)
    return replace(setup, model=replace(setup.model, vocab_size=vocab_size)), preset


def take_model(model: ModelConfig) -> None:
    """Set the widgets of `any_model` to a model; the preset stays what it was."""
    link.put(**_model_values(model), **{_VOCABULARY: model.vocab_size})


def _vocabulary(usual: int) -> int:
    low, high = config.BOUNDS["vocab_size"]
    return int(
        link.widget(
            st.number_input,
            _VOCABULARY,
            "Vocabulary in tokens",
            usual=usual,
            min_value=int(low),
            max_value=int(high),
            help="How many tokens the model knows; a tokenizer decides it when a model is trained.",
        )
    )


def _widgets(labels: Mapping[str, str], usual: Setup, *, are_drawn: bool = True) -> dict[str, Any]:
    return {
        name: _widget(name, label, usual.setting(name), is_drawn=are_drawn)
        for name, label in labels.items()
    }


@dataclass(frozen=True, kw_only=True)
class TokenizerBasics:
    """What a tokenizer learns from, and how large its vocabulary may become."""

    corpus: str
    own_text: str
    """The student's own text, checked, where that is the corpus."""
    vocab_size: int | None
    """None: the tokenizer's usual."""


def tokenizer_basics() -> TokenizerBasics:
    """Let the student choose what a tokenizer learns from, by the widgets of a run.

    Raises:
        TextError: if the student's own text is empty, too short, too long or no text.
    """
    corpus, own = _corpus()
    vocab_size = _widget("vocab_size", "Vocabulary of SentencePiece", None)
    if corpus == OWN_TEXT:
        own = own_text(own).text()
        check_text(own)
    return TokenizerBasics(corpus=corpus, own_text=str(own), vocab_size=vocab_size)


def details(chosen: Basics) -> Setup:
    """Let the student change any part of the model and of its training.

    Raises:
        ConfigError: if the choices do not fit together.
    """
    usual = setup_of_preset(chosen.preset)
    values: dict[str, Any] = {"corpus": chosen.corpus, "steps": chosen.steps}
    values |= _block(usual)
    for section in SECTIONS:
        # Widgets cost the server the most by far of what this page has, so those of a section are
        # drawn once it is opened.
        box = st.expander(
            section.title, icon=section.icon, key=f"section_{section.name}", on_change="rerun"
        )
        with box:
            values |= _widgets(section.labels, usual, are_drawn=bool(box.open))
    return usual.with_settings(values | _tokenizer_of(**values))


def _block(usual: Setup) -> dict[str, Any]:
    """Draw the model from bottom to top, as data flow through it, with a choice in each place."""
    values: dict[str, Any] = {}
    with st.container(horizontal=True, gap="xsmall", key="all_as"):
        for preset, label in _ALL_AS.items():
            st.button(label, key=f"all_as_{preset}", on_click=_take_parts, args=(preset,))
    n_layers = link.value("n_layers", usual=usual.model.n_layers)
    with st.container(key="block_picture", gap=None):
        st.caption(":material/arrow_upward: Scores for the next token")
        for place, names in _BLOCK.items():
            with st.container(key=f"block_{place}", gap=None):
                if place == "inside":
                    st.caption(f"Layers: {n_layers}, each like this", text_alignment="right")
                labels = {name: LABELS[name] for name in names}
                values |= _widgets(labels, usual)
        st.caption(":material/arrow_upward: Tokens, embedded")
    return values


def take_setup(setup: Setup, text: str | None = None) -> None:
    """Set every widget to a run's setup, in a callback on the page that draws these widgets.

    From another page, go there by `link_to`. The model's vocabulary is left to the tokenizer.

    Args:
        setup: what to set the widgets to.
        text: the student's own text, where that is the corpus; None: leave what is in its box.
    """
    if text is not None:
        state.keep(_KEPT, text)
    values = {name: _typed(name, setup.setting(name)) for name in SETTINGS}
    if isinstance(CORPORA.get(setup.corpus), Task):  # so that a text after it is cut as texts are
        values["tokenizer"] = Setup.tokenizer
    link.put(preset=nearest_preset(setup.model), **values)


def link_to(setup: Setup) -> dict[str, str]:
    """Give the words of a link that open the widgets at a setup: its preset, and what differs."""
    preset, unusual = from_preset(setup)
    return {"preset": preset, **unusual}


def _take_parts(preset: str) -> None:
    """Set every part of the model to a preset's; its sizes stay."""
    model = find_preset(preset).config
    link.put(**{name: getattr(model, name) for name in (*MENU, *CHOICES, *MORE_PARTS)})


def _what_there_is_to_read() -> str:
    """List each text that there is, and what it is."""
    said = {name: corpus.description for name, corpus in CORPORA.items()}
    said[OWN_TEXT] = "Whatever you paste or upload."
    return "\n".join(f"- `{name}`: {what}" for name, what in said.items())


def _corpus() -> tuple[str, str | bytes]:
    """Let the student choose what to learn from; the own text comes with it, as it came."""
    corpus = _choice("corpus", LABELS["corpus"], [*CORPORA, OWN_TEXT], Setup.corpus)
    if corpus == OWN_TEXT:
        return corpus, _own_text()
    st.caption(CORPORA[corpus].description)
    return corpus, ""


def _own_text() -> str | bytes:
    most = limits().text_bytes
    above = st.container()
    link.show(_PASTED, state.kept(_KEPT, str))
    pasted = st.text_area(
        f"Paste a text of 1 kB to {most / 1e6:g} MB",
        key=_PASTED,
        height=110,
        max_chars=most + 1,  # what is longer is cut here, and then refused as too long
        on_change=link.by_hand(_PASTED, lambda: state.keep(_KEPT, state.shown(_PASTED))),
    )
    uploaded = _uploaded(most)
    st.caption(WHO_CAN_READ)
    if not pasted and uploaded is None:
        above.caption(NO_TEXT_YET)
    return str(pasted) if uploaded is None else uploaded


def _uploaded(most: int) -> bytes | None:
    """Take the text that was uploaded last, as long as the uploader shows it; None: there is none.

    It is taken out of the uploader, which then knows no more of it than its name.
    """
    shown = st.file_uploader(
        "or upload one (UTF-8)",
        type=["txt", "md", "csv", "py"],
        key=_UPLOADED,
        max_upload_size=-(-most // 2**20),  # in whole megabytes; the rest is refused as too long
    )
    found: Any = state.shown(_UPLOADED)
    if shown is not None:
        state.keep(_TAKEN, (shown.file_id, guard.take_upload(shown)))
    file_id, text = state.kept(_TAKEN, lambda: ("", None))
    if found is None or found.file_id != file_id:
        state.keep(_TAKEN, ("", None))
        guard.drop_upload()
        return None
    return cast("bytes", text)


def _widget(name: str, label: str, usual: Any, *, is_drawn: bool = True) -> Any:
    """Draw the widget that fits a setting: a list, a switch or a number; see `link.widget`."""
    draw: Callable[..., Any]
    if name in OPTIONS:
        draw, fitting = st.selectbox, _as_list(name, usual)
    elif bool in KINDS[name]:
        draw, fitting = st.toggle, {"usual": usual, "help": content.setting(name)}
    else:
        draw, fitting = st.number_input, _as_number(name, usual)
    return link.widget(draw, name, label, is_drawn=is_drawn, **fitting)


def _as_list(name: str, usual: str) -> dict[str, Any]:
    """Describe the list of a setting's options, with the card of the one that it shows."""
    names = list(OPTIONS[name])
    shown = link.value(name, usual=usual, among=names)
    return {"usual": usual, "options": names, "help": content.card(name, shown)}


def _as_number(name: str, usual: Any) -> dict[str, Any]:
    """Describe the number box of a setting."""
    kind: Any = float if float in KINDS[name] else int
    low, high = BOUNDS[name]
    return {
        "usual": usual if usual is None else kind(usual),
        "min_value": kind(low),
        "max_value": kind(high),
        "value": None if NoneType in KINDS[name] or usual is None else kind(usual),
        "step": kind(_STEPS.get(name, 1)),
        "format": "%g" if kind is float else "%d",
        "placeholder": WHEN_OPEN.get(name),
        "help": content.setting(name),
    }


def _choice(
    key: str,
    label: str,
    options: Iterable[str],
    usual: str,
    *,
    hint: str | None = None,
    then: Callable[[], None] | None = None,
) -> str:
    names = list(options)
    return str(
        link.widget(st.selectbox, key, label, usual=usual, options=names, then=then, help=hint)
    )


def _tokenizer_of(*, tokenizer: str, **_: Any) -> dict[str, Any]:
    """Leave out what does not act: few tokenizers let one choose how many tokens there are."""
    return {} if TOKENIZERS[tokenizer].vocab_size_bounds else {"vocab_size": None}


def _take_preset() -> None:
    """Set every part of the model to what the newly chosen preset says, which is the usual then."""
    link.forget((*MODEL_FIELDS, _VOCABULARY))


def _model_values(model: ModelConfig) -> dict[str, Any]:
    return {name: _typed(name, getattr(model, name)) for name in MODEL_FIELDS}


def _typed(name: str, value: Any) -> Any:
    """Give a setting as its widget has it: a box for fractions takes no whole number."""
    is_fraction = float in KINDS[name] and value is not None
    return float(value) if is_fraction else value


_STEPS = {
    "d_model": 8,
    "context": 8,
    "d_hidden": 8,
    "norm_eps": 1e-6,
    "rope_fraction": 0.05,
    "attention_softcap": 10,
    "logit_softcap": 10,
    "dropout": 0.05,
    "init_std": 0.01,
    "embedding_std": 0.1,
    "steps": 100,
    "learning_rate": 0.001,
    "warmup_steps": 10,
    "weight_decay": 0.01,
    "beta1": 0.01,
    "beta2": 0.01,
    "gradient_clip": 0.1,
    "label_smoothing": 0.01,
    "text_noise": 0.05,
    "evaluate_every": 10,
    "sample_every": 10,
}
"""How far a number goes with one press of its + or −, where not by 1."""
