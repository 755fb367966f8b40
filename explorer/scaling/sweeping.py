"""A law of one's own: a sweep over sizes and budgets that is run here, in place of the recorded."""

from collections.abc import Mapping

import streamlit as st

from explorer import content, link, session
from explorer.compare import steering
from explorer.engine.experiment import Experiment, ExperimentState
from explorer.figures.amounts import in_flops
from explorer.recorded import recorded, say_recorded
from explorer.scaling.runs import NAME, the_sweep
from explorer.stage import Stage
from tiny_llama.comparing.plan import Plan

SIZES: Mapping[str, Mapping[str, object]] = {
    str(size["d_model"]): size
    for size in (
        {"d_model": 16, "n_layers": 2, "n_heads": 2, "learning_rate": 0.02},
        {"d_model": 24, "n_layers": 2, "n_heads": 2, "learning_rate": 0.02},
        {"d_model": 32, "n_layers": 3, "n_heads": 4, "learning_rate": 0.02},
        {"d_model": 48, "n_layers": 3, "n_heads": 4, "learning_rate": 0.02},
        {"d_model": 64, "n_layers": 4, "n_heads": 4, "learning_rate": 0.02},
    )
}
"""By their width; as in `experiments/scaling.toml`."""
BUDGETS = ("3e9", "1e10", "3e10", "1e11", "3e11")
"""Operations of a run: 6 times parameters times tokens."""
USUAL_SIZES, USUAL_BUDGETS = ["16", "24", "32", "48"], ["1e10", "3e10", "1e11"]
MOST_SEEDS = 4
BATCH_SIZE = 4
"""Texts a step, as in `experiments/scaling.toml`."""


def choose() -> None:
    """Let the student run a sweep, and follow the one that the link names."""
    sweep = the_sweep()
    if sweep is None:
        _offer()
        return
    steering.steer(sweep, _look_at, another="Recorded runs")
    session.live(_live, lambda: _seconds(sweep))(sweep.id, steering.stage_of(sweep))


def say_which(stage: Stage) -> None:
    """Say that what is shown was recorded; of a sweep, what stands in its way, if anything."""
    sweep = the_sweep()
    if sweep is None:
        say_recorded(stage, recorded(NAME))
    elif sweep.message:
        with stage.words:
            st.warning(content.escaped(sweep.message), icon=":material/warning:")


def plan_of(widths: list[str], budgets: list[str], n_seeds: int) -> Plan:
    """Make the plan of a sweep.

    Raises:
        UserError: if it cannot be run.
    """
    values = {
        "title": "A law of tiny models",
        "seeds": n_seeds,
        "settings": {"corpus": "tales", "batch_size": BATCH_SIZE, "evaluate_every": 0},
        "scaling": {
            "budgets": [float(each) for each in budgets],
            "sizes": [dict(SIZES[width]) for width in widths],
        },
    }
    return session.engine().make_plan(values, owner=session.owner())


def _offer() -> None:
    with st.popover("Run a sweep here", icon=":material/play_arrow:", width="stretch"):
        widths = link.widget(
            st.pills,
            "widths",
            "Widths of the models",
            usual=USUAL_SIZES,
            options=list(SIZES),
            selection_mode="multi",
            folded=True,
        )
        budgets = link.widget(
            st.pills,
            "budgets",
            "Compute of a run (FLOP)",
            usual=USUAL_BUDGETS,
            options=list(BUDGETS),
            format_func=lambda each: in_flops(float(each)),
            selection_mode="multi",
            folded=True,
        )
        n_seeds = link.widget(
            st.segmented_control,
            "sweep_seeds",
            "Seeds",
            usual=1,
            options=range(1, MOST_SEEDS + 1),
            required=True,
            folded=True,
        )
        wanted = (sorted(widths, key=int), sorted(budgets, key=float), n_seeds)
        if st.button("Start", icon=":material/play_arrow:", type="primary", key="start_sweep"):
            steering.start(lambda: (plan_of(*wanted), None), _look_at)
        st.fragment(_say_how_long)(*wanted)
    steering.offer_own(_look_at, compares=False)


def _say_how_long(widths: list[str], budgets: list[str], n_seeds: int) -> None:
    steering.say_how_long(
        lambda: (plan_of(widths, budgets, n_seeds), None),
        "The largest model stays sealed until you have foretold its loss.",
    )


def _look_at(name: str) -> None:
    """Show another sweep, of which nothing has been foretold; an empty name: the recorded runs."""
    link.put(sweep=name)
    link.forget(["guess"])


def _seconds(sweep: Experiment) -> float:
    is_running = sweep.state is ExperimentState.RUNNING
    return session.refresh_seconds() if is_running else session.SLOWEST_SECONDS


def _live(name: str, drawn: tuple[object, ...]) -> None:
    sweep = the_sweep()
    if sweep is None or sweep.id != name or steering.stage_of(sweep) != drawn:
        st.rerun()  # one more run is a point now, or it stands otherwise
    steering.progress(sweep)
