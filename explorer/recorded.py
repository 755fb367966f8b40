"""Experiments that were run once, by a script, and come with the app."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import streamlit as st

from explorer import content, showing
from explorer.figures.amounts import in_time
from explorer.stage import Stage
from tiny_llama.comparing.plan import read_plan
from tiny_llama.comparing.results import Results, read_results
from tiny_llama.errors import UserError
from tiny_llama.files import read_json

ABOUT = "recorded.json"
"""What an experiment's folder says of its recording: day, machine, versions, seconds."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An experiment that was run once."""

    name: str
    """Of its folder, and of its file in `experiments/`."""
    results: Results
    about: Mapping[str, Any]
    """As `recorded.json` has it."""


@cache
def recorded(name: str) -> Recorded:
    """Give a recorded experiment by its name; it is read once.

    Raises:
        UserError: if it is not there, or damaged.
    """
    folder = content.RECORDED / name
    return Recorded(
        name=name,
        results=read_results(folder, read_plan(folder)),
        about=read_json(folder / ABOUT),
    )


def open_recorded(*names: str) -> list[Recorded]:
    """Give recorded experiments by their names, or end the page with why that cannot be."""
    try:
        return [recorded(name) for name in names]
    except UserError as error:
        showing.stop(str(error))


def say_recorded(stage: Stage, *experiments: Recorded) -> None:
    """Say that what is shown was recorded, and below, as the next thing there, how to repeat it."""
    with stage.words:
        st.caption(_how_recorded(experiments))
    with stage.below:
        st.header("To run it again", anchor=False)
        lines = [_LINE.format(name=each.name) for each in experiments]
        st.code("\n".join(lines), language=None, wrap_lines=True)


_LINE = "python -m tiny_llama sweep experiments/{name}.toml --out my-{name}"


def _how_recorded(experiments: Sequence[Recorded]) -> str:
    abouts = [each.about for each in experiments]
    n_over, n_runs, seconds = (
        sum(each[name] for each in abouts) for name in ("n_over", "n_runs", "seconds")
    )
    about, titles = abouts[-1], [each.results.plan.title for each in experiments]
    what = titles[0] if len(titles) == 1 else f"{len(titles)} experiments"
    processor, title = (content.escaped(text) for text in (str(about["processor"]), what))
    return (
        f":material/history: **Recorded** on {about['date']}, on one thread of {processor}: "
        f"{title}. {n_over:,} of {n_runs:,} runs in {in_time(seconds)}."
    )
