"""The best size for a budget, by published laws, and the cheapest to serve: against the papers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from explorer import content
from tiny_llama.comparing.law import Law
from tiny_llama.comparing.optimum import (
    PETAFLOP_DAY,
    PUBLISHED,
    Choice,
    best_choice,
    cheapest_to_serve,
    served_where_best,
    tokens_for_loss,
)
from tiny_llama.errors import ConfigError

FACTS = content.facts("scaling_laws")
GOPHER = 5.76e23
REFIT = PUBLISHED["refit"].law
LAWS = {name: rule.law for name, rule in PUBLISHED.items() if rule.law}


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("refit", "epoch_refit"),
        ("chinchilla-3", "chinchilla_unrounded"),
        ("printed", "chinchilla_rounded"),
    ],
)
def test_constants_and_optimum_are_those_of_the_papers(name, fact):
    row = next(row for row in FACTS["fits_for_calculator"] if row["id"] == fact)
    law = LAWS[name]
    assert [law.e, law.a, law.b, law.alpha, law.beta] == [
        row[key] for key in ("E", "A", "B", "alpha", "beta")
    ]
    found = best_choice(law, GOPHER)
    said = next(row for row in FACTS["derived_optimum_at_gopher_budget"] if row["fit"] == fact)
    assert found.parameters == pytest.approx(said["N_opt"], rel=1e-3)
    assert found.tokens / found.parameters == pytest.approx(said["tokens_per_param"], abs=0.06)
    assert float(law.loss(found.parameters, found.tokens)) == pytest.approx(said["loss"], abs=6e-4)
    assert PUBLISHED[name].best_size(GOPHER) == pytest.approx(found.parameters)
    assert PUBLISHED[name].best_tokens(GOPHER) == pytest.approx(found.tokens)


def test_a_size_is_the_best_one_by_search_too():
    for law in LAWS.values():

        def loss(log_size, law=law):
            size = np.exp(log_size)
            return float(law.loss(size, GOPHER / 6 / size))

        found = minimize_scalar(loss, bounds=np.log([1e8, 1e13]), method="bounded")
        assert np.exp(found.x) == pytest.approx(law.best_size(GOPHER), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("chinchilla-1", "table3_compute_optimal_approach1", "flops"),
        ("chinchilla-2", "tableA3_approach2_3", "approach2_flops"),
    ],
)
def test_the_lines_of_two_approaches_go_through_their_tables(name, table, column):
    sizes = [row["params_num"] for row in FACTS["chinchilla"]["table3_compute_optimal_approach1"]]
    flops = [row[column] for row in FACTS["chinchilla"][table]]
    exponent, height = np.polyfit(np.log(flops), np.log(sizes), 1)
    rule = PUBLISHED[name]
    assert rule.exponent == pytest.approx(exponent, abs=1e-4)
    assert rule.scale == pytest.approx(np.exp(height), rel=1e-3)
    printed = {row["approach"][0]: row for row in FACTS["chinchilla"]["table2_exponents"]}
    assert rule.exponent == pytest.approx(printed[name[-1]]["a"], abs=0.005)
    for size, budget in zip(sizes, flops, strict=True):
        assert rule.best_size(budget) == pytest.approx(size, rel=0.04)


def test_kaplans_line_is_that_of_its_table_6():
    rows = {row["quantity"]: row for row in FACTS["kaplan"]["compute_optimal"]}
    assert rows["N_opt"]["scale"] == PUBLISHED["kaplan"].best_size(PETAFLOP_DAY)
    assert rows["N_opt"]["exponent"] == PUBLISHED["kaplan"].exponent
    assert FACTS["kaplan"]["flops_rule"]["pf_day_flops"] == PETAFLOP_DAY
    ratio = rows["D_opt"]["scale"] / PUBLISHED["kaplan"].best_tokens(PETAFLOP_DAY)
    assert ratio == pytest.approx(1.8, abs=0.05)  # as the note beside the rules says
    assert rows["D_opt"]["exponent"] == pytest.approx(1 - PUBLISHED["kaplan"].exponent)


def test_twenty_tokens_a_parameter_are_twenty_at_every_budget():
    rule = PUBLISHED["twenty"]
    for flops in (1e18, 1e22, 1e26):
        assert rule.best_tokens(flops) / rule.best_size(flops) == pytest.approx(20)


@pytest.mark.parametrize("name", PUBLISHED)
def test_from_tokens_one_comes_back_to_the_compute(name):
    rule = PUBLISHED[name]
    for flops in (1e18, GOPHER, 1e27):
        tokens = rule.best_tokens(flops)
        assert rule.flops_for_tokens(tokens) == pytest.approx(flops)
        assert 6 * rule.best_size(flops) * tokens == pytest.approx(flops)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("served", [0.0, 1e9, 1e12, 1e15])
def test_the_cheapest_model_to_serve_is_the_cheapest_by_search_too(name, served):
    law = LAWS[name]
    loss = float(law.loss(*[5e10, 1e12]))
    found = cheapest_to_serve(law, loss, served)
    assert float(law.loss(found.parameters, found.tokens)) == pytest.approx(loss)
    for share in (0.7, 0.95, 0.999, 1.001, 1.05, 1.4):
        size = share * found.parameters
        other = Choice(parameters=size, tokens=tokens_for_loss(law, size, loss))
        assert other.lifetime_flops(served) > found.lifetime_flops(served)


def test_the_more_is_served_the_smaller_the_model_and_the_longer_its_training():
    loss = float(REFIT.loss(70e9, 1.4e12))
    found = [cheapest_to_serve(REFIT, loss, served) for served in (0.0, 1e11, 1e12, 1e13, 1e14)]
    for before, after in pairwise(found):
        assert after.parameters < before.parameters
        assert after.tokens > before.tokens
        assert after.training_flops > before.training_flops


def test_serving_load_and_model_belong_to_one_another():
    model = Choice(parameters=6_738_415_616, tokens=1e12)
    served = served_where_best(REFIT, model)
    loss = float(REFIT.loss(model.parameters, model.tokens))
    found = cheapest_to_serve(REFIT, loss, served)
    assert found.parameters == pytest.approx(model.parameters, rel=1e-6)
    assert found.tokens == pytest.approx(model.tokens, rel=1e-6)
    assert served == pytest.approx(3.17e12, rel=0.01)  # LLaMA 7B
    assert served_where_best(REFIT, Choice(parameters=174_604_259_328, tokens=3e11)) < 0  # GPT-3


def test_a_loss_that_no_model_reaches_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"is not above 1\.8172.*choose a higher one\."):
        cheapest_to_serve(REFIT, 1.8, 1e12)
    assert tokens_for_loss(REFIT, 1e3, 1.9) == float("inf")


def test_a_law_of_tiny_models_has_its_cheapest_ones_as_well():
    tiny = Law(e=0.6, a=60.0, b=900.0, alpha=0.45, beta=0.55)
    found = cheapest_to_serve(tiny, 1.0, 1e9)
    assert served_where_best(tiny, found) == pytest.approx(1e9, rel=1e-6)
