"""Memory: what training holds, what serving holds, and where that fits."""

from dataclasses import replace

import streamlit as st

from explorer import showing
from explorer.architecture.accelerators import (
    Accelerator,
    accelerators,
    choose_accelerator,
    describe,
)
from explorer.architecture.assumptions import LENGTHS, Serving, choose_serving
from explorer.figures.amounts import in_bytes
from explorer.figures.costs import cache_lines, memory_bars
from explorer.stage import Stage
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, kv_cache_bytes, kv_cache_bytes_per_token
from tiny_llama.serving import PRECISIONS, largest_batch, longest_text, weight_bytes
from tiny_llama.setup import Setup
from tiny_llama.training_cost import RECIPES, recipe_activations, recipe_memory

BATCHES = (1, 8, 64)
"""Texts at once that the chart of the cache has lines for."""


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show what a setup takes of memory to serve and to train."""
    config = setup.model
    with stage.controls, st.grid(2, min_column_width=90, gap="xsmall"):
        serving = choose_serving(config)
        accelerator = choose_accelerator()
    weights = weight_bytes(config, serving.precision, group_size=serving.group_size)
    cache = cache_bytes(config, serving, serving.n_tokens, serving.n_texts)
    showing.in_one_line(
        {
            f"Weights in {PRECISIONS[serving.precision].title}": in_bytes(weights),
            "Cache": in_bytes(cache),
            "Both": in_bytes(weights + cache),
            "To train, mixed precision": in_bytes(
                sum(recipe_memory(config, "mixed", optimizer=setup.training.optimizer).values())
            ),
        }
    )
    bars = bars_of(setup, serving)
    showing.draw(memory_bars(bars, accelerator.memory_bytes, accelerator.name), key="memory_bars")
    with stage.below:
        describe(accelerator, PRECISIONS[serving.precision].products)
        _serving(config, serving, accelerator, weights)
        _training(setup, serving)
    stage.explain(code="tiny_llama.serving:weight_bytes")


def cache_bytes(config: ModelConfig, serving: Serving, n_tokens: int, n_texts: int) -> int:
    """Count the bytes of the keys and values of several texts, nothing dropped."""
    return n_texts * kv_cache_bytes(config, n_tokens, bytes_per_number=serving.cache_bytes)


def bars_of(setup: Setup, serving: Serving) -> dict[str, dict[str, float]]:
    """Count bytes to serve in each precision and to train by each recipe, by what they are for."""
    config = setup.model
    cache = cache_bytes(config, serving, serving.n_tokens, serving.n_texts)
    bars: dict[str, dict[str, float]] = {
        f"serve {key}": {
            "weights": weight_bytes(config, key, group_size=serving.group_size),
            "cache": cache,
        }
        for key in PRECISIONS
    }
    for key in RECIPES:
        held = recipe_memory(config, key, optimizer=setup.training.optimizer)
        kept = recipe_activations(
            config, key, batch_size=serving.n_texts, n_tokens=serving.n_tokens, is_checkpointed=True
        )
        bars[f"train {key}"] = {**held, "activations, checkpointed": kept}
    return bars


def _serving(config: ModelConfig, serving: Serving, accelerator: Accelerator, weights: int) -> None:
    st.header("To serve", anchor=False)
    st.markdown(weights_table(config, serving))
    quantised = "one scale of 16 bits for " + (
        f"{serving.group_size} numbers of a row" if serving.group_size else "each row"
    )
    st.caption(
        f"int8 and int4 here: every matrix, {quantised}, counted; norms and biases stay in 16 "
        f"bits. Beside weights and cache a server needs some room for what it is computing, which "
        f"is not counted. A kB is 1,000 bytes, a GB 1,000,000,000."
    )
    if not kv_cache_bytes_per_token(config):
        st.info("This model keeps no keys and values: it has no attention.")
        return
    lengths = sorted({*LENGTHS, config.context})
    lines = {
        f"{batch} text{'s' * (batch > 1)}": [
            cache_bytes(config, serving, length, batch) for length in lengths
        ]
        for batch in BATCHES
    }
    showing.draw(
        cache_lines(
            lengths,
            lines,
            other_caches(config, serving, lengths),
            accelerator.memory_bytes - weights,
            f"left on {accelerator.name}",
        ),
        key="cache_lines",
    )
    st.markdown(cache_table(config, serving))
    st.markdown("**Where it fits**")
    st.markdown(fits_table(config, serving))
    st.caption(_fits_words(config, serving))


def other_caches(config: ModelConfig, serving: Serving, lengths: list[int]) -> dict[str, list[int]]:
    """Size the cache of a text with other key/value heads, or with no more than its window kept."""
    heads = {"1 text, if multi-head": config.n_heads, "1 text, if multi-query": 1}
    others = {
        title: [cache_bytes(replace(config, n_kv_heads=n), serving, s, 1) for s in lengths]
        for title, n in heads.items()
        if n != config.kv_heads
    }
    if has_window(config):
        others["1 text, windows kept only"] = [
            kv_cache_bytes(config, s, bytes_per_number=serving.cache_bytes, is_rolling=True)
            for s in lengths
        ]
    return others


def has_window(config: ModelConfig) -> bool:
    """Tell whether some layer reads no further back than its window."""
    return config.n_windowed_layers > 0


def weights_table(config: ModelConfig, serving: Serving) -> str:
    """Size the weights in each precision, with the scales of quantised ones, in Markdown."""
    n = count_parameters(config)
    rows = [["Weights in", "Bytes", "Bits a parameter"]]
    for key, precision in PRECISIONS.items():
        n_bytes = weight_bytes(config, key, group_size=serving.group_size)
        rows.append([precision.title, in_bytes(n_bytes), f"{8 * n_bytes / n:.3g}"])
    return showing.markdown_table(rows, "lrr")


def cache_table(config: ModelConfig, serving: Serving) -> str:
    """Size the cache by length of the text and by batch, in Markdown."""
    lengths = [n for n in sorted({*LENGTHS, config.context}) if n <= 8 * config.context][-5:]
    rows = [["Cache of", *(f"{n:,} tokens" for n in lengths)]]
    for batch in sorted({*BATCHES, serving.n_texts}):
        sizes = [in_bytes(cache_bytes(config, serving, n, batch)) for n in lengths]
        rows.append([f"{batch:,} text{'s' * (batch > 1)}", *sizes])
    return showing.markdown_table(rows, "l" + "r" * len(lengths))


def fits_table(config: ModelConfig, serving: Serving) -> str:
    """Say of each accelerator whether weights fit, how many texts, and how long they can be."""
    weights = weight_bytes(config, serving.precision, group_size=serving.group_size)
    a_text = cache_bytes(config, serving, serving.n_tokens, 1)
    rows = [
        [
            "Accelerator",
            "Has",
            "Weights take",
            f"Texts of {serving.n_tokens:,} tokens",
            f"Tokens each, with {serving.n_texts:,} text{'s' * (serving.n_texts > 1)}",
        ]
    ]
    for each in accelerators().values():
        free = each.memory_bytes - weights
        has, share = in_bytes(each.memory_bytes), f"{weights / each.memory_bytes:,.0%}"
        has = has.replace(" ", "\u00a0")  # on a phone, a line each
        if free < 0:
            needed = -(-weights // each.memory_bytes)
            rows.append([each.name, has, share, f"needs {needed:,}", "–"])
            continue
        longest = longest_text(
            config, free, batch_size=serving.n_texts, bytes_per_number=serving.cache_bytes
        )
        fits = largest_batch(free, a_text)
        rows.append([each.name, has, share, _or_any(fits), _or_any(longest)])
    return showing.markdown_table(rows, "lrrrr")


def _or_any(n: int | None) -> str:
    return "any" if n is None else f"{n:,}"


def _fits_words(config: ModelConfig, serving: Serving) -> str:
    words = (
        f"Weights in {PRECISIONS[serving.precision].title}, cache in {serving.cache}, nothing "
        f"dropped from it. “Needs 2” means that the weights alone fill more than one. The model "
        f"was made for {config.context:,} tokens; a longer text is counted all the same."
    )
    if has_window(config):
        words += f" Its window is {config.window:,} tokens"
        words += (
            ", a width of our own: GPT-3's paper prints none."
            if config.attention == "alternating"
            else "; the dotted line keeps no more than that where a layer reads no more."
        )
    return words


def _training(setup: Setup, serving: Serving) -> None:
    st.header("To train", anchor=False)
    st.markdown(training_table(setup, serving))
    st.caption(
        f"Optimizer {setup.training.optimizer}, {serving.n_texts:,} text"
        f"{'s' * (serving.n_texts > 1)} of {serving.n_tokens:,} tokens a step. Activations are "
        f"exact for this project's model in fp32; in mixed precision each number is taken at half "
        f"the bytes, though a few usually stay in fp32. Checkpointed, each layer keeps its input "
        f"and is computed once more. AdamW also holds a step count, 4 bytes for each matrix or "
        f"vector."
    )


def training_table(setup: Setup, serving: Serving) -> str:
    """Say what training holds by each recipe, in Markdown."""
    config, n = setup.model, count_parameters(setup.model)
    held = {key: recipe_memory(config, key, optimizer=setup.training.optimizer) for key in RECIPES}
    rows = [["", *(recipe.title for recipe in RECIPES.values())]]
    for part in dict.fromkeys(part for each in held.values() for part in each):
        cells = [in_bytes(each[part]) if part in each else "–" for each in held.values()]
        rows.append([part.capitalize(), *cells])
    sums = [sum(each.values()) for each in held.values()]
    rows.append(["**Through every step**", *(f"**{in_bytes(each)}**" for each in sums)])
    rows.append(["Bytes a parameter", *(f"{each / n:.4g}" for each in sums)])
    for title, checkpointed in (("Activations", False), ("Activations, checkpointed", True)):
        kept = [
            recipe_activations(
                config,
                key,
                batch_size=serving.n_texts,
                n_tokens=serving.n_tokens,
                is_checkpointed=checkpointed,
            )
            for key in RECIPES
        ]
        rows.append([title, *(in_bytes(each) for each in kept)])
    return showing.markdown_table(rows, "lrr")
