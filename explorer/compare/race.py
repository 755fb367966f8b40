"""The race: two sides on the same texts in the same order, over several seeds."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.compare import opening
from explorer.compare.curves import ALONG, Along, curves_of, gaps_of
from explorer.compare.naming import measured, side_title, verdict_line
from explorer.figures.compared import Curves, Tried, difference, learning_rates, race
from explorer.recorded import open_recorded, say_recorded
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.plan import MEASURES
from tiny_llama.comparing.power import detectable
from tiny_llama.comparing.results import Comparison, Results, SideResult

PICTURES = {
    "losses": "Both sides",
    "difference": "Their difference",
    "rates": "Learning rates",
    "samples": "What they write",
}
BEGINS = 0.2
"""The share of the training that is left out where the first steep fall would hide all else."""


def show(stage: Stage) -> None:
    """Show the recorded race."""
    (found,) = open_recorded("race")
    draw(stage, found.results)
    say_recorded(stage, found)


def draw(stage: Stage, results: Results, *, offer: Callable[[], None] | None = None) -> None:
    """Draw a race as far as it has come; of more than two sides, the first that are compared.

    Args:
        stage: where it stands.
        results: of an experiment with at least one comparison, over or not.
        offer: draws the ways to the runs of both sides; None: there is no more of them than rows.
    """
    comparison = results.comparisons[0]
    picture, along, begins = _choose(stage)
    st.markdown(verdict_line(results.plan, comparison))
    drawing = {
        "losses": lambda: _losses(results, comparison, along, begins),
        "difference": lambda: _difference(results, comparison, along, begins),
        "rates": lambda: _rates(results, comparison),
        "samples": lambda: _samples(stage, results, comparison),
    }
    drawing[picture]()
    with stage.controls:
        if offer:
            offer()
        else:
            opening.offer_sides(results, _names(comparison))
    with stage.below:
        st.header("What was compared", anchor=False)
        st.markdown(sides_table(results, _names(comparison)))
        for name in _names(comparison):
            if note := results.side(name).note:
                st.caption(f"{content.escaped(side_title(name))}: {content.escaped(note)}")
        for sentence in conclusions(results, comparison):
            st.markdown(f"- {content.escaped(sentence)}")


def _choose(stage: Stage) -> tuple[str, Along, float]:
    """Let the student choose what is drawn, along which axis, and from where on."""
    with stage.controls:
        picture = choose_named("Picture", PICTURES, key="race")
        titles = {name: each.title for name, each in ALONG.items()}
        along = "steps"
        is_whole = False
        if picture in ("losses", "difference"):
            along = choose_named("Along", titles, key="along", as_buttons=True)
            is_whole = link.widget(st.toggle, "whole", "From the first step")
    return picture, ALONG[along], 0.0 if is_whole else BEGINS


def _names(comparison: Comparison) -> tuple[str, str]:
    return comparison.first, comparison.second


def _losses(results: Results, comparison: Comparison, along: Along, begins: float) -> None:
    sides = [curves_of(results, name, along) for name in _names(comparison)]
    if not any(side.seeds for side in sides):
        st.info("No run has been looked at yet; wait for the first.", icon=":material/info:")
        return
    begins = begins * max(float(x[-1]) for side in sides for x, _ in side.seeds)
    y = _axis(results)
    showing.draw(
        race(sides, x=along.axis, y=y, begins=begins, top=_top(sides, begins)), key="race_losses"
    )


def _top(sides: Sequence[Curves], begins: float) -> float:
    """Say where the y axis ends: at the highest value from where the picture begins."""
    seen = [values[places >= begins] for side in sides for places, values in side.seeds]
    values = np.concatenate(seen)
    return float(values.max() + 0.05 * (values.max() - values.min()))


def _difference(results: Results, comparison: Comparison, along: Along, begins: float) -> None:
    gaps = gaps_of(results, *_names(comparison), along)
    if gaps is None:
        st.info("No pair of runs is done yet; wait for the first.", icon=":material/info:")
        return
    first, second = map(side_title, _names(comparison))
    lines = [[d.mean, d.low, d.high] for d in gaps.differences]
    mean, low, high = np.array(lines).T
    picture = difference(
        gaps.places,
        gaps.seeds,
        mean,
        low,
        high,
        begins=begins * float(gaps.places[-1]),
        x=along.axis,
        y=f"{_axis(results)}: {first} less {second}",
    )
    showing.draw(picture, key="race_difference")


def _axis(results: Results) -> str:
    words = measured(results.plan)
    words = words[0].upper() + words[1:]
    return f"{words} (nats a token)" if results.plan.measure == "held_out_loss" else words


def _rates(results: Results, comparison: Comparison) -> None:
    if not results.plan.learning_rates:
        st.info(
            "Only one learning rate was used on each side; the table below says which.",
            icon=":material/info:",
        )
        return
    sides = [_tried(results, name) for name in _names(comparison)]
    picture = learning_rates([side for side in sides if side.rates], y=_axis(results))
    showing.draw(picture, key="race_rates")


def _tried(results: Results, side: str) -> Tried:
    over = [trial for trial in results.trials_of(side) if trial.is_over]
    return Tried(
        title=side_title(side),
        rates=[trial.run.setup.training.learning_rate for trial in over],
        values=[trial.final for trial in over],
        diverged={
            trial.run.setup.training.learning_rate: trial.diverged_at
            for trial in over
            if trial.diverged_at is not None
        },
        best=results.side(side).learning_rate,
    )


def _samples(stage: Stage, results: Results, comparison: Comparison) -> None:
    """Show what both sides wrote, by the same seed, side by side."""
    names = _names(comparison)
    seeds = [
        seed
        for seed in results.plan.seeds
        if set.intersection(*(set(_written(results, name, seed)) for name in names))
    ]
    if not seeds:
        st.info("No run has written anything yet; wait for the first.", icon=":material/info:")
        return
    with stage.controls:
        seed = link.widget(st.selectbox, "race_seed", "Seed", usual=seeds[0], options=seeds)
        written = [_written(results, name, seed) for name in names]
        steps = sorted(set.intersection(*map(set, written)))
        step = link.widget(
            st.select_slider, "race_step", "After step", usual=steps[-1], options=steps
        )
    with st.container(height=420, border=False, key="scrolled"):
        for name, texts, column in zip(names, written, st.columns(2), strict=True):
            with column:
                st.markdown(f"**{content.escaped(side_title(name))}**, after {step:,} steps")
                st.code(texts[step], language=None, wrap_lines=True)


def _written(results: Results, side: str, seed: int) -> Mapping[int, str]:
    """Give what a run has written, by the step after which it did."""
    return next((run.samples for run in results.runs_of(side) if run.run.seed == seed), {})


def sides_table(results: Results, names: Sequence[str]) -> str:
    """Give a row for each side, in Markdown: its size, its rate, and what its runs came to."""
    measure = measured(results.plan)
    heads = ["Side", "Parameters", "Learning rate", f"{measure}: mean ± sd", "Seeds", "Diverged"]
    rows = [_row(results.side(name)) for name in names]
    return showing.markdown_table([heads, *rows], "lrrrrr")


def _row(side: SideResult) -> list[str]:
    found = "–" if side.mean is None else f"{side.mean:.4f}"
    return [
        content.escaped(side_title(side.name)),
        f"{side.n_parameters:,}",
        f"{side.learning_rate:g}",
        found + ("" if side.sd is None else f" ± {side.sd:.4f}"),
        f"{len(side.finals)} of {side.n_seeds}",
        str(side.n_diverged),
    ]


def conclusions(results: Results, comparison: Comparison) -> list[str]:
    """Say what was found, what it is worth, and what so many seeds can find at all."""
    judgement, found = comparison.judgement, comparison.judgement.difference
    said = [judgement.sentence(MEASURES[results.plan.measure][0])]
    if comparison.worth:
        said.append(comparison.worth.sentence)
    if found.n > 1 and found.sd:
        least = found.sd * detectable(found.n, n_comparisons=judgement.n_comparisons)
        said.append(
            f"The {found.n} differences have a standard deviation of {found.sd:.4f}. So many seeds "
            f"find a difference of {least:.4f} or more in 8 of 10 cases."
        )
    return [*said, *results.plan.notes]
