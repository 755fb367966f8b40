"""A race that is run on the Compare page: chosen, started, followed, concluded, opened."""

import re
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from conftest import open_page, prose
from exercises import check_asked, holds
from tiny_runs import SETUP, TEXT, wait_for, wait_until

from explorer.compare import choosing
from explorer.compare.choosing import KINDS, RUNGS, SMALL
from explorer.compare.naming import title_in
from explorer.compare.running import telling
from explorer.content import RECORDED
from explorer.engine import limits
from explorer.engine.experiment import ExperimentState
from tiny_llama.comparing.plan import read_plan
from tiny_llama.comparing.power import detectable
from tiny_llama.comparing.results import read_results
from tiny_llama.comparing.verdicts import Verdict

pytestmark = pytest.mark.usefixtures("app_engine")
RACED = {"view": "here", "n_seeds": "2", "race_steps": "100"}


@pytest.fixture(scope="module")
def tiny(engine):
    """Give two finished runs of a student who is called "racer"."""
    setups = [SETUP, replace(SETUP, model=replace(SETUP.model, norm="layernorm"))]
    ids = [engine.start(setup, owner="racer", text=TEXT) for setup in setups]
    for each in ids:
        wait_until(engine, each, "finished")
    return ids


def come(**link):
    return open_page("compare", owner="racer", **RACED | link)


def button(app, label):
    return next(each for each in app.button if each.label == label)


def started(engine, app):
    """Press Start; return the experiment that the page then shows."""
    button(app, "Start").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    name = app.query_params["experiment"]
    return engine.experiment(name if isinstance(name, str) else name[0])


def finished(engine, experiment):
    wait_for(
        lambda: engine.experiment(experiment.id).state is ExperimentState.FINISHED,
        lambda: f"{experiment.state}: {experiment.message}",
    )


def test_before_it_starts_the_page_says_what_the_seeds_can_tell_and_how_long_it_takes(tiny):
    app = come(one=tiny[0], other=tiny[1])
    said = "\n".join(prose(app))
    assert telling(2) in said
    assert f"{detectable(2):.1f} standard deviations" in telling(2)
    assert re.search(r"4 runs, about \*\*\d+ seconds\*\* if nobody else trains here", said)
    (picture,) = app.get("plotly_chart")
    assert f"with 2 seeds, as chosen, {detectable(2):.1f}" in picture.proto.alt


def test_a_race_of_two_runs_goes_from_start_to_verdict_and_its_runs_are_opened(engine, tiny):
    app = come(one=tiny[1], other=tiny[0])
    experiment = started(engine, app)
    assert list(experiment.plan.sides) == ["run-1", "run-2"]  # matched to whom it is against
    assert experiment.plan.sides["run-2"].setup.model.norm == "layernorm"
    wait_for(lambda: experiment.steps_done > 10)
    app.run()
    assert [each.label for each in app.button if each.label in ("Pause", "Stop")]
    assert app.get("bidi_component")
    finished(engine, experiment)
    app.run()
    assert not app.exception
    said = "\n".join(prose(app))
    results = read_results(experiment.folder, experiment.plan)
    difference = results.comparisons[0].judgement.difference
    assert difference.n == 2
    assert f"{difference.mean:+.3f}" in said
    links = {each.proto.label: each.proto for each in app.get("page_link")}
    opened = links["Its run: run 2"]
    assert f"run={experiment.run_id('run-2.seed-0')}" in opened.query_string
    both = parse_qs(links["Attention of both"].query_string)
    firsts = [experiment.run_id(f"{side}.seed-0") for side in ("run-1", "run-2")]
    assert both["run"] + both["beside"] == firsts
    assert not open_page("attention", owner="racer", run=firsts[0], beside=firsts[1]).error
    for page, words in (("train", {}), ("attention", {"view": "heads"})):
        shown = open_page(page, owner="racer", run=experiment.run_id("run-2.seed-0"), **words)
        assert not shown.exception
        assert not [each for each in shown.button if each.label in ("Pause", "Stop")]
    engine.delete_experiment(experiment.id, owner="racer")


@holds("compare", "here")
def test_a_model_that_is_raced_against_itself_is_equal(engine, tiny):
    check_asked("compare", "here", "race LLaMA against itself", "what does the verdict say?")
    app = come(one=tiny[0], other=tiny[0])
    experiment = started(engine, app)
    finished(engine, experiment)
    app.run()
    results = read_results(experiment.folder, experiment.plan)
    (comparison,) = results.comparisons
    assert comparison.judgement.difference.mean == 0
    assert comparison.judgement.verdict is Verdict.EQUAL
    assert "are equal** within 0.02" in "\n".join(prose(app))
    engine.delete_experiment(experiment.id, owner="racer")


