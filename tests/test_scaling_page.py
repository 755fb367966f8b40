"""The Scaling page: published laws on a map of real models, and laws of tiny ones."""

import json
import re
import tomllib
from dataclasses import replace

import made_experiments
import numpy as np
import pytest
from conftest import QUICK, open_page, prose, trained
from conftest import ROOT as ROOT_FOLDER
from made_experiments import LAW, make, make_all, planned
from tiny_runs import wait_for

from explorer import content
from explorer.engine.experiment import ExperimentState
from explorer.family.tree import ROOT, family_tree
from explorer.figures.amounts import in_words
from explorer.figures.scaling import MAP_X
from explorer.home import headline
from explorer.recorded import recorded
from explorer.scaling import published, sweeping
from explorer.scaling.models import left_out, models
from explorer.scaling.own_law import SHOWN, about_the_rest
from explorer.scaling.predicting import question
from explorer.scaling.published import GIVEN, NAMED, Asked, choices_table, numbers, rules_table
from explorer.scaling.runs import fitted, points, recorded_runs, sealed_runs
from explorer.scaling.smarter import conclusions
from explorer.scaling.views import VIEWS
from tiny_llama.comparing.law import LawFit
from tiny_llama.comparing.optimum import PUBLISHED
from tiny_llama.comparing.points_file import Point, read_points_file, write_points
from tiny_llama.comparing.results import read_results
from tiny_llama.comparing.sizes import law_parameters, law_tokens
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig

pytestmark = pytest.mark.usefixtures("app_engine", "made")
LAWS = [name for name, rule in PUBLISHED.items() if rule.law]
MODELS = {model.title: model for model in models()}
GOPHER = 10**published.GOPHER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("recorded"))


def forget():
    recorded.cache_clear()
    recorded_runs.cache_clear()


@pytest.fixture
def made(folder, monkeypatch):
    """Let the page show experiments with known numbers in place of those that were recorded."""
    monkeypatch.setattr(content, "RECORDED", folder)
    forget()
    yield
    forget()


def open_scaling(**link):
    app = open_page("scaling", **link)
    assert not app.error
    return app


def alternative(app):
    (picture,) = app.get("plotly_chart")
    return picture.proto.alt


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_every_view_opens_and_its_picture_has_words(view):
    assert len(alternative(open_scaling(view=view))) > 100


# Models on the map.


def test_every_model_of_the_family_tree_with_known_tokens_is_on_the_map_or_said_to_be_left_out():
    known = {node.id for node in family_tree().nodes.values() if node.training_tokens}
    shown = {model.node for model in models()}
    missing = {family_tree().nodes[name].name for name in known - shown}
    assert missing == set(left_out())
    assert all(why.endswith(".") for why in left_out().values())


def test_sizes_and_tokens_are_those_of_the_family_tree():
    nodes = family_tree().nodes
    for row in content.facts("training_tokens")["rows"]:
        node = nodes[row["node"]]
        if row["node"] != "qwen3":  # the facts call this one 235B-A22B
            assert any(size.startswith(row["size"].split(" (")[0]) for size in node.sizes), row
        said = f"{node.training_tokens_note} {node.training_tokens / 1e12:g}T"
        assert f"{row['tokens'] / 1e12:g}T" in said.replace(".0T", "T"), row
        if "parameters" in row:
            assert row["parameters"] in node.params_measured.values(), row
        if "active" in row:
            assert re.search(rf"\b[(A]?{row['active'] / 1e9:g}B\b|A22B", row["size"]), row


def test_models_stand_where_the_facts_about_laws_have_them():
    for row in content.facts("scaling_laws")["models_on_the_map"]:
        model = MODELS[row["model"]]
        assert model.parameters == pytest.approx(row["N"], rel=1e-3), row
        assert model.tokens == row["D"], row
        law = PUBLISHED["refit"].law
        assert float(law.loss(row["N"], row["D"])) == pytest.approx(
            row["loss_epoch_refit"], abs=6e-5
        )


def test_every_name_on_the_map_is_that_of_a_model():
    assert set(NAMED) <= set(MODELS)
    assert sum(model.is_llama for model in models()) == 4
    assert len(MODELS) == len(models()) > 80


