"""What a vocabulary takes in parameters, and what it gives in characters per token."""

from dataclasses import replace

import streamlit as st

from explorer import content, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.tokens import Priced, vocabulary_trade
from explorer.inside.tokens.tokenizer_setup import TokenizerSetup
from explorer.inspection import analyse, current_run
from explorer.stage import Stage
from tiny_llama.config import ModelConfig
from tiny_llama.cost import parameters_by_component
from tiny_llama.presets import PRESETS
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.tokenizers.sentence_piece import DEFAULT_VOCAB_SIZE

SIZES = (300, 400, 512, 700, 1000, 1500, 2000, 4000)
REAL = (
    "gpt2-124m",
    "gpt3-175b",
    "llama-1-7b",
    "llama-1-65b",
    "llama-3-8b",
    "llama-3.2-1b",
    "mistral-7b",
    "qwen2.5-0.5b",
    "gemma-2b",
    "smollm2-135m",
)


def show(stage: Stage, setup: TokenizerSetup) -> None:
    """Show price and gain of several vocabularies for the current model."""
    config = current_run().setup.model
    chosen = setup.vocab_size or DEFAULT_VOCAB_SIZE
    sizes = sorted({*SIZES, chosen})
    answer = analyse("vocabularies", sizes=sizes, corpus=setup.corpus, own=setup.own)
    learned, fixed = priced(answer, config)
    showing.draw(vocabulary_trade(learned, fixed), key="vocabulary_trade")
    with stage.below:
        st.markdown(cost_table([*learned, *fixed], config, chosen))
        st.caption(_remark(setup, answer, config))
        st.header("Real models", anchor=False)
        st.markdown(real_table())
    stage.explain(code="tiny_llama.analyses.vocabulary:vocabularies")


def vocabulary_parameters(config: ModelConfig, size: int) -> tuple[int, int]:
    """Count parameters of embedding and unembedding at a vocabulary, and of the whole model.

    A tied matrix serves as both and counts once.
    """
    counts = parameters_by_component(replace(config, vocab_size=size))
    return counts["embedding"] + counts["unembedding"], sum(counts.values())


def priced(answer: Answer, config: ModelConfig) -> tuple[list[Priced], list[Priced]]:
    """Give SentencePiece's vocabularies, each size once, and the other kinds."""
    learned: dict[int, Priced] = {}
    fixed = []
    rows = zip(answer["kinds"], answer["sizes"], answer["n_tokens"].tolist(), strict=True)
    for kind, size, n_tokens in rows:
        each = Priced(
            name=TOKENIZERS[kind].title,
            size=size,
            n_parameters=vocabulary_parameters(config, size)[0],
            characters_per_token=answer["n_characters"] / n_tokens,
        )
        if kind == "sentencepiece":
            learned.setdefault(size, each)
        else:
            fixed.append(each)
    return list(learned.values()), fixed


def cost_table(vocabularies: list[Priced], config: ModelConfig, chosen: int) -> str:
    """Say what each vocabulary costs the model, in a Markdown table; the chosen one is marked."""
    rows = [
        "| tokenizer | vocabulary | characters per token | share of the model "
        "| embedding + unembedding |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for each in vocabularies:
        own, whole = vocabulary_parameters(config, each.size)
        mark = "▶ " if each.size == chosen else ""
        rows.append(
            f"| {mark}{each.name} | {each.size:,} | {each.characters_per_token:.2f} "
            f"| {own / whole:.1%} | {own:,} |"
        )
    return "\n".join(rows)


def real_table() -> str:
    """Say what the vocabularies of real models cost, as a table in Markdown."""
    rows = [
        "| model | vocabulary | share of the model | embedding + unembedding | width |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in REAL:
        config = PRESETS[name].config
        own, whole = vocabulary_parameters(config, config.vocab_size)
        tied = " (tied)" if config.tied_unembedding else ""
        rows.append(
            f"| {content.escaped(PRESETS[name].title)} | {config.vocab_size:,} "
            f"| {own / whole:.1%} | {own / 1e6:,.0f} million{tied} | {config.d_model:,} |"
        )
    return "\n".join(rows)


def _remark(setup: TokenizerSetup, answer: Answer, config: ModelConfig) -> str:
    matrices = "one matrix, as they are tied" if config.tied_unembedding else "two matrices"
    words = (
        f"For the current model, {config.d_model} wide: {matrices}. Tokenizers learned from the "
        f"first nine tenths of {setup.corpus_title} and cut the last, {answer['n_characters']:,} "
        f"characters. The Train page lets them learn from the whole text."
    )
    largest = max(size for size in answer["sizes"])
    if largest < max(SIZES):
        words += f" The text fills no vocabulary larger than {largest:,}."
    return words
