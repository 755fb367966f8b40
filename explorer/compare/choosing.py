"""What is to be run on Compare: a race of two, or a ladder; chosen, and made a plan of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from explorer import link, session
from explorer.compare.naming import side_title, value_title
from explorer.engine.limits import limits
from explorer.engine.run import Run
from explorer.widgets import choose_named, choose_number
from tiny_llama.comparing.ladder import rungs
from tiny_llama.comparing.plan import Plan
from tiny_llama.presets import find_preset
from tiny_llama.setup import OWN_TEXT, TINY, Setup, from_preset, setup_of_preset

LEAST_SEEDS, MOST_SEEDS = 2, 12
STEPS = (100, 300, 1000, 3000)
RATES = (0.002, 0.006, 0.018)
"""Tried on each side, if that is wanted: around what tiny models learn best at."""
MARGIN = 0.02
"""Nats a token: a smaller difference counts as none, as in `experiments/race.toml`."""
N_LOOKS = 20
"""At held-out text in a run: points of its curve."""
RACE = "race"
KINDS: Mapping[str, str] = {
    RACE: "A race of two",
    "ladder": "A ladder: from GPT-3 to LLaMA",
    "ladder-backwards": "A ladder in the opposite order",
    "leave-one-out": "LLaMA with one thing taken out",
}
"""What can be run, by the names that recorded experiments have, too."""
START, END = "tiny-gpt3", "tiny-llama"
RUNGS = ("position", "norm", "feed_forward", "bias", "tied_unembedding", "attention")
"""In the order of `experiments/ladder.toml`."""
SMALL: Mapping[str, object] = {"n_layers": 2, "d_model": 48, "batch_size": 4}
"""The size of a ladder's models, as recorded, so that one is climbed within a lesson."""
_SHARED = ("corpus", "tokenizer", "vocab_size", "steps", "warmup_steps", "seed", "data_seed")
"""Settings that both sides have from the race."""
_LEFT_OUT = re.compile(r"evaluate_.*|sample_.*|n_snapshots")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the student wants to see run."""

    kind: str
    """Of `KINDS`."""
    n_seeds: int
    steps: int
    tries_rates: bool
    one: str = ""
    against: str = ""
    """Presets or runs of theirs, by name, that race."""
    order: tuple[str, ...] = ()
    """Settings in the order in which a ladder changes them."""

    @property
    def n_comparisons(self) -> int:
        """How many verdicts are given together."""
        return 1 if self.kind == RACE else len(RUNGS)


def choose() -> Choice:
    """Let the student choose what is to be run."""
    kind = choose_named("Run", KINDS, key="kind")
    one = against = ""
    order: tuple[str, ...] = ()
    if kind == RACE:
        own = {run.id: session.full_name(run) for run in session.listed_runs() if run.is_readable}
        options = {name: find_preset(name).title for name in TINY} | own
        one = choose_named("One side", options, key="one", usual="tiny-llama")
        against = choose_named("Against", options, key="other", usual="tiny-gpt3")
    elif kind != "leave-one-out":
        order = _choose_order(RUNGS if kind == "ladder" else RUNGS[::-1])
    return Choice(
        kind=kind,
        one=one,
        against=against,
        order=order,
        n_seeds=choose_number(
            "n_seeds", "Seeds", MOST_SEEDS, limits().usual_seeds, least=LEAST_SEEDS
        ),
        steps=link.widget(
            st.select_slider, "race_steps", "Steps of each run", usual=STEPS[1], options=STEPS
        ),
        tries_rates=link.widget(
            st.toggle,
            "try_rates",
            "Learning rates first",
            help=f"Tries {', '.join(map(str, RATES))} on each side, and takes its best one.",
        ),
    )


def _choose_order(usual: tuple[str, ...]) -> tuple[str, ...]:
    """Let the student say which rungs come first; the others follow in the usual order."""
    start, end = setup_of_preset(START), setup_of_preset(END)
    assert sorted(rungs(start, end)) == sorted(usual)
    titles = {name: value_title(name, end.setting(name)) for name in usual}
    first = link.widget(
        st.multiselect,
        "climbed",
        "Rungs that come first",
        options=list(usual),
        format_func=lambda name: titles.get(name, name),
        placeholder=", ".join(titles.values()),
        help="In the order in which you choose them; the others follow as they stand here.",
    )
    return (*first, *(name for name in usual if name not in first))


def plan_of(choice: Choice) -> tuple[Plan, str | None]:
    """Make the plan of what was chosen, and find the student's own text, where its runs learn it.

    Raises:
        UserError: if that cannot be run.
    """
    values: dict[str, object] = {
        "seeds": choice.n_seeds,
        "learning_rates": list(RATES) if choice.tries_rates else [],
        "margin": MARGIN,
    }
    settings: dict[str, object] = {
        "steps": choice.steps,
        "warmup_steps": min(Setup().training.warmup_steps, choice.steps // 10),
        "evaluate_every": max(1, choice.steps // N_LOOKS),
    }
    engine, owner = session.engine(), session.owner()
    if choice.kind != RACE:
        ladder: dict[str, object] = {"start": START, "end": END}
        ladder |= {"order": list(choice.order)} if choice.order else {"leave_one_out": True}
        values |= {"title": KINDS[choice.kind], "settings": {**settings, **SMALL}, "ladder": ladder}
        return engine.make_plan(values, owner=owner), None
    chosen = [(name, engine.poll(name)) for name in (choice.one, choice.against)]
    setups = [setup_of_preset(name) if run is None else run.setup for name, run in chosen]
    first = next((run for _, run in chosen if run is not None), None)
    usual = first.setup if first else setups[0]
    text = None
    if first and usual.corpus == OWN_TEXT:
        text = engine.text_of(first.id, owner=owner)
    names = _names([_called(name, run) for name, run in chosen])
    sides = dict(zip(names, map(_words, setups), strict=True))
    settings |= {"corpus": usual.corpus, "tokenizer": usual.tokenizer}
    if usual.vocab_size:
        settings["vocab_size"] = usual.vocab_size
    values |= {
        "title": " against ".join(map(side_title, names)),
        "settings": settings,
        "sides": dict(reversed(sides.items())),  # whoever comes first is judged by
    }
    return _with_notes(engine.make_plan(values, owner=owner, text=text)), text


def _called(name: str, run: Run | None) -> str:
    return name.removeprefix("tiny-") if run is None else session.run_name(run)


def _names(titles: list[str]) -> list[str]:
    """Make names of sides, which are also parts of folders' names; two differ."""
    one, other = (re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] for title in titles)
    one, other = one or "one", other or "other"
    return [one, other if other != one else f"{other}-again"]


def _words(setup: Setup) -> dict[str, str]:
    """Say how a side is built and trained, but for what both have from the race."""
    preset, words = from_preset(setup)
    kept = {n: word for n, word in words.items() if n not in _SHARED and not _LEFT_OUT.match(n)}
    return {"preset": preset, **kept}


def _with_notes(plan: Plan) -> Plan:
    """Say in a plan where the two sides cannot read the same batches."""
    read = {
        (side.setup.training.batch_size, side.setup.model.context) for side in plan.sides.values()
    }
    if len(read) == 1:
        return plan
    note = "The sides read batches of other sizes, as their batch size or context differs."
    return replace(plan, notes=(*plan.notes, note))
