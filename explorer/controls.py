"""Groups of widgets that pages share; each is bound to the link under its setting's own name.

Options are shown by their names, since a bound widget writes into the link what it shows, and a
link, the command line and a config should read alike; cards give the titles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer import content
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task, own_text
from tiny_llama.corpora.own_text import MOST_BYTES
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.presets import PRESETS, find_preset
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

TINY = [name for name, preset in PRESETS.items() if preset.is_tiny]
_MODEL_NUMBERS = {
    "n_layers": ("Layers", 0, 16, 1),
    "d_model": ("Width (d_model)", 8, 512, 8),
    "n_heads": ("Heads", 1, 32, 1),
    "context": ("Context in tokens", 8, 512, 8),
}
_MODEL_SWITCHES = {"qk_norm": "Norm on queries and keys", "tied_unembedding": "Tied unembedding"}
_TRAINING_NUMBERS = {
    "steps": ("Steps", 1, 50_000, 100),
    "batch_size": ("Texts a step (batch size)", 1, 256, 1),
    "warmup_steps": ("Warm-up steps", 0, 10_000, 10),
    "seed": ("Seed", 0, 2**32 - 1, 1),
}
_TRAINING_FRACTIONS = {
    "learning_rate": ("Learning rate", 0.0, 1000.0),
    "weight_decay": ("Weight decay", 0.0, 1.0),
    "gradient_clip": ("Gradient clipping (0: none)", 0.0, 100.0),
    "label_smoothing": ("Label smoothing", 0.0, 0.9),
    "dropout": ("Dropout", 0.0, 0.9),
}
_TITLES = {
    "norm": "Norm",
    "position": "Positions",
    "attention": "Attention",
    "feed_forward": "Feed-forward",
    "norm_placement": "Where the norm stands",
    "bias": "Biases",
    "optimizer": "Optimizer",
    "schedule": "Learning-rate schedule",
}


@dataclass(frozen=True, kw_only=True)
class Basics:
    """The first choices: which model, which text, how long."""

    preset: str
    corpus: str
    steps: str
    own_text: str | bytes
    """The student's own text as it came, where that is the corpus."""

    def checked_text(self) -> str | None:
        """The student's own text, fit for training; None where the corpus is another one.

        Raises:
            TextError: if it is empty, too short, too long or no text.
        """
        return own_text(self.own_text).text() if self.corpus == OWN_TEXT else None


def basics() -> Basics:
    """Let the student choose a model, a text and a number of steps."""
    preset = _choice("preset", "Model", TINY, "tiny-llama", on_change=_take_preset)
    corpus = _choice("corpus", "Text to learn from", [*CORPORA, OWN_TEXT], "tales")
    own = _own_text() if corpus == OWN_TEXT else ""
    if corpus != OWN_TEXT:
        st.caption(CORPORA[corpus].description)
    steps = _whole_number("steps", *_TRAINING_NUMBERS["steps"], TrainConfig().steps)
    return Basics(preset=preset, corpus=corpus, steps=steps, own_text=own)


def details(chosen: Basics) -> Setup:
    """Let the student change any part of the model and of its training.

    Raises:
        ConfigError: if the choices do not fit together.
    """
    usual = Setup(model=find_preset(chosen.preset).config)
    values = {"corpus": chosen.corpus, "steps": chosen.steps}
    with st.expander("Model: change a part", icon=":material/account_tree:"):
        values |= _model_controls(usual.model)
    with st.expander("Training and tokenizer", icon=":material/tune:"):
        values |= _tokenizer(chosen.corpus) | _training_controls(usual)
    return usual.with_values(values)


def _own_text() -> str | bytes:
    pasted = st.text_area(
        "Paste a text of 1 kB to 5 MB",
        key="own_text",
        persist_state="session",
        height=150,
        max_chars=MOST_BYTES + 1,  # what is longer is cut here, and then refused as too long
    )
    uploaded = st.file_uploader("or upload one (UTF-8)", type=["txt", "md", "csv", "py"])
    return uploaded.getvalue() if uploaded else str(pasted)