def test_llama_is_the_border_between_before_and_after():
    groups = published._groups()
    titles = {name: {spot.title for spot in spots} for name, spots in groups.items()}
    assert "GPT-3 175B" in titles["before LLaMA"]
    assert "Llama 2 7B" in titles["after LLaMA"]
    assert titles["LLaMA"] == {m.title for m in models() if m.node == ROOT}


# What is asked for.


@pytest.mark.parametrize("law", PUBLISHED)
def test_the_compute_of_the_link_is_answered_by_the_law_of_the_link(law):
    app = open_scaling(law=law, compute="22.5")
    rule = PUBLISHED[law]
    said = f"Compute-optimal **{in_words(rule.best_size(10**22.5))} parameters**"
    assert said in "\n".join(prose(app))
    assert f"The thick line is {rule.title}" in alternative(app)
    assert content.escaped(rule.source) in "\n".join(prose(app))


def test_given_tokens_ask_for_the_compute_at_which_they_are_right():
    app = open_scaling(given="tokens", law="twenty", tokens="12")
    said = "\n".join(prose(app))
    assert "**50 billion parameters** · tokens **1 trillion** · tokens a parameter **20**" in said
    assert "compute **3.00 × 10²³ FLOP**" in said


def test_a_serving_load_asks_for_a_smaller_model_of_the_same_loss():
    app = open_scaling(given="served", served="13")
    rule = PUBLISHED["refit"]
    asked = Asked(rule=rule, given="served", flops=GOPHER, served=1e13)
    law, best, other = rule.law, asked.best, asked.cheapest
    assert float(law.loss(other.parameters, other.tokens)) == pytest.approx(
        float(law.loss(best.parameters, best.tokens))
    )
    assert other.parameters < 0.6 * best.parameters
    assert numbers(asked)["cheapest to serve"].startswith(in_words(other.parameters))
    assert f"cheapest to serve: {in_words(other.parameters)}" in alternative(app)
    assert float(numbers(asked)["in all"].replace("−", "-").rstrip("%")) < 0


def test_a_law_without_losses_cannot_be_asked_about_serving_and_is_said_so():
    app = open_page("scaling", given="served", law="kaplan")
    assert list(app.selectbox(key="law").options) == [PUBLISHED[name].title for name in LAWS]
    assert "kaplan" in app.toast[0].value
    app.button_group(key="given").set_value("flops").run()
    assert app.selectbox(key="law").value == "kaplan"  # what was chosen comes back


def test_what_the_map_shows_reaches_to_every_mark():
    app = open_scaling(law="kaplan", compute="26")
    assert f"{in_words(PUBLISHED['kaplan'].best_size(1e26))} parameters" in alternative(app)
    (picture,) = app.get("plotly_chart")
    most = json.loads(picture.proto.spec)["layout"]["xaxis"]["range"][1]
    assert 10**most > PUBLISHED["kaplan"].best_size(1e26) > MAP_X[1]
    assert set(GIVEN) == {"flops", "tokens", "served"}


def test_every_rule_is_in_the_table_with_its_tokens_a_parameter():
    table = rules_table(5.76e23)
    cells = {row.split(" | ")[0].strip("| "): row.split(" | ") for row in table.splitlines()}
    for name, ratio in {"refit": "18.4", "printed": "92.6", "chinchilla-3": "59.1"}.items():
        assert cells[PUBLISHED[name].title][3] == ratio
    assert cells["20 tokens a parameter"][3] == "20"


def test_llamas_choice_pays_off_once_enough_is_served_and_gpt_3s_never():
    rows = {row.split(" | ")[0].strip("| "): row for row in choices_table().splitlines()}
    assert "3.17 trillion served" in rows["LLaMA 7B"]
    assert "never: too large" in rows["GPT-3 175B"]
    assert "+43%" in rows["LLaMA 7B"]


def test_why_twenty_and_what_the_printed_constants_say_is_told():
    said = content.inside("scaling", "map").formula
    assert "93" in said
    assert "59" in said
    for paper in ("2001.08361", "2203.15556", "2404.10102", "2406.19146", "2401.00448"):
        assert paper in said


# Your own law.


def said(app):
    return "\n".join([*prose(app), *(each.value for each in app.caption)])


def all_but_sealed():
    return [run for run in recorded_runs() if run not in sealed_runs()]


