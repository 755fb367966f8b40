"""The KV cache: what is stored, how it grows, and what it saves."""

import time
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer import link, showing, state
from explorer.engine.server.answer_cache import Answer
from explorer.figures.amounts import in_bytes
from explorer.figures.kv_cache import CacheSizes, cache_growth, cache_sizes, token_times
from explorer.inspection import Inspection
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import (
    count_parameters,
    forward_flops,
    kv_cache_bytes,
    kv_cache_bytes_per_token,
    next_token_flops,
)
from tiny_llama.menu import POSITION
from tiny_llama.presets import PRESETS

REAL = (
    "llama-1-7b",
    "llama-1-65b",
    "llama-2-70b",
    "llama-3-8b",
    "llama-3.1-405b",
    "mistral-7b",
    "qwen2.5-7b",
    "gemma-2b",
    "gpt3-175b",
)
LENGTHS = [512, 2048, 4096, 8192, 32_768, 131_072]
USUAL_LENGTH = 8192
_TURN = "measuring of the cache"
HALF = 2
"""Bytes of a number in half precision, in which real models usually run."""


_OF = {"real": "Real models", "this": "This model", "time": "Time saved"}


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what real models keep, what this one keeps, or what that saves."""
    config = inspection.run.setup.model
    keeps = bool(config.has_attention and config.n_layers)
    with stage.controls:
        of = choose_named("Cache of", _OF, key="cache_of", as_buttons=True, is_labelled=False)
    if not keeps:
        st.info(
            f"This model keeps nothing: it has no attention (attention='{config.attention}', "
            f"n_layers={config.n_layers}), so no token ever asks for an earlier one."
        )
    if of == "real":
        _real_models(stage)
    elif of == "time":
        _speed(stage, inspection, config)
    elif keeps:
        _this_model(stage, inspection, config)
    if keeps:
        _explain(stage, inspection)


def _this_model(stage: Stage, inspection: Inspection, config: ModelConfig) -> None:
    answer = inspection.analyse("kv_cache", text=inspection.text)
    lengths = [0, config.context]
    lines = {
        heads: [kv_cache_bytes(replace(config, n_kv_heads=heads), length) for length in lengths]
        for heads in head_counts(config.n_heads)
    }
    showing.draw(cache_growth(lengths, lines, config.kv_heads), key="cache_growth")
    stage.below.markdown(_stored(answer, config))


def _stored(answer: Answer, config: ModelConfig) -> str:
    """Say what the cache holds after the text, measured, beside the formula."""
    n, (g, s, e) = answer["n_tokens"], answer["keys"].shape
    a_token = kv_cache_bytes_per_token(config)
    turned = ", turned by their positions," if POSITION[config.position].turns else ""
    return (
        f"After the {n:,} tokens of the text, each of the {answer['n_layers']} layers keeps its "
        f"keys{turned} and its values. These are two tensors `g s e` = {g} × {s:,} × {e}, "
        f"{2 * g * s * e:,} numbers of 4 bytes a layer.\n\n"
        f"| | by formula | measured |\n| --- | ---: | ---: |\n"
        f"| Bytes a token | {a_token:,} | {answer['n_bytes'] / n:,.0f} |\n"
        f"| Bytes after this text | {kv_cache_bytes(config, n):,} | {answer['n_bytes']:,} |\n"
        f"| Bytes at the full context, {config.context:,} tokens "
        f"| {kv_cache_bytes(config, config.context):,} | – |\n"
        f"| Bytes of the weights | {4 * count_parameters(config):,} | – |"
    )


def head_counts(n_heads: int) -> list[int]:
    """List numbers of key/value heads that these query heads can share, from all down to one."""
    return [number for number in range(n_heads, 0, -1) if n_heads % number == 0]


def _real_models(stage: Stage) -> None:
    with stage.controls:
        length = link.widget(
            st.select_slider,
            "cache_length",
            "Tokens of the text",
            usual=USUAL_LENGTH,
            options=LENGTHS,
            format_func="{:,}".format,
        )
    rows = [real_sizes(name, length) for name in REAL]
    showing.draw(cache_sizes(rows, n_tokens=length), key="cache_sizes")
    with stage.below:
        st.markdown(real_table(length))
        st.caption(
            f"One text of {length:,} tokens, {HALF} bytes a number, from the published shapes of "
            "the models. It is counted also where a text is longer than the model was made for. "
            "Many texts at once need as many caches."
        )


def real_sizes(name: str, length: int) -> CacheSizes:
    """Compute a preset's cache with its own, with all and with one key/value head."""
    preset = PRESETS[name]
    config = preset.config
    multi_head, own, multi_query = (
        kv_cache_bytes(replace(config, n_kv_heads=heads), length, bytes_per_number=HALF)
        for heads in (config.n_heads, config.kv_heads, 1)
    )
    return CacheSizes(
        title=preset.title,
        n_heads=config.n_heads,
        kv_heads=config.kv_heads,
        multi_head=multi_head,
        own=own,
        multi_query=multi_query,
    )