def _model_controls(usual: ModelConfig) -> dict[str, str]:
    values = {
        slot: _choice(slot, _TITLES[slot], options, getattr(usual, slot), explain=True)
        for slot, options in (MENU | CHOICES).items()
    }
    for name, (label, low, high, step) in _MODEL_NUMBERS.items():
        values[name] = _whole_number(name, label, low, high, step, getattr(usual, name))
    n_heads = int(values["n_heads"])
    divisors = [str(n) for n in range(1, n_heads + 1) if n_heads % n == 0]
    label = "Key/value heads (auto: as many as heads)"
    values["n_kv_heads"] = _choice("n_kv_heads", label, ["auto", *divisors], "auto")
    if values["attention"] in ("sliding", "alternating"):
        values["window"] = _whole_number("window", "Window in tokens", 1, 512, 1, usual.window)
    for name, label in _MODEL_SWITCHES.items():
        values[name] = _switch(name, label, getattr(usual, name))
    return values


def _training_controls(usual: Setup) -> dict[str, str]:
    values = {
        slot: _choice(slot, _TITLES[slot], options, getattr(usual.training, slot), explain=True)
        for slot, options in TRAINING_CHOICES.items()
    }
    for name, (label, low, high) in _TRAINING_FRACTIONS.items():
        owner = usual.model if name == "dropout" else usual.training
        values[name] = str(
            st.number_input(
                label,
                low,
                high,
                getattr(owner, name),
                format="%g",
                key=name,
                bind="query-params",
                help=content.setting(name),
            )
        )
    for name, (label, low, high, step) in _TRAINING_NUMBERS.items():
        if name != "steps":
            usual_value = getattr(usual.training, name)
            values[name] = _whole_number(name, label, low, high, step, usual_value)
    return values


def _tokenizer(corpus: str) -> dict[str, str]:
    """Tasks are written in characters; texts in whatever tokenizer is chosen."""
    if isinstance(CORPORA.get(corpus), Task):
        return {"tokenizer": "characters"}
    name = _choice("tokenizer", "Tokenizer", TOKENIZERS, "characters", explain=True)
    values = {"tokenizer": name}
    option = TOKENIZERS[name]
    if option.default_vocab_size and option.vocab_size_bounds:
        low, high = option.vocab_size_bounds
        values["vocab_size"] = _whole_number(
            "vocab_size", "Vocabulary in tokens", low, high, 1, option.default_vocab_size
        )
    return values


def _choice(
    key: str,
    label: str,
    options: Iterable[str],
    usual: str,
    *,
    explain: bool = False,
    on_change: Any = "rerun",
) -> str:
    names = list(options)
    chosen = st.selectbox(
        label,
        names,
        index=names.index(usual),
        key=key,
        bind="query-params",
        on_change=on_change,
        help=content.card(key, st.session_state.get(key, usual)) if explain else None,
    )
    return str(chosen)


def _whole_number(key: str, label: str, low: int, high: int, step: int, usual: int) -> str:
    number = st.number_input(
        label,
        low,
        high,
        usual,
        step,
        key=key,
        bind="query-params",
        help=content.setting(key),
    )
    return str(number)


def _switch(key: str, label: str, usual: bool) -> str:
    return str(
        st.toggle(label, usual, key=key, bind="query-params", help=content.setting(key))
    ).lower()


def _take_preset() -> None:
    """Set every model widget to what the newly chosen preset says."""
    config = find_preset(st.session_state.preset).config
    for name in _model_keys():
        if name in st.session_state:
            value = getattr(config, name)
            st.session_state[name] = "auto" if value is None else value


def _model_keys() -> Iterable[str]:
    return (*MENU, *CHOICES, *_MODEL_NUMBERS, *_MODEL_SWITCHES, "n_kv_heads", "window", "dropout")
