"""The panel of one run: what it does, its curves, what it writes; live while it goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, link, session
from explorer.components.live_chart import Line, live_chart
from explorer.engine.run import Run, Series
from explorer.engine.run_state import RunState
from explorer.train import comparison
from tiny_llama.cost import count_parameters

STATUS = {
    RunState.WAITING: "Waiting for memory",
    RunState.STARTING: "Preparing text and model",
    RunState.RUNNING: "Training",
    RunState.PAUSED: "Paused",
    RunState.FINISHED: "Finished",
    RunState.STOPPED: "Stopped",
    RunState.FAILED: "Ended",
    RunState.INTERRUPTED: "Interrupted",
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What can be drawn of a run: a title for the axis, and the series with their names."""

    axis: str
    lines: tuple[tuple[str, str], ...]
    smooth: tuple[str, ...] = ()


CURVES = {
    "Loss": Curve(
        axis="Loss (nats a token)",
        lines=(("loss", "Training"), ("held_out_loss", "Held-out")),
        smooth=("loss",),
    ),
    "Bits per byte": Curve(axis="Held-out bits per byte", lines=(("bits_per_byte", "Held-out"),)),
    "Accuracy": Curve(axis="Share of answers right", lines=(("accuracy", "Held-out"),)),
    "Learning rate": Curve(axis="Learning rate", lines=(("learning_rate", "Learning rate"),)),
    "Gradient norm": Curve(
        axis="Length of the gradient, before clipping",
        lines=(("gradient_norm", "Gradient norm"),),
        smooth=("gradient_norm",),
    ),
    "Seconds a step": Curve(
        axis="Seconds that a step took", lines=(("seconds", "A step"),), smooth=("seconds",)
    ),
}
Stage = tuple[object, ...]
AXES = {"Steps": "Step", "Tokens": "Tokens", "Seconds": "Seconds of training"}


@dataclass(frozen=True, kw_only=True)
class CurveOptions:
    """How the student wants the curves drawn."""

    curve: str
    axis: str
    log: bool
    earlier: bool


def panel() -> DeltaGenerator:
    """Make the place where all of a run stands, close together."""
    return st.container(key="run", gap="xsmall")


def row_of_play() -> DeltaGenerator:
    """Make the line above the chart: what to do with the run, and how its curves are drawn."""
    return st.container(
        horizontal=True, gap="xsmall", vertical_alignment="center", key="row_of_play"
    )


def show(run: Run, stage: Stage, options: CurveOptions) -> None:
    """Show a run, live while it moves.

    Args:
        run: the run.
        stage: how it stood before anything of the page was drawn; see `stage_of`.
        options: how its curves are drawn.
    """
    session.live(_live, lambda: _refresh_seconds(run))(run.id, options, stage)


def stage_of(run: Run) -> Stage:
    """Give what decides how the page around the live part looks.

    To be taken before that is drawn: a run may move on meanwhile, and the live part then has the
    page drawn anew.
    """
    return run.status, run.message, bool(run.measured), session.is_mine(run)


def curve_options(run: Run) -> CurveOptions:
    """Let the student choose what is drawn, and how; one press away."""
    with st.popover("Curve", icon=":material/show_chart:", key="curve_options"):
        curve = link.widget(st.selectbox, "curve", "Curve", options=list(CURVES), folded=True)
        axis = link.widget(
            st.segmented_control,
            "axis",
            "Against",
            options=list(AXES),
            required=True,
            folded=True,
        )
        log = link.widget(st.toggle, "log", "Log scale", folded=True)
    with st.popover("Compare", icon=":material/stacked_line_chart:", key="compare"):
        earlier = comparison.choose()
        comparison.list_runs(run)
    return CurveOptions(curve=str(curve), axis=str(axis), log=log, earlier=earlier)


