"""The Compare page: what it says of experiments whose numbers are known, and how it draws them."""

import json
import re
from dataclasses import replace
from urllib.parse import parse_qs

import numpy as np
import pytest
from conftest import open_page, prose
from made_experiments import DIVERGED_AT, LACKS, SAVED, final_loss, make, make_all, planned
from streamlit.elements.lib import streamlit_plotly_theme as theme

from explorer import content
from explorer.compare import elsewhere, ladder, race, tasks
from explorer.compare.curves import ALONG, curves_of, gaps_of
from explorer.compare.naming import verdict_line
from explorer.figures.amounts import in_time
from explorer.figures.picture import THEME
from explorer.recorded import recorded
from tiny_llama.comparing.power import detectable
from tiny_llama.comparing.results import read_results
from tiny_llama.comparing.verdicts import Verdict
from tiny_llama.training_cost import exact_training_flops

pytestmark = pytest.mark.usefixtures("app_engine", "made")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def made(folder, monkeypatch):
    """Let the page show experiments with known numbers in place of those that were recorded."""
    monkeypatch.setattr(content, "RECORDED", folder)
    recorded.cache_clear()
    yield
    recorded.cache_clear()


def pictures(app):
    return [each.proto.alt for each in app.get("plotly_chart")]


def figure(app, number=0):
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def said(app):
    return "\n".join(prose(app))


def race_results():
    return recorded("race").results


# The race.


def test_the_race_says_first_what_can_be_concluded():
    app = open_page("compare")
    assert not app.error
    found = race_results().comparisons[0].judgement.difference
    interval = f"95%: {found.low:+.3f} to {found.high:+.3f}; 6 seeds"
    line = f"held-out loss differs by {found.mean:+.3f} ({interval})"
    assert any("**LLaMA is better** than GPT" in each and line in each for each in prose(app))
    (alt,) = pictures(app)
    assert f"LLaMA ends at {race_results().side('llama').mean:.4f}" in alt


def test_what_six_seeds_can_detect_and_what_was_matched_is_said():
    app, found = open_page("compare"), race_results().comparisons[0].judgement.difference
    assert f"a difference of {found.sd * detectable(6):.4f} or more" in said(app).replace("\\", "")
    gpt3 = race_results().side("gpt3")
    assert f"{gpt3.n_parameters:,}" in said(app)
    n_runs = race_results().plan.n_runs
    assert f"{n_runs} of {n_runs} runs in {in_time(7200)}." in said(app)
    assert "experiments/race.toml" in app.code[-1].value


@pytest.mark.parametrize("along", ALONG)
def test_curves_end_where_the_runs_do_along_every_axis(along):
    curves = curves_of(race_results(), "llama", ALONG[along])
    runs = race_results().runs_of("llama")
    assert curves.mean[-1] == pytest.approx(np.mean([run.final for run in runs]))
    model = runs[0].run.setup.model
    steps = runs[0].run.setup.training.steps
    ends = {"steps": steps, "tokens": steps * runs[0].run.setup.tokens_a_step}
    ends["seconds"] = 0.02 * steps
    ends["flops"] = exact_training_flops(model, ends["tokens"])
    assert curves.x[-1] == pytest.approx(ends[along])
    assert np.all(curves.low <= curves.mean)
    assert len(curves.seeds) == 6


def test_the_difference_at_the_last_step_is_that_of_the_verdict():
    gaps = gaps_of(race_results(), "llama", "gpt3", ALONG["steps"])
    found = race_results().comparisons[0].judgement.difference
    assert gaps.differences[-1].mean == pytest.approx(found.mean)
    assert gaps.differences[-1].low == pytest.approx(found.low)


def test_along_operations_sides_are_compared_as_far_as_both_have_come():
    gaps = gaps_of(race_results(), "llama", "gpt3", ALONG["flops"])
    ends = [curves_of(race_results(), side, ALONG["flops"]).x[-1] for side in ("llama", "gpt3")]
    assert gaps.places[-1] == pytest.approx(min(ends))
    assert min(ends) < max(ends)


@pytest.mark.parametrize("picture", race.PICTURES)
@pytest.mark.parametrize("along", ["steps", "flops"])
def test_every_picture_of_the_race_is_drawn_and_told(picture, along):
    app = open_page("compare", race=picture, along=along, whole="true")
    assert not app.error
    assert all(len(alt) > 40 for alt in pictures(app))
    if picture != "samples":
        assert len(pictures(app)) == 1


def test_a_rate_at_which_a_side_diverges_is_said_to_be_that():
    (alt,) = pictures(open_page("compare", race="rates"))
    rates, best = race_results().plan.learning_rates, race_results().side("gpt3").learning_rate
    assert best < max(rates)
    assert f"GPT-3 style: {rates[0]:g} came to" in alt
    assert f"{max(rates):g} diverged at step {DIVERGED_AT}; best {best:g}" in alt
    assert "diverged" not in alt.partition("GPT-3 style")[0]