def test_a_race_is_paused_goes_on_and_is_deleted(engine, tiny):
    app = come(one=tiny[0], other=tiny[1], race_steps="3000")
    experiment = started(engine, app)
    wait_for(lambda: experiment.steps_done > 10)
    app.run()
    button(app, "Pause").click().run()
    assert experiment.state is ExperimentState.PAUSED
    button(app, "Go on").click().run()
    assert experiment.state is ExperimentState.RUNNING
    button(app, "Stop").click().run()
    assert experiment.state is ExperimentState.STOPPED
    other = open_page("compare", owner="other", view="here", experiment=experiment.id)
    assert not [each for each in other.button if each.label in ("Go on", "Delete for good")]
    button(app, "Delete for good").click().run()
    assert not app.exception
    assert engine.experiment(experiment.id) is None
    assert button(app, "Start")


def test_what_is_too_much_is_refused_in_a_sentence(engine, tiny, monkeypatch):
    here = replace(limits.limits(), experiment_runs=3)
    monkeypatch.setattr(limits, "limits", lambda: here)
    app = come(one=tiny[0], other=tiny[1])
    assert "one student may have 3 runs" in app.warning[0].value
    button(app, "Start").click().run()
    assert "one student may have 3 runs" in app.error[0].value


def test_a_link_to_a_race_that_is_gone_says_so(engine):
    app = open_page("compare", view="here", experiment="gone1234")
    assert "not on this server any more" in app.info[0].value
    assert button(app, "Start")


# Ladders.


@pytest.fixture
def small(monkeypatch):
    """Let ladders have models that train in a moment."""
    sizes = {"n_layers": 1, "d_model": 16, "n_heads": 2, "context": 16, "batch_size": 2}
    monkeypatch.setattr(choosing, "SMALL", sizes)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "race"])
def test_a_ladder_here_is_built_as_the_recorded_one(kind):
    recorded = read_plan(RECORDED / kind)
    here, _ = choosing.plan_of(
        choosing.Choice(
            kind=kind,
            n_seeds=2,
            steps=300,
            tries_rates=False,
            order={"ladder": RUNGS, "ladder-backwards": RUNGS[::-1]}.get(kind, ()),
        )
    )
    assert here.comparisons == recorded.comparisons
    assert {name: side.setup.model for name, side in here.sides.items()} == {
        name: side.setup.model for name, side in recorded.sides.items()
    }
    assert {side.setup.training.batch_size for side in here.sides.values()} == {SMALL["batch_size"]}


@pytest.mark.parametrize(("kind", "side", "title"), [
    ("ladder", "start", "GPT-3 style"),
    ("ladder", "1-position", "1 RoPE"),
    ("ladder", "3-feed_forward", "3 SwiGLU"),
    ("ladder", "4-bias", "4 no biases"),
    ("leave-one-out", "whole", "LLaMA"),
    ("leave-one-out", "without-norm", "without RMSNorm"),
    ("race", "llama", "LLaMA"),
    ("race", "gpt3", "GPT-3 style"),
])  # fmt: skip
def test_the_sides_of_a_ladder_are_called_by_what_they_have_or_lack(kind, side, title):
    assert title_in(read_plan(RECORDED / kind), side) == title


def test_before_a_ladder_starts_the_page_says_what_so_many_verdicts_need():
    app = come(kind="ladder")
    said = "\n".join(prose(app))
    assert telling(2, len(RUNGS)) in said
    assert f"{detectable(2, n_comparisons=6):.1f} standard deviations" in telling(2, 6)
    assert re.search(r"14 runs, about \*\*.+\*\* if nobody else trains here", said)


def test_a_ladder_in_an_order_of_ones_own_fills_its_waterfall(engine, small):
    app = come(kind="ladder", climbed="norm,bias")
    experiment = started(engine, app)
    order = ["norm", "bias", "position", "feed_forward", "tied_unembedding", "attention"]
    names = [f"{number}-{name}" for number, name in enumerate(order, start=1)]
    assert list(experiment.plan.sides) == ["start", *names]
    assert app.get("bidi_component"), "as long as no rung is known, the runs are followed"
    finished(engine, experiment)
    app.run()
    assert not app.exception
    results = read_results(experiment.folder, experiment.plan)
    assert {c.judgement.n_comparisons for c in results.comparisons} == {6}
    (picture,) = app.get("plotly_chart")
    for comparison in results.comparisons:
        assert f"{comparison.judgement.difference.mean:+.4f}" in picture.proto.alt
    found = open_page("compare", owner="somebody else", view="here", experiment=experiment.id)
    assert found.get("plotly_chart")[0].proto.alt == picture.proto.alt
    assert not [each for each in found.button if each.label in ("Stop", "Delete for good")]
    opened = {each.proto.label: each.proto for each in app.get("page_link")}
    run = experiment.run_id("1-norm.seed-0")
    assert any(f"run={run}" in each.query_string for each in opened.values())
    button(app, "New ladder").click().run()
    assert app.selectbox(key="kind").value == "ladder"
    assert "norm,bias" in app.query_params["climbed"]
    engine.delete_experiment(experiment.id, owner="racer")
