"""Several texts side by side, each by its own seed."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer import link, showing
from explorer.engine.server.answer_cache import Answer
from explorer.figures.samples import sample_surprise
from explorer.inside.generation import sampling
from explorer.inspection import Inspection
from explorer.stage import Stage

_MOST_SAMPLES = 6
_MOST_TOKENS = 200
_COLUMNS = 3


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what the model writes after the text, once for each seed."""
    settings = sampling.settings()
    seeds, n_tokens = _sizes()
    answer = inspection.analyse(
        "samples", text=inspection.text, seeds=seeds, n_tokens=n_tokens, **settings
    )
    _texts(answer, seeds)
    if inspection.reading["n_left_out"]:
        st.caption(
            "They go on from the end of the whole text, of which the model reads no more than its "
            "context holds."
        )
    showing.draw(sample_surprise(seeds, answer["log_probabilities"]), key="sample_surprise")
    st.markdown(numbers_table(answer, seeds))
    stage.explain(
        code="tiny_llama.generation:generate",
        tensor=showing.LiveTensor(
            path="ln of the model's own probability of each token written",
            axes="sample t",
            values=answer["log_probabilities"],
        ),
    )


def _sizes() -> tuple[list[int], int]:
    first, number, length = st.columns(3)
    with first:
        seed = sampling.seed("Seed of the first text")
    n_samples = link.widget(
        number.slider, "n_samples", "Texts", min_value=1, max_value=_MOST_SAMPLES
    )
    n_tokens = link.widget(
        length.slider,
        "sample_length",
        "Tokens of each",
        min_value=10,
        max_value=_MOST_TOKENS,
        step=10,
    )
    return [(seed + number) % 2**32 for number in range(n_samples)], n_tokens


def _texts(answer: Answer, seeds: Sequence[int]) -> None:
    columns = st.columns(min(_COLUMNS, len(seeds)))
    for number, (seed, tokens) in enumerate(zip(seeds, answer["tokens"], strict=True)):
        with columns[number % len(columns)]:
            st.caption(f"Seed {seed}")
            st.code("".join(tokens), language=None, wrap_lines=True)


def numbers_table(answer: Answer, seeds: Sequence[int]) -> str:
    """How likely each text was, in Markdown."""
    rows = [
        "| Seed | −ln probability, nats | A token | Perplexity | A token, as drawn "
        "| Same as the first for |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    own, drawn = -answer["log_probabilities"], -answer["draw_log_probabilities"]
    for number, seed in enumerate(seeds):
        same = _n_same(answer["tokens"][0], answer["tokens"][number])
        rows.append(
            f"| {seed} | {own[number].sum():.1f} | {own[number].mean():.3f} "
            f"| {np.exp(own[number].mean()):.2f} | {drawn[number].mean():.3f} "
            f"| {f'{same} tokens' if number else '–'} |"
        )
    return "\n".join(rows)


def _n_same(one: Sequence[str], other: Sequence[str]) -> int:
    """How many tokens two texts share before they part."""
    pairs = zip(one, other, strict=True)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), len(one))