def test_samples_of_the_same_seed_stand_side_by_side():
    app = open_page("compare", race="samples", race_seed="3")
    texts = [each.value for each in app.code[:2]]
    last = race_results().runs[0].run.setup.training.steps
    assert texts == [f"{name}.seed-3 wrote this at step {last}." for name in ("llama", "gpt3")]


def test_both_sides_open_on_train_at_their_best_rate():
    app = open_page("compare")
    (link,) = [
        e.proto for e in app.get("page_link") if e.proto.label == "Train GPT-3 style as here"
    ]
    assert "preset=tiny-gpt3" in link.query_string
    side = race_results().plan.sides["gpt3"].setup
    assert f"d_hidden={side.model.d_hidden}" in link.query_string or side.model.d_hidden is None
    shipped = [e.proto.query_string for e in app.get("page_link") if "tales-gpt3" in e.proto.label]
    assert len(shipped) == 3
    assert all("run=tales-gpt3" in query for query in shipped)


def test_both_sides_open_side_by_side():
    app = open_page("compare")
    found = {each.proto.label: each.proto for each in app.get("page_link")}
    for label, page in LOOKS.items():
        link = found[f"{label} of both"]
        assert link.page == page
        words = {name: word for name, (word,) in parse_qs(link.query_string).items()}
        opened = open_page(page, **words)
        assert words["run"] == "tales-llama"
        assert words["beside"] == opened.selectbox(key="beside").value == "tales-gpt3"
    alone = parse_qs(found["Attention of tales-gpt3"].query_string)
    assert "beside" not in alone


LOOKS = {"Attention": "attention", "Beyond the context": "rotary", "Next token": "generation"}


def test_a_race_that_goes_on_shows_what_is_done(tmp_path):
    plan = planned("race")
    make(tmp_path, plan, is_done=lambda run: run.is_trial or run.seed == 0)
    results = read_results(tmp_path, plan)
    (comparison,) = results.comparisons
    assert "a comparison takes two seeds, and 1 are done" in verdict_line(plan, comparison)
    curves = curves_of(results, "llama", ALONG["steps"])
    assert np.array_equal(curves.low, curves.mean)
    gaps = gaps_of(results, "llama", "gpt3", ALONG["steps"])
    assert gaps.seeds.shape[0] == 1


def test_a_race_of_which_nothing_is_done_says_so(tmp_path):
    plan = planned("race")
    make(tmp_path, plan, is_done=lambda run: False)
    results = read_results(tmp_path, plan)
    assert gaps_of(results, "llama", "gpt3", ALONG["steps"]) is None
    assert not curves_of(results, "llama", ALONG["steps"]).seeds


def test_an_experiment_that_is_not_there_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "RECORDED", tmp_path)
    recorded.cache_clear()
    app = open_page("compare")
    assert "holds no experiment" in app.error[0].value


# The ladder.


def test_each_rung_brings_what_its_part_saves():
    gains = ladder.gains(recorded("ladder").results)
    for setting, saved in SAVED.items():
        assert gains[setting].value == pytest.approx(saved, abs=0.01)
        assert gains[setting].low < gains[setting].value < gains[setting].high


def test_gains_are_of_llamas_choice_in_every_order_and_when_taken_out():
    for name in ladder.ORDERS:
        gains = ladder.gains(recorded(name).results)
        assert gains["position"].title == "RoPE"
        assert gains["position"].value > 0.05
        assert gains["bias"].value < 0


def test_the_waterfall_goes_from_one_mean_to_the_other_and_says_every_verdict():
    app, results = open_page("compare", view="ladder"), recorded("ladder").results
    (alt,) = pictures(app)
    assert f"GPT-3 style at {results.side('start').mean:.4f}" in alt
    assert f"LLaMA at {results.side('6-attention').mean:.4f}" in alt
    for comparison in results.comparisons:
        assert f"{comparison.judgement.difference.mean:+.4f}" in alt
    bars = next(each for each in figure(app)["data"] if each["type"] == "bar")
    labels = bars["y"]
    assert [label.partition("<br>")[0] for label in labels][:3] == ["RoPE", "RMSNorm", "SwiGLU"]
    assert all(re.search(r", (better|worse|equal|cannot tell)$", label) for label in labels)


@pytest.mark.parametrize("order", [*ladder.ORDERS, ladder.BOTH])
def test_every_order_of_the_ladder_is_drawn_and_told(order):
    app = open_page("compare", view="ladder", rungs=order)
    assert not app.error
    (alt,) = pictures(app)
    assert len(alt) > 100
    if order != ladder.BOTH:
        assert "Holm 1979" in said(app)


def test_orders_stand_side_by_side_and_the_widest_apart_is_named():
    app = open_page("compare", view="ladder", rungs="both")
    assert re.search(r"differs most by its place: it saves [-+]0\.\d{3}, [-+]0\.\d{3}, ", said(app))
    (alt,) = pictures(app)
    assert all(f"{title}: " in alt for title in ladder.ORDERS.values())


