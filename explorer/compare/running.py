"""A race or a ladder that is run here: started, followed live, and concluded."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from explorer import content, link, session, showing
from explorer.compare import ladder, race, steering
from explorer.compare.choosing import LEAST_SEEDS, MOST_SEEDS, Choice, choose, plan_of
from explorer.compare.curves import ALONG, Along
from explorer.compare.naming import measured, title_in, verdict_line
from explorer.compare.opening import offer_both, offer_looks
from explorer.components.live_chart import Line, live_chart
from explorer.engine.experiment import (
    Experiment,
    ExperimentState,
    words_of,
)
from explorer.figures.seeds import detectable_differences
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.comparing.plan import Run as Planned
from tiny_llama.comparing.power import detectable
from tiny_llama.comparing.results import Results, read_results
from tiny_llama.errors import UserError


def show(stage: Stage) -> None:
    """Show the experiment that the link names, or let the student choose one and start it."""
    if not (name := link.value("experiment")):
        _prepare(stage)
    elif (experiment := session.engine().experiment(name)) is None:
        st.info("The link's experiment is not on this server any more.", icon=":material/info:")
        _prepare(stage)
    else:
        _follow(stage, experiment)


# Before it starts.


def _prepare(stage: Stage) -> None:
    with stage.controls:
        choice = choose()
        with st.container(horizontal=True, gap="small"):
            is_pressed = st.button(
                "Start", icon=":material/play_arrow:", type="primary", key="start_race"
            )
            steering.offer_own(_look_at, compares=True)
    numbers = range(LEAST_SEEDS, MOST_SEEDS + 1)
    n_comparisons = choice.n_comparisons
    st.markdown(telling(choice.n_seeds, n_comparisons))
    found = [detectable(n, n_comparisons=n_comparisons) for n in numbers]
    showing.draw(detectable_differences(numbers, found, choice.n_seeds), key="seeds_picture")
    with stage.controls:
        if is_pressed:
            steering.start(lambda: plan_of(choice), _look_at)
        st.fragment(_say_how_long)(choice)


def telling(n_seeds: int, n_comparisons: int = 1) -> str:
    """Say what a number of seeds can tell of two sides, or of several pairs, in Markdown."""
    least = detectable(n_seeds, n_comparisons=n_comparisons)
    together = f", though {n_comparisons} are judged together" * (n_comparisons > 1)
    return (
        f"With **{n_seeds} seeds**, a difference of **{least:.1f} standard deviations** between "
        f"paired runs is found in 8 of 10 cases{together}."
    )


def _look_at(name: str) -> None:
    link.put(experiment=name)


def _say_how_long(choice: Choice) -> None:
    steering.say_how_long(
        lambda: plan_of(choice), "All sides read the same texts in the same order."
    )


# While it goes on, and after.


def _follow(stage: Stage, experiment: Experiment) -> None:
    drawn = steering.stage_of(experiment)
    is_running = experiment.state is ExperimentState.RUNNING
    with stage.controls:
        another = "New ladder" if _is_ladder(experiment) else "New race"
        steering.steer(experiment, _look_at, another=another)
        usual = _is_best_followed(experiment)
        follows = is_running and link.widget(st.toggle, "live", "Follow live", usual=usual)
        along = "steps"
        if follows:
            titles = {name: each.title for name, each in ALONG.items()}
            along = choose_named("Along", titles, key="along", as_buttons=True)
            _offer_runs(experiment)
    if experiment.message:
        st.warning(content.escaped(experiment.message), icon=":material/warning:")
    if follows:
        st.html(Path(__file__).with_name("running.css"))
    pace = partial(steering.pace, experiment)
    session.live(_live, pace)(experiment.id, drawn, along if follows else "")
    if not follows:
        _conclude(stage, experiment)


def _is_best_followed(experiment: Experiment) -> bool:
    """Tell whether lines say more than what is known: of a ladder, until it has a rung."""
    try:
        return not (_is_ladder(experiment) and ladder.rungs_of(_results(experiment)))
    except UserError:  # it is said where results are shown
        return False


def _live(name: str, drawn: tuple[object, ...], along: str) -> None:
    """Say how far it is, and draw its runs as they go on, if that is wanted."""
    experiment = steering.keep_up(name, drawn)
    if along:
        st.markdown(_so_far(experiment))
        _chart(experiment, along)


def _so_far(experiment: Experiment) -> str:
    """Say what can be concluded by now, in Markdown."""
    if any(not experiment.is_over(each) for each in experiment.trials):
        return "Learning rates are being tried; then each side goes on at its best one."
    comparisons = _results(experiment).comparisons
    if _is_ladder(experiment):
        return ladder.in_a_line(_results(experiment))
    return verdict_line(experiment.plan, comparisons[0]) if comparisons else ""


def _results(experiment: Experiment) -> Results:
    return _read(experiment.id, experiment.n_over, experiment.steps_done // 100)


@st.cache_resource(max_entries=20, show_spinner=False)
def _read(name: str, n_over: int, n_hundreds: int) -> Results:
    """Read results, anew once a run is over or some steps more are done.

    Raises:
        UserError: if a run folder is damaged, or the experiment is gone.
    """
    experiment = session.engine().experiment(name)
    if experiment is None:
        raise UserError("This experiment is not on this server any more; start a new one.")
    return read_results(experiment.folder, experiment.plan)


def _chart(experiment: Experiment, along: str) -> None:
    measure = experiment.plan.measure
    words = measured(experiment.plan)
    y = f"{words[0].upper()}{words[1:]}" + (" (nats a token)" if measure == "held_out_loss" else "")
    live_chart(
        list(_lines(experiment, along)),
        key="race_chart",
        y_title=y,
        x_title=ALONG[along].axis,
        max_x=_end(experiment, ALONG[along]),
        alt=f"{y} against {ALONG[along].title.lower()}, a line for each run that goes on.",
    )


def _lines(experiment: Experiment, along: str) -> Iterator[Line]:
    """Give a line for each run that counts now: those that try rates, or those of the seeds."""
    sides = [*dict.fromkeys(name for pair in experiment.plan.comparisons for name in pair)]
    named: set[str] = set()
    for planned in _shown(experiment):
        run = session.engine().poll(experiment.run_id(planned.name))
        if run is None or planned.side not in sides:
            continue
        series = run.series[experiment.plan.measure]
        title = title_in(experiment.plan, planned.side)
        yield Line(
            name=planned.name,
            title=f"{title}{words_of(planned).removeprefix(planned.side)}",
            x=_places(planned, series.steps[:], series.seconds[:], ALONG[along]),
            values=series.values[:],
            colour=sides.index(planned.side),
            label="" if planned.side in named else title,
        )
        named.add(planned.side)


def _shown(experiment: Experiment) -> list[Planned]:
    is_trying = any(not experiment.is_over(each) for each in experiment.trials)
    return experiment.trials if is_trying else experiment.seed_runs


def _places(planned: Planned, steps: object, seconds: object, along: Along) -> np.ndarray:
    """Say where the points of a run stand along an axis."""
    if along.of_a_step is None:
        return np.array(seconds)
    return np.array(steps) * along.of_a_step(planned.setup)


def _end(experiment: Experiment, along: Along) -> float | None:
    """Say where an axis ends; that of seconds grows."""
    of_a_step = along.of_a_step
    if of_a_step is None:
        return None
    return max(each.setup.training.steps * of_a_step(each.setup) for each in _shown(experiment))


def _conclude(stage: Stage, experiment: Experiment) -> None:
    """Say what has come of it so far, as of a recorded one."""
    try:
        results = _results(experiment)
    except UserError as error:
        showing.stop(str(error))
    if not results.comparisons:
        st.info("This experiment compares no sides.", icon=":material/info:")
    elif _is_ladder(experiment):
        ladder.draw(stage, results)
        with stage.controls:
            _offer_runs(experiment)
    else:
        race.draw(stage, results, offer=lambda: _offer_runs(experiment))


def _is_ladder(experiment: Experiment) -> bool:
    return len(experiment.plan.comparisons) > 1


def _offer_runs(experiment: Experiment) -> None:
    """Offer to open a run of each side, as it stands, on the pages that look inside."""
    label = "Open a model" if _is_ladder(experiment) else "Open both"
    with st.popover(label, icon=":material/open_in_new:", width="stretch"):
        begun = [each for each in experiment.seed_runs if each.name in experiment.runs]
        firsts = {each.side: each for each in reversed(begun)}
        shown = [firsts[side] for side in experiment.plan.sides if side in firsts]
        if not _is_ladder(experiment):
            offer_both([experiment.run_id(each.name) for each in shown])
        for each in shown:
            title, name = title_in(experiment.plan, each.side), experiment.run_id(each.name)
            st.markdown(f"**{content.escaped(title)}**, seed {each.seed}")
            link.offer("train", f"Its run: {content.escaped(title)}", run=name)
            offer_looks(name, content.escaped(title))
        st.caption("Each stands where it is now, and goes on as long as the experiment does.")