def test_the_law_that_the_runs_were_made_by_comes_back_out_of_them():
    app = open_scaling(view="own", guess="2")
    fit = fitted(points(recorded_runs()))
    assert fit.law.size_exponent == pytest.approx(LAW.size_exponent, abs=0.03)
    low, high = fit.interval("size_exponent")
    assert f"**{fit.law.size_exponent:.2f}** · 90% interval **{low:.2f} to {high:.2f}**" in said(
        app
    )
    assert "Runs **30**" in said(app)


def test_without_a_guess_the_largest_model_is_in_no_number():
    app = open_scaling(view="own")
    fit = fitted(points(all_but_sealed()))
    assert f"Runs **{len(recorded_runs()) - 6}**" in said(app)
    assert f"**{fit.law.size_exponent:.2f}**" in said(app)
    assert "The 6 runs of the largest model are sealed" in said(app)


@pytest.mark.parametrize("shown", SHOWN)
def test_every_picture_of_the_law_has_its_words(shown):
    app = open_scaling(view="own", shown=shown, guess="2")
    assert len(alternative(app)) > 150
    (picture,) = app.get("plotly_chart")
    assert len(json.loads(picture.proto.spec)["data"]) >= 3


def test_parabolas_through_the_law_itself_are_off_and_the_page_says_by_how_much():
    app = open_scaling(view="own", shown="best")
    fit = fitted(points(all_but_sealed()))
    found = re.search(r"say ([\d.]+): off by ([+−][\d.]+), by their shape alone", said(app))
    off = float(found[2].replace("−", "-"))
    assert float(found[1]) - fit.law.size_exponent == pytest.approx(off, abs=2e-3)
    assert abs(off) > 0.01
    assert "without noise" in alternative(app)


def test_how_each_size_was_trained_is_said_with_its_numbers():
    app = open_scaling(view="own")
    runs = all_but_sealed()
    rates = [run.setup.training.learning_rate for run in runs]
    is_one = len(set(rates)) == 1
    words = f"{rates[0]:g} for every size" if is_one else f"from {rates[0]:g} for the smallest"
    assert words in said(app)
    assert "Warm-up: 5% of each run" in said(app)
    readings = max(run.readings for run in runs)
    assert f"The text was read {readings:.2g} times at most" in said(app)


def test_what_the_law_leaves_over_is_held_against_what_seeds_differ_by():
    fit = fitted(points(all_but_sealed()))
    assert "no more than chance" in about_the_rest(all_but_sealed(), fit)  # made by a law
    bent = [
        replace(run, point=replace(run.point, loss=run.point.loss + 0.2 * (number // 2 % 2)))
        for number, run in enumerate(all_but_sealed())
    ]
    words = about_the_rest(bent, fitted(points(bent), n_resamples=5))
    assert "the law itself misses something" in words
    alone = [run for run in bent if run.seed == 0]
    assert "one seed" in about_the_rest(alone, fitted(points(alone), n_resamples=5))


def test_a_text_is_read_as_often_as_its_tokens_have_bytes_for():
    run = recorded_runs()[0]
    n_bytes = len(CORPORA["tales"].text().encode())
    bytes_a_token = 2.5 / np.log(2)  # as the made runs say of loss and bits a byte
    assert run.readings == pytest.approx(run.point.tokens * bytes_a_token / (0.9 * n_bytes))


def test_what_is_not_there_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "RECORDED", tmp_path)
    for view in ("own", "predict"):
        forget()
        assert "holds no experiment" in open_page("scaling", view=view).error[0].value
    make(tmp_path / "scaling", planned("scaling"), is_done=lambda run: False)
    forget()
    assert "no run is done" in open_page("scaling", view="own").error[0].value


# Points of others.


def upload(app, name, data):
    app.file_uploader(key="uploaded_points").set_value((name, data, "text/csv")).run()
    assert not app.exception
    return app


def some_points():
    """Give points that lie on the law, of a model between two recorded ones."""
    return [
        Point(parameters=4e4, tokens=t, loss=float(LAW.loss(4e4, t)), text="tales")
        for t in (4e5, 8e5)
    ]


def test_a_file_of_points_is_pooled_named_and_taken_away_again():
    app = upload(open_scaling(view="own"), "ann's.csv", write_points(some_points()).encode())
    assert "Runs **26**" in said(app)
    assert content.escaped('"ann\'s.csv"') + ": 2 runs" in said(app)
    upload(app, "<b>bob</b>.jsonl", b'{"parameters": 50000, "tokens": 600000, "loss": 2.0}')
    assert "Runs **27**" in said(app)
    assert content.escaped("<b>bob</b>.jsonl") in said(app)
    app.button(key="take_away_0").click().run()
    assert "Runs **25**" in said(app)
    assert "ann's" not in said(app)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.csv", b"parameters,tokens,loss,text\n9,9,2,tiny-shakespeare", "cannot be compared"),
        ("a.json", b"{", "cannot be read as JSON"),
        ("a.csv", b"parameters,tokens,loss\n1,2,<script>", "for loss"),
    ],
)
def test_a_file_that_cannot_be_pooled_is_refused_and_changes_nothing(name, data, says):
    app = upload(open_scaling(view="own"), name, data)
    assert says in app.error[0].value
    assert "<script>" not in app.error[0].value
    assert "Runs **24**" in said(app)


