"""The setup to take home: one PyTorch script, and a line for a terminal."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import streamlit as st

from explorer import content
from explorer.architecture.sizes import GPT3, LLAMA
from explorer.figures.amounts import in_bytes, in_words
from explorer.stage import Stage
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, Task, TextCorpus
from tiny_llama.corpora.tiny_shakespeare import TinyShakespeare
from tiny_llama.cost import count_parameters, training_memory
from tiny_llama.errors import ConfigError
from tiny_llama.presets import PRESETS
from tiny_llama.script import (
    SCRIPT_NAME,
    differences,
    reads_bytes,
    train_command,
    write_script,
)
from tiny_llama.setup import OWN_TEXT, Setup

HEIGHT = 560
"""Pixels of the script, which scrolls in them, on a phone; else as many as there is room for."""
TASK_CHARACTERS = 200_000
"""Of a task, which has no end."""


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show a setup as a script, with what it takes to run it."""
    try:
        _show_script(stage, setup, name, write_script(setup))
    except ConfigError as error:
        st.info(content.escaped(str(error)), icon=":material/info:")
    with stage.below:
        st.markdown("**The same setup by this project's own command line**")
        st.code(train_command(setup), language="bash", wrap_lines=True)
    stage.explain(code="tiny_llama.script.writing:write_script")


def _show_script(stage: Stage, setup: Setup, name: str, script: str) -> None:
    with stage.controls:
        st.download_button(
            "Script (.py)",
            data=script,
            file_name=SCRIPT_NAME,
            mime="text/x-python",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            help="Needs Python and PyTorch, and nothing else.",
        )
        _offer_text(setup)
        st.caption(content.escaped(_remark(setup, script)))
    # Keys can scroll it; a code box of this height they cannot.
    with st.container(height=HEIGHT, key="scrolled"):
        st.code(script, language="python", wrap_lines=True)
    if name in PRESETS and PRESETS[name].config == setup.model and (told := as_published(name)):
        stage.below.caption(told)


def as_published(name: str) -> str:
    """Say how a preset's model was trained, of LLaMA and GPT-3, in Markdown; of others empty."""
    rows = [
        *content.facts("llama_paper")["table2_sizes"],
        *content.facts("gpt3_paper")["table2_1_sizes"],
    ]
    row: Mapping[str, Any] | None = dict(zip((*LLAMA, *GPT3), rows, strict=True)).get(name)
    if row is None:
        return ""
    batch = row.get("batch_printed") or row["batch_tokens_printed"]
    rate = f"{row['learning_rate']:f}".rstrip("0")
    return (
        f"{content.escaped(row['model'])} itself was trained at a learning rate of up to {rate}, "
        f"on {batch} tokens a step and {in_words(row['train_tokens'])} in all. "
        f"{content.cited(row['source'], row['confidence'])}"
    )


def corpus_text(name: str) -> str:
    """Give a built-in corpus as one text; of a task, exercises that are for training.

    Raises:
        TextError: if the text cannot be had on this machine.
    """
    corpus = CORPORA[name]
    if isinstance(corpus, Task):
        return corpus.row(Random(0), TASK_CHARACTERS)[0]
    assert isinstance(corpus, TextCorpus)
    return corpus.text()


def _offer_text(setup: Setup) -> None:
    """Offer what the setup learns from as a file, unless the student has it already."""
    corpus = CORPORA.get(setup.corpus)
    if isinstance(corpus, TinyShakespeare):
        st.link_button(
            "Its text, where it is kept",
            corpus.home,
            icon=":material/open_in_new:",
            width="stretch",
        )
    elif corpus is not None:
        st.download_button(
            "Its text (.txt)",
            data=lambda: corpus_text(corpus.name).encode(),
            file_name=f"{corpus.name}.txt",
            mime="text/plain",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            help=f"{corpus.title}, to be named behind the script: {corpus.description}",
        )


def _remark(setup: Setup, script: str) -> str:
    """Say how long the script is, how to run it, what it takes, how it differs from the setup."""
    n_tokens = 256 if reads_bytes(setup) else ModelConfig.vocab_size
    model = replace(setup.model, vocab_size=n_tokens)
    held = training_memory(model, optimizer=setup.training.optimizer).total
    n_lines, text = script.count("\n"), "your-text" if setup.corpus == OWN_TEXT else setup.corpus
    words = (
        f"{n_lines} lines. Run it by “python {SCRIPT_NAME} {text}.txt”. With a vocabulary of "
        f"{n_tokens} tokens, it trains {count_parameters(model):,} parameters, which take "
        f"{in_bytes(held)} with their gradients and the optimizer's memory."
    )
    return " ".join([words, *differences(setup)])
