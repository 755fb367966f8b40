"""The Scaling page: what published laws call for, on a map of real models."""

import json
import re

import pytest
from conftest import open_page, prose

from explorer import content
from explorer.family.tree import ROOT, family_tree
from explorer.figures.amounts import in_words
from explorer.figures.scaling import MAP_X
from explorer.scaling import published
from explorer.scaling.models import left_out, models
from explorer.scaling.published import GIVEN, NAMED, Asked, choices_table, numbers, rules_table
from explorer.scaling.views import VIEWS
from tiny_llama.comparing.optimum import PUBLISHED

pytestmark = pytest.mark.usefixtures("app_engine")
LAWS = [name for name, rule in PUBLISHED.items() if rule.law]
MODELS = {model.title: model for model in models()}
GOPHER = 10**published.GOPHER


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
    assert "**50 billion parameters** · tokens **1 trillion** · a parameter **20**" in said
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