def test_the_same_name_again_takes_the_place_of_the_file_before():
    app = upload(open_scaling(view="own"), "a.csv", write_points(some_points()).encode())
    upload(app, "a.csv", write_points(some_points()[:1]).encode())
    assert "Runs **25**" in said(app)


def test_points_that_are_offered_can_be_pooled_again():
    shown = write_points(points(all_but_sealed()))
    assert read_points_file("points.csv", shown.encode()) == points(all_but_sealed())


def test_ones_own_finished_runs_are_added_where_text_and_tokenizer_are_the_same(app_engine):
    model = ModelConfig(n_layers=1, d_model=16, n_heads=2, context=16)
    training = TrainConfig(steps=4, **{n: int(v) for n, v in QUICK.items()})
    own = Setup(model=replace(model, vocab_size=9), training=training)  # a tokenizer has its own
    other = Setup(model=model, training=training, tokenizer="characters")
    ids = trained(app_engine, {"scaler": own, "letters": other})
    app = open_page("scaling", owner="scaler", view="own", mine="true")
    assert app.toggle(key="mine").label == "Add my finished runs (1)"
    assert "Runs **25**" in said(app)
    run = app_engine.poll(ids["scaler"])
    found = f"{law_tokens(run.setup):,.0f} tokens: loss {run.last('held_out_loss'):.4f}"
    (picture,) = app.get("plotly_chart")
    assert found in picture.proto.spec
    assert law_parameters(run.setup) > law_parameters(own)
    (point,) = read_points_file("run.csv", app_engine.export(run.id, "metrics"))  # as downloaded
    assert (point.parameters, point.text) == (law_parameters(run.setup), "tales")
    assert point.tokens == law_tokens(run.setup)
    assert point.loss == pytest.approx(run.last("held_out_loss"), rel=1e-6)
    app = open_page("scaling", owner="letters", view="own", mine="true")
    assert app.toggle(key="mine").label == "Add my finished runs (0)"


# Predict before you look.


def secrets():
    """List the sealed losses, and what the law says of one."""
    return [*(run.point.loss for run in sealed_runs()), question().truth, question().law[0]]


@pytest.mark.parametrize("view", ["predict", "own"])
@pytest.mark.parametrize("shown", SHOWN)
def test_before_the_guess_nothing_on_the_page_gives_the_answer(view, shown):
    app = open_scaling(view=view, shown=shown)
    (picture,) = app.get("plotly_chart")
    words, data = said(app) + picture.proto.alt, picture.proto.spec
    assert not [loss for loss in secrets() if f"{loss:.3f}" in words]
    assert not [loss for loss in secrets() if str(loss)[:7] in data]
    assert "sealed" in words


def test_the_guess_opens_the_seal_and_both_errors_are_shown():
    app = open_scaling(view="predict")
    assert app.button(key="commit_guess").disabled
    app.number_input(key="guessed_loss").set_value(2.5).run()
    assert "guess" not in app.query_params
    app.button(key="commit_guess").click().run()
    assert app.query_params["guess"] == "2.5"
    asked = question()
    (law, low, high), truth = asked.law, asked.truth
    shown = said(app).replace("−", "-")
    assert f"Found **{truth:.3f}**" in shown
    assert f"your guess **2.500, off by {2.5 - truth:+.3f}**" in shown
    assert f"**{law:.3f} ({low:.3f} to {high:.3f}), off by {law - truth:+.3f}**" in shown
    assert f"{truth:.1f}"[:3] in alternative(app)
    app.button(key="seal_again").click().run()
    assert "guess" not in app.query_params
    assert "Found" not in said(app)


