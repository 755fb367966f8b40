"""Measured elsewhere: what others published of LLaMA's components, beside what was found here."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer import content, showing
from explorer.compare import ladder
from explorer.compare.naming import counted, value_title
from explorer.figures.amounts import in_short, in_words
from explorer.figures.findings import Finding, findings, flips
from explorer.figures.published import Pair, dumbbells
from explorer.home.headline import headline
from explorer.home.tables import duels
from explorer.home.training_facts import trained_models
from explorer.recorded import open_recorded, say_recorded
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.results import Results
from tiny_llama.comparing.verdicts import Verdict

Row = Mapping[str, Any]
COMPONENTS: Mapping[str, str] = {
    "position": "RoPE",
    "norm": "RMSNorm",
    "feed_forward": "SwiGLU",
}
"""Components of which others have published losses, by their setting."""
LAB, REAL = "cs336", "real"
CLAIMS = {
    **{slot: f"{title}: published and here" for slot, title in COMPONENTS.items()},
    LAB: "One lab, three single runs",
    REAL: "LLaMA against GPT-3, real size",
}


def show(stage: Stage) -> None:
    """Show what was published of one component, or of LLaMA as a whole."""
    with stage.controls:
        claim = choose_named("What was measured", CLAIMS, key="claim")
    if claim == LAB:
        _lab(stage)
    elif claim == REAL:
        _real(stage)
    else:
        _component(stage, claim)


def _component(stage: Stage, slot: str) -> None:
    """Show the published losses of a component, and ours where they were recorded."""
    published = losses(slot)
    experiments = open_recorded(*ladder.ORDERS)
    ours = {each.name: each.results for each in experiments}
    st.markdown(holds_here(slot, published, list(ours.values())))
    rows = [*map(_published, published), *_ours(slot, ours)]
    picture = findings(rows, x="Change of the loss, %")
    showing.draw(picture, key="findings")
    with stage.below:
        st.header("Size, data, runs and source", anchor=False)
        st.markdown(losses_table(published))
        _remarks(slot)
        showing.cite_all(published)
    say_recorded(stage, *experiments)


def losses(slot: str) -> Sequence[Row]:
    """Give the published losses of a component with and without it."""
    rows: Sequence[Row] = content.facts("ablations")["losses"]
    return [row for row in rows if row["slot"] == slot]


def _percent(row: Row) -> float:
    return float(100 * (row["with"] / row["without"] - 1))


def _published(row: Row) -> Finding:
    title = f"{row['size']}<br>{row['data']}"
    return Finding(title=title, percent=_percent(row), low=None, high=None, is_ours=False)


def _ours(slot: str, experiments: Mapping[str, Results]) -> list[Finding]:
    """Say by what share LLaMA's choice changed our loss, in each experiment."""
    found = []
    for name, results in experiments.items():
        gains, loss = ladder.gains(results), without(slot, results)
        if slot in gains and loss:
            gain = gains[slot]
            found.append(
                Finding(
                    title=f"Here:<br>{ladder.ORDERS[name]}",
                    percent=-100 * gain.value / loss,
                    low=-100 * gain.high / loss,
                    high=-100 * gain.low / loss,
                    is_ours=True,
                )
            )
    return found


def without(slot: str, results: Results) -> float | None:
    """Give the mean loss of the model without LLaMA's choice in a place."""
    for rung in ladder.rungs_of(results):
        if rung.setting == slot:
            pair = rung.comparison
            side = pair.second if ladder.is_ladder(results) else pair.first
            return results.side(side).mean
    return None


def holds_here(slot: str, published: Sequence[Row], experiments: Sequence[Results]) -> str:
    """Say whether what was published holds at our size, by the verdicts, in Markdown."""
    title, n = COMPONENTS[slot], len(published)
    n_lower = sum(_percent(row) < 0 for row in published)
    verdicts = [verdict for each in experiments for verdict in verdicts_of(slot, each)]
    said = f"Published: lower loss with {title} in {n_lower} of {n}. Here, of {len(verdicts)}:"
    return f"**{_conclusion(verdicts)}** {said} {counted(verdicts)}."