def _live(run_id: str, options: CurveOptions, stage: Stage) -> None:
    run = session.engine().poll(run_id)
    if run is None or stage_of(run) != stage:
        st.rerun()  # the whole page looks different now
    others = session.overlaid_runs(run) if options.earlier else []
    if run.status != RunState.RECORDED:  # which is at its end, as is said above it
        _progress(run)
    comparison.result(run, others)
    _chart(run, others, options)
    _samples(run)


def _refresh_seconds(run: Run) -> float | None:
    """Say how often to ask for news; of a recorded run there are none.

    It is twice as often for the few moments before the first step, and rarely of a run that
    stands still, which its owner may move from another tab.
    """
    if run.status == RunState.RECORDED:
        return None
    if not run.is_moving:
        return session.SLOWEST_SECONDS
    return session.refresh_seconds() / (2 if run.status == RunState.STARTING else 1)


def _progress(run: Run) -> None:
    steps = run.setup.training.steps
    words = f"{STATUS[run.status]}: step {run.step:,} of {steps:,}"
    if run.is_moving and run.status is not RunState.WAITING:
        words += f" · {_share(run)}"
    st.progress(min(1.0, run.step / steps), words)


def _share(run: Run) -> str:
    """Say how the worker is shared, in one sentence."""
    share = session.engine().share(run)
    if share.n_all_runs == 1:
        return "The only run now: it has a worker to itself."
    workers = "1 worker" if share.n_workers == 1 else f"{share.n_workers} workers"
    turn = "all turns of one" if share.n_turns == 1 else f"1 turn in {share.n_turns}"
    return f"{share.n_all_runs} runs share {workers}; this one gets {turn}."


def _chart(run: Run, others: Sequence[Run], options: CurveOptions) -> None:
    curve = CURVES[options.curve]
    ends = {
        "Steps": run.setup.training.steps,
        "Tokens": run.setup.training.steps * run.setup.tokens_a_step,
    }
    live_chart(
        lines_of([run, *others], curve, options.axis, current=run),
        key="run_chart",
        y_title=curve.axis,
        x_title=AXES[options.axis],
        log_y=options.log,
        max_x=ends.get(options.axis),
        numbers=_numbers(run),
        alt=f"{curve.axis} against {AXES[options.axis].lower()}.",
    )


def lines_of(
    runs: Sequence[Run], curve: Curve, axis: str, current: Run | None = None
) -> list[Line]:
    """Give the lines of runs, each in a colour of its own where there are several.

    Args:
        runs: whose lines.
        curve: what is drawn.
        axis: against what; one of `AXES`.
        current: the run on the screen, if it is among them.
    """
    colours = comparison.colours(runs) if current is None or len(runs) > 1 else {}
    return [
        line
        for each in runs
        for line in _lines(each, curve, axis, each is current, colours.get(each.id))
    ]


def _lines(
    run: Run, curve: Curve, axis: str, is_current: bool, colour: int | None
) -> Iterator[Line]:
    """Yield a run's lines; among several runs it has a colour, and its name at its first line."""
    name, is_named = session.run_name(run), False
    for series, title in curve.lines:
        if not (is_current or run.series[series].steps):
            continue
        yield Line(
            name=series,
            title=title if is_current else f"{name}, {title.lower()}",
            x=_places(run, run.series[series], axis),
            values=run.series[series].values,
            run=run.id,
            smooth=series in curve.smooth,
            colour=colour,
            label="" if colour is None or is_named else name,
        )
        is_named = True


def _places(run: Run, series: Series, axis: str) -> Sequence[float]:
    """Say where the points of a series stand on the x axis."""
    if axis == "Seconds":
        return series.seconds
    return series.steps if axis == "Steps" else Scaled(series.steps, run.setup.tokens_a_step)


class Scaled(Sequence[float]):
    """A growing sequence times a number, of which only what is asked for is computed."""

    def __init__(self, numbers: Sequence[float], factor: int) -> None:
        self.numbers, self.factor = numbers, factor

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: Any) -> Any:
        return np.multiply(self.numbers[place], self.factor, dtype=np.float64)