def test_the_law_that_foretells_has_not_seen_the_largest_model():
    asked = question()
    largest = max(run.point.parameters for run in recorded_runs())
    assert all(run.point.parameters < largest for run in asked.known)
    assert {run.point.parameters for run in asked.asked} == {largest}
    assert len({run.seed for run in asked.asked}) == len(asked.asked) == 2
    fit = fitted(points(asked.known))
    assert isinstance(fit, LawFit)
    assert abs(asked.law[0] - asked.truth) < 0.05  # the made runs follow a law


def test_a_link_with_a_guess_that_is_none_leaves_the_seal():
    app = open_page("scaling", view="predict", guess="nan")
    assert app.toast
    assert "Found" not in said(app)


# Smarter, not bigger.


def smarter_results():
    return recorded("smarter").results


def test_at_one_budget_the_verdict_over_the_seeds_is_said():
    app = open_scaling(view="smarter")
    assert "**big short is worse** than small long" in said(app)
    assert "**It holds here.**" in said(app)
    small, big = (smarter_results().side(n).mean for n in ("small-long-noise-30", "big-short"))
    assert small < big
    words = f"With 30% wrong, the small one comes to {small:.3f}, ahead of the big one"
    assert words in said(app)
    for name in smarter_results().plan.sides:
        mean = smarter_results().side(name).mean
        assert f"{mean:.3f}" in said(app), name


def test_the_slider_corrupts_the_big_ones_text():
    app = open_scaling(view="smarter", noise="0.3")
    assert app.select_slider(key="noise").value == 0.3
    assert "**big short noise 30 is worse** than small long" in said(app)
    app.select_slider(key="noise").set_value(0.1).run()
    assert app.query_params["noise"] == "0.1"
    assert "**big short noise 10 is worse**" in said(app)


def test_both_pictures_say_what_came_out():
    shown = alternative(open_scaling(view="smarter"))
    for name, mean in (("small, long", 1.5), ("big, short", 1.9)):
        found = re.search(rf"{name} with 0% wrong (\d\.\d+)", shown)
        assert float(found[1]) == pytest.approx(mean, abs=0.02)
    curves = alternative(open_scaling(view="smarter", smarter="curves", noise="0.3"))
    assert "big short noise 30" in curves


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        ({"big-short": -0.4}, "**It does not hold here.**"),
        ({"big-short": 0.0}, "**Too few seeds to tell here**"),
    ],
)
def test_where_it_does_not_hold_it_is_said(tmp_path, monkeypatch, spent, words):
    monkeypatch.setattr(made_experiments, "SPENT", made_experiments.SPENT | spent)
    if spent == {"big-short": 0.0}:
        monkeypatch.setattr(made_experiments, "NOISE", 1.0)
    plan = planned("smarter")
    make(tmp_path, plan)
    assert any(words in each for each in conclusions(read_results(tmp_path, plan)))


def test_all_sides_spend_the_same_compute():
    sides = smarter_results().plan.sides.values()
    spent = [6 * law_parameters(side.setup) * law_tokens(side.setup) for side in sides]
    assert max(spent) < 1.03 * min(spent)


def test_llamas_own_headline_stands_beside_it():
    app = open_scaling(view="smarter")
    assert headline.headline() in said(app)
    ours, theirs = (MODELS[name] for name in ("LLaMA 13B", "GPT-3 175B"))
    share = ours.parameters * ours.tokens / (theirs.parameters * theirs.tokens)
    assert share == pytest.approx(0.25, abs=0.01)
    assert "a quarter of GPT-3’s by 6ND" in said(app)


# A sweep of one's own.


@pytest.fixture
def quick(monkeypatch):
    """Let a sweep take seconds."""
    monkeypatch.setattr(sweeping, "BUDGETS", ("7e9", "1e10", "1.4e10"))
    monkeypatch.setattr(sweeping, "USUAL_BUDGETS", ["7e9", "1e10", "1.4e10"])