def verdicts_of(slot: str, results: Results) -> list[Verdict]:
    """Say what LLaMA's choice in a place was found to be, so far as that is known."""
    rungs = [rung for rung in ladder.rungs_of(results) if rung.setting == slot]
    return [ladder.llamas_verdict(results, rung) for rung in rungs]


def _conclusion(verdicts: Sequence[Verdict]) -> str:
    n_better, n_worse = verdicts.count(Verdict.BETTER), verdicts.count(Verdict.WORSE)
    if verdicts and n_better == len(verdicts):
        return "It holds at our size."
    if n_better and n_worse:
        return "At our size it depends on the rest of the model."
    if n_better:
        return "At our size it holds in part."
    if n_worse or verdicts.count(Verdict.EQUAL):
        return "It does not hold at our size."
    return "Our seeds cannot tell."


def losses_table(rows: Sequence[Row]) -> str:
    """Give a row for each published pair of losses, in Markdown."""
    heads = ["Size", "Data", "With it", "In its place", "Measure", "Runs"]
    cells = [
        [
            row["size"],
            content.escaped(row["data"]),
            f"{row['with']:.3f}",
            f"{row['without']:.3f}, {value_title(row['slot'], row['against'])}",
            row["measure"],
            f"{row['runs']}. {row['note']}".strip(),
        ]
        for row in rows
    ]
    return showing.markdown_table([heads, *cells], "llrrll")


def remarks(slot: str) -> Sequence[Row]:
    """Give what else was published of a component, and of all of them; losses apart."""
    rows: Sequence[Row] = content.facts("ablations")["remarks"]
    return [row for row in rows if row["slot"] in (slot, "")]


def _remarks(slot: str) -> None:
    rows = remarks(slot)
    for row in rows:
        st.markdown(f"- {row['text']}")
    showing.cite_all(rows)


def _lab(stage: Stage) -> None:
    """Show what three students found, each by a single run."""
    lab: Row = content.facts("ablations")["cs336"]
    added = costs(lab)
    flipped = [
        name
        for name in next(iter(added.values()))
        if len({each[name] > 0 for each in added.values()}) > 1
    ]
    st.markdown(
        f"**{len(flipped)} of {len(lab['columns'])} change sign from run to run**: "
        f"{'; '.join(flipped)}. So one run cannot tell."
    )
    showing.draw(flips(added, x="Added to the held-out loss (nats a token)"), key="flips")
    with stage.below:
        st.markdown(f"{lab['setup']}. {lab['diverged']}")
        showing.cite_all([lab])


def costs(lab: Row) -> dict[str, dict[str, float]]:
    """Say what leaving each thing out added to the loss, by report."""
    return {
        f"{in_short(report['tokens'])} tokens": {
            title: report[name] - report["full"] for name, title in lab["columns"].items()
        }
        for report in lab["reports"]
    }


def _real(stage: Stage) -> None:
    """Show what LLaMA's own paper found against GPT-3, as on Home."""
    rows = sorted(duels(), key=lambda duel: -duel.gap)
    st.markdown(f"**{headline()}**")
    pairs = [Pair(label=row.test, ours=row.llama, theirs=row.gpt3) for row in rows]
    showing.draw(dumbbells(pairs, ours="LLaMA-13B", theirs="GPT-3 175B", x="Score, %"), key="real")
    with stage.below:
        st.markdown(what_else_differs())
        told = content.facts("llama_paper")["gpt3_vs_llama13b_derived"]
        st.caption(content.cited(told["source"], told["confidence"]))


def what_else_differs() -> str:
    """Say by how much LLaMA's text differs from GPT-3's, since not the architecture alone does."""
    read = {row["model"]: row["train_tokens"] for rows in trained_models().values() for row in rows}
    return (
        f"That is more than an architecture: LLaMA-13B read {in_words(read['LLaMA-13B'])} tokens, "
        f"GPT-3 175B {in_words(read['GPT-3 175B'])}, of other texts. The race on this page changes "
        f"the architecture alone."
    )