def test_a_rung_opens_on_train():
    app = open_page("compare", view="ladder")
    labels = [each.proto.label for each in app.get("page_link")]
    assert "Train: SwiGLU" in labels


def test_a_rung_of_which_too_little_is_known_is_left_out(tmp_path):
    plan = planned("ladder")
    known = ("start", "1-position")
    make(tmp_path, plan, is_done=lambda run: run.is_trial or run.side in known)
    steps = ladder.rungs_of(read_results(tmp_path, plan))
    assert [rung.setting for rung in steps] == ["position"]


# Tasks.


def test_every_cell_of_the_tasks_says_what_its_runs_came_to():
    app = open_page("compare", view="tasks", task="reverse", lacking="no-attention")
    whole, without = 0.97, 0.97 - LACKS["no-attention"]
    words = f"**No attention** on reverse: {without:.1%} ± 0.0% right over 3 seeds, {whole:.1%}"
    assert any(words in each and "Verdict: **worse**" in each for each in prose(app))
    (alt,) = pictures(app)
    assert f"Reverse: whole {whole:.0%}, no positions 47%, no attention {without:.0%}" in alt
    (chart,) = [each for each in figure(app)["data"] if each["type"] == "heatmap"]
    assert len(chart["x"]) * len(chart["y"]) == len(recorded("tasks").results.sides)


def test_a_cell_of_the_tasks_is_trained_again_by_its_link():
    app = open_page("compare", view="tasks", task="sort", lacking="one-layer")
    (link,) = [e.proto for e in app.get("page_link") if e.proto.label == "Train this one"]
    assert "corpus=sort" in link.query_string
    assert "n_layers=1" in link.query_string


def test_tasks_that_go_on_have_gaps(tmp_path):
    plan = planned("tasks")
    make(tmp_path, plan, is_done=lambda run: run.side == "copy_whole")
    table = tasks.Table(read_results(tmp_path, plan))
    assert table.sentence("copy", "whole") == "**Whole** on copy: 97.0% ± 0.0% right over 3 seeds."
    assert "no run is done yet" in table.sentence("sort", "whole")


# Measured elsewhere.


@pytest.mark.parametrize("claim", elsewhere.CLAIMS)
def test_every_published_claim_is_drawn_with_its_source(claim):
    app = open_page("compare", view="elsewhere", claim=claim)
    assert not app.error
    (alt,) = pictures(app)
    assert len(alt) > 100
    assert "Source: " in said(app)


@pytest.mark.parametrize(
    ("slot", "words"),
    [("position", "It holds at our size."), ("norm", "It does not hold at our size.")],
)
def test_a_claim_holds_here_where_every_experiment_says_so(slot, words):
    experiments = [recorded(name).results for name in ladder.ORDERS]
    published = elsewhere.losses(slot)
    assert elsewhere.holds_here(slot, published, experiments).startswith(f"**{words}**")


def test_a_part_that_is_worse_when_taken_out_counts_as_better():
    results = recorded("leave-one-out").results
    assert elsewhere.verdicts_of("position", results) == [Verdict.BETTER]
    assert elsewhere.verdicts_of("bias", results) == [Verdict.WORSE]


def test_published_and_own_changes_are_shares_of_the_loss_without():
    (alt,) = pictures(open_page("compare", view="elsewhere", claim="position"))
    assert f"125M OpenWebText2 {100 * (2.759 / 2.809 - 1):+.2f}%" in alt
    results = recorded("ladder").results
    gain = ladder.gains(results)["position"].value
    assert f"{-100 * gain / results.side('start').mean:+.2f}%" in alt


def test_every_published_row_has_its_source_and_how_sure_it_is():
    facts = content.facts("ablations")
    rows = [*facts["losses"], *facts["remarks"], facts["cs336"]]
    assert all(len(row["source"]) > 10 and row["confidence"] in content.CONFIDENCE for row in rows)


def test_swiglu_alone_changes_its_sign_between_single_runs():
    added = elsewhere.costs(content.facts("ablations")["cs336"])
    signs = {
        name: {each[name] > 0 for each in added.values()} for name in next(iter(added.values()))
    }
    assert [name for name, found in signs.items() if len(found) > 1] == [
        "SiLU in place of SwiGLU, as many parameters"
    ]


# What is made, and the theme.


def test_made_runs_differ_by_what_their_models_have():
    run = planned("race").seed_runs({})[0]
    other = replace(run, setup=run.setup.with_settings({"bias": "none"}))
    assert final_loss(run) - final_loss(other) == pytest.approx(SAVED["bias"])


def test_the_themes_colours_are_what_streamlit_puts_the_pages_own_in_place_of():
    assert tuple(getattr(theme, f"CATEGORY_{number}") for number in range(6)) == THEME


@pytest.mark.parametrize("view", ["race", "ladder", "tasks", "elsewhere"])
def test_how_to_run_it_again_is_said_once(view):
    app = open_page("compare", view=view)
    assert [each.value for each in app.header].count("To run it again") == 1