def test_the_sizes_of_a_sweep_are_those_of_the_recorded_one():
    table = tomllib.loads((ROOT_FOLDER / "experiments" / "scaling.toml").read_text())
    assert [*sweeping.SIZES.values()] == table["scaling"]["sizes"]
    assert set(table["scaling"]["budgets"]) <= {float(each) for each in sweeping.BUDGETS}
    assert table["settings"]["batch_size"] == sweeping.BATCH_SIZE


def opened_form(**link):
    """Open the form of a sweep, which only then says what it would take."""
    app = open_page("scaling", view="own", **link)
    assert not any("if nobody else trains" in each for each in prose(app))
    app.session_state["sweep_form"] = True
    return app.run()


def test_before_a_sweep_starts_the_page_says_how_long_it_takes_or_why_it_cannot_be():
    app = opened_form()
    assert re.search(r"12 runs, about \*\*.+\*\* if nobody else trains", "\n".join(prose(app)))
    few = opened_form(widths="64", budgets="3e9")
    assert any("choose another budget" in each.value for each in few.warning)


def test_runs_that_are_too_few_for_a_law_are_drawn_all_the_same(app_engine, quick):
    app = open_page("scaling", owner="sweeper", view="own", widths="16,24", budgets="7e9")
    app.button(key="start_sweep").click().run()
    name = app.query_params["sweep"]
    sweep = app_engine.experiment(name if isinstance(name, str) else name[0])
    wait_for(lambda: sweep.state is ExperimentState.FINISHED)
    app.run()
    assert not app.exception
    assert any("1 runs of 1 sizes" in each and "too few" in each for each in prose(app))
    assert "1 runs" in app.get("plotly_chart")[0].proto.alt
    app_engine.delete_experiment(sweep.id, owner="sweeper")


@pytest.mark.parametrize("view", ["own", "predict"])
def test_a_link_to_a_sweep_that_is_gone_says_so_and_shows_the_recorded_runs(view):
    app = open_page("scaling", view=view, sweep="gone1234")
    assert "sweep is not on this server any more" in app.info[0].value
    assert app.get("plotly_chart")


@pytest.mark.slow
def test_a_sweep_here_becomes_a_law_and_its_largest_model_is_sealed_until_the_guess(
    app_engine, quick
):
    app = open_page("scaling", owner="sweeper", view="own", widths="16,24,32,48")
    app.button(key="start_sweep").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    name = app.query_params["sweep"]
    sweep = app_engine.experiment(name if isinstance(name, str) else name[0])
    assert len(sweep.plan.sides) == 12
    assert "the loss is known so far" in "\n".join(prose(app))
    early = open_page("scaling", view="predict", sweep=sweep.id)
    said = [each.value for kind in (early.info, early.error, early.warning) for each in kind]
    assert any("its largest model is sealed until then" in each for each in said), said
    wait_for(
        lambda: app_engine.experiment(sweep.id).state is ExperimentState.FINISHED,
        lambda: f"{sweep.state}: {sweep.message}",
    )
    app.run()
    assert not app.exception
    results = read_results(sweep.folder, sweep.plan)
    losses = {each.run.side: each.final for each in results.runs}
    largest = {name for name, side in sweep.plan.sides.items() if side.setup.model.d_model == 48}
    (picture,) = app.get("plotly_chart")
    shown = picture.proto.spec
    assert all((f"{loss:.4f}" in shown) is (side not in largest) for side, loss in losses.items())
    asked = open_page("scaling", view="predict", sweep=sweep.id)
    assert "48 wide" in "\n".join(prose(asked))
    assert not any(
        f"{losses[side]:.4f}" in asked.get("plotly_chart")[0].proto.spec for side in largest
    )
    opened = open_page("scaling", view="predict", sweep=sweep.id, guess="2")
    longest = max(largest, key=lambda side: sweep.plan.sides[side].setup.training.steps)
    assert f"Found {losses[longest]:.3f}" in "\n".join(prose(opened)).replace("**", "")
    assert not [each for each in opened.button if each.label in ("Stop", "Delete for good")]
    app.button(key="new_race").click().run()
    assert "sweep" not in app.query_params
    app_engine.delete_experiment(sweep.id, owner="sweeper")
