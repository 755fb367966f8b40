"""What each part is for: tasks against models that lack something."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import streamlit as st

from explorer import content, link, showing
from explorer.compare import opening
from explorer.compare.ladder import holm_in_words
from explorer.compare.naming import measured
from explorer.figures.task_map import task_map
from explorer.recorded import open_recorded, say_recorded
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.results import Comparison, Results, SideResult
from tiny_llama.comparing.tasks import LACKING, WHOLE
from tiny_llama.corpora import CORPORA

MODELS: Mapping[str, str] = {
    WHOLE: "whole",
    **{name: name.replace("-", " ", 1) for name in LACKING},
}
"""Models, from the whole one on, by what they lack."""


class Table:
    """The sides of an experiment by task and model.

    Args:
        results: of an experiment of `tiny_llama.comparing.tasks`, over or not.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._sides = {side.name: side for side in results.sides}
        self._comparisons = {each.first: each for each in results.comparisons}

    @cached_property
    def tasks(self) -> list[str]:
        """Names of tasks, in the order of the plan."""
        return list(dict.fromkeys(name.partition("_")[0] for name in self._sides))

    @cached_property
    def models(self) -> list[str]:
        """Names of models, as `MODELS` has them."""
        found = {name.partition("_")[2] for name in self._sides}
        return [name for name in MODELS if name in found]

    def side(self, task: str, model: str) -> SideResult:
        """Give what a model came to on a task."""
        return self._sides[f"{task}_{model}"]

    def comparison(self, task: str, model: str) -> Comparison | None:
        """Judge a model by the whole one on a task; None for the whole one itself."""
        return self._comparisons.get(f"{task}_{model}")

    def sentence(self, task: str, model: str) -> str:
        """Say what a model came to on a task, and what can be concluded, in Markdown."""
        side = self.side(task, model)
        title = f"**{content.escaped(MODELS[model].capitalize())}** on {task_title(task)}"
        if side.mean is None:
            return f"{title}: no run is done yet."
        spread = "" if side.sd is None else f" ± {side.sd:.1%}"
        said = f"{title}: {side.mean:.1%}{spread} right over {len(side.finals)} seeds"
        comparison = self.comparison(task, model)
        if comparison is None:
            return f"{said}."
        verdict = comparison.judgement.verdict
        return f"{said}, {self.side(task, WHOLE).mean or 0:.1%} whole. Verdict: **{verdict}**."


def task_title(task: str) -> str:
    """Say what a task is called within a line."""
    return CORPORA[task].title.lower()


def show(stage: Stage) -> None:
    """Show the recorded tasks."""
    (found,) = open_recorded("tasks")
    draw(stage, found.results)
    say_recorded(stage, found)


def draw(stage: Stage, results: Results) -> None:
    """Draw tasks against models as far as they have come, and one cell of it in words."""
    table = Table(results)
    with stage.controls:
        task, model = _choose(table)
        st.markdown(table.sentence(task, model))
        setup = opening.side_setup(results, f"{task}_{model}")
        opening.offer_training(setup, "Train this one")
    picture = task_map(
        [CORPORA[each].title for each in table.tasks],
        [MODELS[each] for each in table.models],
        [[table.side(t, m).mean for m in table.models] for t in table.tasks],
        [[_hint(table, t, m) for m in table.models] for t in table.tasks],
        (table.tasks.index(task), table.models.index(model)),
    )
    showing.draw(picture, key="task_map", on_press=lambda point: _look_at(table, point))
    with stage.below:
        st.header("Every cell in words", anchor=False)
        st.markdown(verdicts_table(table))
        st.markdown(holm_in_words(len(results.comparisons)))
        st.caption(
            f"Judged by {measured(results.plan)}, on exercises that were in no training text."
        )


def _look_at(table: Table, point: Mapping[str, Any]) -> None:
    """Choose the cell that was pressed."""
    titles = {CORPORA[name].title: name for name in table.tasks}
    models = {MODELS[name]: name for name in table.models}
    link.put(task=titles[point["y"]], lacking=models[point["x"]])


def _choose(table: Table) -> tuple[str, str]:
    task = choose_named("Task", {t: CORPORA[t].title for t in table.tasks}, key="task")
    lacking = {name: MODELS[name].capitalize() for name in table.models}
    return task, choose_named("Model", lacking, key="lacking", usual="no-positions")


def _hint(table: Table, task: str, model: str) -> str:
    return table.sentence(task, model).replace("**", "").replace("\\", "")


def verdicts_table(table: Table) -> str:
    """Give a row for each task, with what each model lost and the verdict, in Markdown."""
    heads = ["Task", *(MODELS[model] for model in table.models)]
    rows = [
        [CORPORA[task].title, *(_cell(table, task, model) for model in table.models)]
        for task in table.tasks
    ]
    return showing.markdown_table([heads, *rows], "l" + "r" * len(table.models))


def _cell(table: Table, task: str, model: str) -> str:
    side, comparison = table.side(task, model), table.comparison(task, model)
    if side.mean is None:
        return "–"
    if comparison is None:
        return f"{side.mean:.1%}"
    return f"{side.mean:.1%}, {comparison.judgement.verdict}"