def real_table(length: int) -> str:
    """Give the numbers of the real models, in Markdown."""
    rows = [
        "| Model | Heads | KV heads | A token | Cache | As multi-head | As multi-query "
        "| Of its weights | Made for, tokens |",
        "| --- |" + " ---: |" * 8,
    ]
    for name in REAL:
        config, sizes = PRESETS[name].config, real_sizes(name, length)
        a_token = kv_cache_bytes_per_token(config, bytes_per_number=HALF)
        share = sizes.own / (HALF * count_parameters(config))
        rows.append(
            f"| {sizes.title} | {sizes.n_heads} | {sizes.kv_heads}, {sizes.kind} "
            f"| {in_bytes(a_token)} | **{in_bytes(sizes.own)}** | {in_bytes(sizes.multi_head)} "
            f"| {in_bytes(sizes.multi_query)} | {share:.1%} | {config.context:,} |"
        )
    mistral = PRESETS["mistral-7b"]
    rolled = kv_cache_bytes(mistral.config, length, bytes_per_number=HALF, is_rolling=True)
    return "\n".join(rows) + (
        f"\n\n{mistral.title} reads no further back than {mistral.config.window:,} tokens, so a "
        f"cache that drops older ones takes {in_bytes(rolled)}."
    )


def _speed(stage: Stage, inspection: Inspection, config: ModelConfig) -> None:
    turn = state.kept(_TURN, int)
    with stage.controls:
        if st.button("Measure again", icon=":material/timer:", key="measure_speed"):
            turn += 1
            state.keep(_TURN, turn)
    answer = inspection.analyse("cache_speed", turn=turn)
    slow, fast = np.median(answer["without_cache"]), np.median(answer["with_cache"])
    n = config.context
    every, one = (sum(count(config, n).values()) for count in (forward_flops, next_token_flops))
    numbers = {
        "Tokens/s with the cache": f"{1 / fast:,.0f}",
        "without it": f"{1 / slow:,.0f}",
        "measured, faster by": f"{slow / fast:.2g} ×",
        f"operations counted, at {n:,} tokens": f"{every / one:,.0f} × fewer",
    }
    showing.in_one_line(numbers)
    showing.draw(
        token_times(answer["lengths"], answer["with_cache"], answer["without_cache"]),
        key="token_times",
    )
    stage.below.caption(
        f"Measured on this server's machine {_ago(answer['measured_at'])}: one more token after "
        f"texts of {len(answer['lengths'])} lengths up to the context, the fastest of three tries "
        f"each. Tokens/s are those of the middle one of these times. Counted: {every / 1e6:,.1f} "
        f"million operations to read all {n:,} tokens again, {one / 1e6:,.2f} million to read the "
        "last one with the cache. In so small a model most of the time goes into starting each "
        "operation, so the clock shows far less than the count."
    )


def _ago(then: float) -> str:
    seconds = max(0, round(time.time() - then))
    return "just now" if seconds < 5 else f"{seconds:,} seconds ago"


def _explain(stage: Stage, inspection: Inspection) -> None:
    answer = inspection.analyse("kv_cache", text=inspection.text)
    stage.explain(
        code="tiny_llama.parts.attentions.cache:LayerCache.extend",
        tensor=showing.LiveTensor(
            path="blocks.0.attention.rotated_key",
            axes="g s e",
            values=np.asarray(answer["keys"]),
        ),
    )
