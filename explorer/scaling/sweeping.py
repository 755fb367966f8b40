"""A law of one's own: a sweep over sizes and budgets that is run here, in place of the recorded."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from explorer import content, link, session
from explorer.compare import steering
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
        if link.value("sweep"):
            st.info("The link's sweep is not on this server any more.", icon=":material/info:")
        _offer()
        return
    steering.steer(sweep, _look_at, another="Recorded runs")
    live = session.live(_say_how_far, partial(steering.pace, sweep))
    live(sweep.id, steering.stage_of(sweep))


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
    box = st.popover(
        "Run a sweep here",
        icon=":material/play_arrow:",
        width="stretch",
        key="sweep_form",
        on_change="rerun",
    )
    with box:
        widths = _choose_some(
            "widths", "Widths of the models", {each: each for each in SIZES}, USUAL_SIZES
        )
        compute = {each: in_flops(float(each)) for each in BUDGETS}
        budgets = _choose_some("budgets", "Compute of a run (FLOP)", compute, USUAL_BUDGETS)
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
        if box.open:  # it takes a worker, which whoever only looks need not ask
            st.fragment(_say_how_long)(*wanted)
    steering.offer_own(_look_at, compares=False)


def _choose_some(name: str, label: str, titles: Mapping[str, str], usual: list[str]) -> list[str]:
    """Let the student choose some of a few by their titles."""
    chosen = link.widget(
        st.pills,
        name,
        label,
        usual=usual,
        options=list(titles),
        format_func=lambda each: titles.get(each, each),
        selection_mode="multi",
        folded=True,
    )
    return list(chosen)


def _say_how_far(name: str, drawn: tuple[object, ...]) -> None:
    steering.keep_up(name, drawn)


def _say_how_long(widths: list[str], budgets: list[str], n_seeds: int) -> None:
    steering.say_how_long(
        lambda: (plan_of(widths, budgets, n_seeds), None),
        "The largest model stays sealed until you have foretold its loss.",
    )


def _look_at(name: str) -> None:
    """Show another sweep, of which nothing has been foretold; an empty name: the recorded runs."""
    link.put(sweep=name)
    link.forget(["guess"])