def _numbers(run: Run) -> list[tuple[str, str, str]]:
    """Give the tiles above the chart: label, value, and what it says exactly."""
    third = (
        ("Accuracy", _last(run, "accuracy", "{:.0%}"), "Share of held-out answers that are right")
        if run.series["accuracy"].steps
        else (
            "Bits per byte",
            _last(run, "bits_per_byte", "{:.2f}"),
            content.meaning("bits per byte"),
        )
    )
    numbers = [
        ("Training loss", _last(run, "loss", "{:.3f}"), content.meaning("loss")),
        ("Held-out loss", _last(run, "held_out_loss", "{:.3f}"), content.meaning("held-out")),
        third,
        ("Learning rate", _last(run, "learning_rate", "{:.2g}"), content.meaning("learning rate")),
        ("Gradient norm", _last(run, "gradient_norm", "{:.2f}"), content.meaning("gradient norm")),
        ("Parameters", f"{count_parameters(run.setup.model):,}", content.meaning("parameter")),
    ]
    if run.status != RunState.RECORDED:  # another machine's speed says nothing about this one
        numbers += [
            ("Tokens a second", _tokens_a_second(run), "At its share of the worker"),
            ("Time left", _duration(run.seconds_left()), "At its present pace")
            if run.is_moving
            else ("Trained for", _duration(run.seconds), "Waiting for others left out"),
        ]
    return numbers


def tiles(run: Run) -> list[tuple[str, str, str, str]]:
    """Give the tiles of a run that a browser trains: label, series, value, and what it says.

    The browser knows the values, but for one.
    """
    n_parameters = f"{count_parameters(run.setup.model):,}"
    return [
        ("Training loss", "loss", "", content.meaning("loss")),
        ("Held-out loss", "held_out_loss", "", content.meaning("held-out")),
        ("Bits per byte", "bits_per_byte", "", content.meaning("bits per byte")),
        ("Learning rate", "learning_rate", "", content.meaning("learning rate")),
        ("Gradient norm", "gradient_norm", "", content.meaning("gradient norm")),
        ("Parameters", "", n_parameters, content.meaning("parameter")),
        ("Tokens a second", "tokens_a_second", "", "In this browser"),
        ("Time left", "time_left", "", "At its present pace"),
    ]


def _last(run: Run, name: str, form: str) -> str:
    value = run.last(name)
    return "–" if value is None else form.format(value)


def _tokens_a_second(run: Run) -> str:
    pace = run.steps_a_second()
    if pace is None and not run.is_moving and run.seconds:
        pace = run.step / run.seconds  # over all of its own turns
    return "–" if pace is None else f"{pace * run.setup.tokens_a_step:,.0f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _samples(run: Run) -> None:
    """Show the newest text that the model wrote, and let the student go back to earlier ones."""
    with st.container(key="samples", gap=None):
        if not run.samples:
            st.caption("What the model writes shows here as soon as it is ready.")
            return
        (first, untrained), *later = run.samples
        before, after = st.columns(2, gap="small")
        with before, st.container(gap=None):
            st.caption("Written before training" if first == 0 else f"Written after step {first:,}")
            st.code(untrained, language=None, wrap_lines=True)
        with after, st.container(gap=None):
            if later:
                _later_sample(dict(later))
            else:
                st.caption("The next text comes while it trains.")


def _later_sample(texts: Mapping[int, str]) -> None:
    steps = list(texts)
    session.sample_step(steps)
    step = steps[-1]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = st.empty()
        if len(steps) > 1:
            step = st.select_slider(
                "Written after step",
                steps,
                key="sample_step",
                format_func="After step {:,}".format,
                label_visibility="collapsed",
            )
        said.caption(f"Written after step {step:,}", width="content")
    st.code(texts[step], language=None, wrap_lines=True)
