"""Several texts side by side, each by its own seed."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.beside import say_whose, side_by_side
from explorer.engine.server.answer_cache import Answer
from explorer.figures.samples import sample_surprise
from explorer.inside.generation import sampling
from explorer.inspection import Inspection
from explorer.stage import Stage

_MOST_SAMPLES = 6
_MOST_TOKENS = 200
_COLUMNS = 3
_END = 20
"""Characters of the given text that are shown over what follows it."""
_LONG, _LINES = 130, 3
"""Characters and line breaks of a text that is scrolled."""
_HEIGHT = 128
"""How high such a one is, in pixels."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Show what the model writes after the text, once for each seed."""
    with stage.controls:
        seeds, n_tokens = _sizes()
        settings = sampling.settings()

    def ask(model: Inspection) -> Answer:
        return model.analyse("samples", text=model.text, seeds=seeds, n_tokens=n_tokens, **settings)

    def draw(model: Inspection, answer: Answer, answers: Sequence[Answer]) -> None:
        _texts(answer, seeds, model.text, n_columns=1 if model.is_half else _COLUMNS)
        most = 1.05 * max(_highest(each) for each in answers) if model.is_half else None
        picture = sample_surprise(seeds, answer["log_probabilities"], most=most)
        showing.draw(picture, key=model.key("sample_surprise"))

    answers = side_by_side(inspection, ask, draw)
    with stage.below:
        if inspection.reading["n_left_out"]:
            st.caption(
                "They go on from the end of the whole text, of which the model reads no more than "
                "its context holds."
            )
        for model, each in zip(inspection.models, answers, strict=False):
            say_whose(model, inspection)
            st.markdown(numbers_table(each, seeds))
    stage.explain(
        code="tiny_llama.generation:generate",
        tensor=showing.LiveTensor(
            path="ln of the model's own probability of each token written",
            axes="sample t",
            values=answers[0]["log_probabilities"],
        ),
    )


def _sizes() -> tuple[list[int], int]:
    """Let the student choose the seeds, and how many tokens each text has."""
    again, more = st.columns(2)
    with more.popover("How many", width="stretch"):
        n_samples = link.widget(
            st.slider, "n_samples", "Texts", folded=True, min_value=1, max_value=_MOST_SAMPLES
        )
        n_tokens = link.widget(
            st.slider,
            "sample_length",
            "Tokens of each",
            folded=True,
            min_value=10,
            max_value=_MOST_TOKENS,
            step=10,
        )
        seed = sampling.seed("First seed")
    again.button(
        "Draw anew",
        key="draw_anew",
        icon=":material/casino:",
        width="stretch",
        help="Draws other texts, by the seeds that follow.",
        on_click=partial(link.put, **{sampling.SEED: sampling.following(seed, n_samples)}),
    )
    return [sampling.following(seed, number) for number in range(n_samples)], n_tokens


def _highest(answer: Answer) -> float:
    """Give the −ln of the probability of the least likely text."""
    return float(-answer["log_probabilities"].sum(1).min())


def _texts(answer: Answer, seeds: Sequence[int], given: str, *, n_columns: int) -> None:
    """Show the texts side by side, and over each what it goes on from; long ones scroll."""
    columns = st.columns(min(n_columns, len(seeds)), gap="small")
    end = content.escaped(" ".join(given.split())[-_END:])
    for number, (seed, tokens) in enumerate(zip(seeds, answer["tokens"], strict=True)):
        text = "".join(tokens)
        is_long = len(text) > _LONG or text.count("\n") > _LINES
        with columns[number % len(columns)].container(gap="small" if n_columns > 1 else "xsmall"):
            st.caption(f"Seed {seed}, after “…{end}”")
            st.code(text, language=None, wrap_lines=True, height=_HEIGHT if is_long else "content")


def numbers_table(answer: Answer, seeds: Sequence[int]) -> str:
    """Say how likely each text was, in Markdown."""
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
    """Count the tokens that two texts share before they part."""
    pairs = zip(one, other, strict=True)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), len(one))
