"""The published results: one table at a time, as a chart that can be sorted and filtered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from explorer import content, glossary, link, showing
from explorer.figures.published import Bar, bars
from explorer.home.tables import FAMILIES, LLAMA, Entry, Table, tables
from explorer.stage import Stage
from explorer.widgets import choose_named

SORTS = {"score": "Score", "size": "Size of the model", "name": "Name"}
BETTER = {"higher": "Higher is better.", "lower": "Lower is better."}


def show(stage: Stage) -> None:
    """Show one measure of one table, and below it all numbers of that table."""
    with stage.controls:
        name, measure, sort = _choose()
        table = tables()[name]
        kept = _filter(table)
    with stage.words:
        st.caption(glossary.marked(content.home(f"table_{name}")))
    if not kept:
        st.info("None of these models is in this table; choose others beside it.")
        return
    rows = in_order(kept, measure, sort, table.better)
    title = f"{table.title}, {table.measures[measure]}"
    picture = bars(
        [_bar(entry, measure, table.decimals) for entry in rows],
        title=title,
        x=f"{table.measures[measure]}: {table.unit}",
    )
    showing.draw(picture, key=f"results_{name}")
    _say(table, rows, measure)
    with stage.below:
        _numbers(table, rows)
        showing.cite_all(
            [{"source": entry.source, "confidence": entry.confidence} for entry in rows]
        )


def _choose() -> tuple[str, str, str]:
    """Let the student choose table, measure and order, each from a list."""
    titles = {name: f"{table.title} (Table {table.number})" for name, table in tables().items()}
    name = choose_named("Table", titles, key="table")
    with st.grid(2, min_column_width=90, gap="xsmall"):
        measure = choose_named("Measure", tables()[name].measures, key="measure")
        sort = choose_named("Sorted by", SORTS, key="sort")
    return name, measure, sort


def _filter(table: Table) -> list[Entry]:
    """Keep the rows of the families that the student wants to see; all, if none is named."""
    chosen = link.widget(
        st.pills,
        "families",
        "Only these models",
        options=FAMILIES,
        selection_mode="multi",
        help=_ALL,
    )
    return [entry for entry in table.entries if not chosen or entry.family in chosen]


_ALL = "Choose any number; none shows all."


_SORT: Mapping[str, Callable[[Entry], object]] = {
    "size": lambda entry: (-entry.parameters, entry.label),
    "name": lambda entry: (entry.model.casefold(), -entry.parameters),
}


def in_order(entries: Sequence[Entry], measure: str, sort: str, better: str) -> list[Entry]:
    """Sort rows; by score, the best stands first, and those without one last."""

    def by_score(entry: Entry) -> tuple[bool, float]:
        score = entry.scores[measure]
        if score is None:
            return True, 0.0
        return False, score if better == "lower" else -score

    return sorted(entries, key=_SORT.get(sort, by_score))  # type: ignore[arg-type]


def _bar(entry: Entry, measure: str, decimals: int) -> Bar:
    score = entry.scores[measure]
    return Bar(
        label=entry.label,
        value=score,
        words="" if score is None else f"{score:.{decimals}f}",
        is_ours=entry.model.startswith(LLAMA),
        is_read=measure in entry.read_from_figure,
    )


def _say(table: Table, rows: Sequence[Entry], measure: str) -> None:
    """Say which end is the better one, and how gaps and stripes are to be read."""
    words = [BETTER.get(table.better, "")]
    if any(row.scores[measure] is None for row in rows):
        words.append("Where the paper prints nothing, the row stays empty.")
    if any(row.read_from_figure for row in rows):
        words.append("Striped bars were read off a figure by the paper's authors.")
    st.caption(" ".join(words))


def _numbers(table: Table, rows: Sequence[Entry]) -> None:
    """Show all numbers of the table; a press on a head sorts by it."""
    frame = pd.DataFrame(
        [
            {"Model": row.label}
            | {title: row.scores[name] for name, title in table.measures.items()}
            for row in rows
        ]
    )
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="–",
        key="results_numbers",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True),
            **{title: _number(table.decimals) for title in table.measures.values()},
        },
        alt=f"All numbers of Table {table.number}, {table.title}.",
    )


def _number(decimals: int) -> Any:
    return st.column_config.NumberColumn(format=f"%.{decimals}f")
