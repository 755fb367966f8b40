"""The page on norms and gates, through the app's own entry."""

import json
import re

import numpy as np
import pytest
from conftest import ODD_TEXTS, QUICK, across, open_page, trained

from explorer.figures.feed_forward import (
    activation_curves,
    gate_density,
    near_zero,
    product_map,
    top_units,
    unit_map,
    width_lines,
)
from explorer.figures.norms import (
    invariance,
    norm_operations,
    norm_statistics,
    two_results,
)
from explorer.figures.picture import named_axis
from explorer.figures.stream import (
    gradients_by_layer,
    last_gradients,
    parts_added,
    stream_map,
)
from explorer.inside.norm_and_swiglu import VIEWS, width
from explorer.inside.norm_and_swiglu.cost import cost_table
from explorer.inside.norm_and_swiglu.units import in_context
from tiny_llama.config import ModelConfig
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")

MODELS = ("tales-llama", "tales-gpt3", "repeat-llama")
VIEW_NAMES = [view.name for view in VIEWS]
TINY = QUICK | {"steps": "1", "n_layers": "2", "d_model": "16", "n_heads": "2", "context": "16"}
TEXTS = ODD_TEXTS | {"one unknown sign": "🦆"}
ODD = {
    "post": {"norm_placement": "post"},
    "no norm": {"norm": "none"},
    "no feed-forward": {"feed_forward": "none"},
    "no attention": {"attention": "none", "feed_forward": "relu_squared"},
    "nothing": {"attention": "none", "feed_forward": "none"},
    "experts": {"feed_forward": "moe_swiglu"},
    "side by side": {"block": "parallel", "norm_placement": "both", "norm": "layernorm_plain"},
    "geglu": {"feed_forward": "geglu", "bias": "all", "norm": "layernorm", "qk_norm": "head"},
}


def page(view, **link):
    return open_page("norm_and_swiglu", view=view, **link)


def charts(app):
    return [json.loads(each.proto.spec) for each in app.get("plotly_chart")]


def alts(app):
    return [each.proto.alt for each in app.get("plotly_chart")]


@pytest.mark.parametrize(("run", "view"), across(MODELS, VIEW_NAMES, mainly="gate"))
def test_every_view_opens_on_every_kind_of_model(view, run):
    app = page(view, run=run)
    assert not app.error
    assert charts(app)
    assert all(len(alt) > 40 and "nan" not in alt for alt in alts(app))


@pytest.mark.parametrize(("name", "view"), across(TEXTS, VIEW_NAMES, mainly="placement"))
def test_odd_texts_are_shown_or_refused_in_a_sentence(view, name):
    app = page(view, text=TEXTS[name])
    if name == "one character" and view == "placement":
        assert "at least two" in app.error[0].value
    else:
        assert not app.error
    assert all("<b>" not in json.dumps(each) for each in charts(app))


@pytest.fixture(scope="module")
def odd_runs(engine):
    """Give an id for each odd model, trained for a step."""
    return trained(engine, {name: Setup().with_values(TINY | ODD[name]) for name in ODD})


REFUSED = {
    ("no norm", "placement"): "norm='none'",
    ("nothing", "placement"): "neither",
    ("no feed-forward", "gate"): "no feed-forward",
    ("no feed-forward", "openings"): "no feed-forward",
    ("experts", "gate"): "8 experts",
    ("experts", "openings"): "8 experts",
    ("side by side", "placement"): "block='parallel'",
    ("nothing", "gate"): "no feed-forward",
    ("nothing", "openings"): "no feed-forward",
}


@pytest.mark.parametrize(("name", "view"), across(ODD, VIEW_NAMES, mainly="gate"))
def test_models_that_lack_a_part_say_so_and_never_fail(view, name, odd_runs):
    app = page(view, run=odd_runs[name], text="Once there")
    if (name, view) in REFUSED:
        said = app.error[0].value.replace("\\", "")
        assert REFUSED[name, view] in said
    else:
        assert not app.error, app.error[0].value


def test_a_link_gives_the_place_the_factor_and_the_token():
    app = page("norms", norm_at="5", times="0.0001", plus="0.5", token="3")
    assert app.selectbox(key="norm_at").value == "5"
    assert app.select_slider(key="times").value == -4
    assert "×0.0001" in " ".join(each.value for each in app.caption)
    assert "Token 3" in " ".join(each.value for each in app.caption)


def test_a_choice_that_another_model_lacks_falls_back():
    app = page("gate", run="repeat-llama", layer="3", unit="175", token="900", part="before")
    assert app.selectbox(key="layer").value == 0
    assert app.number_input(key="unit").value is None
    app = page("gate", run="tales-gpt3", part="gate")
    assert "no gate" in " ".join(each.value for each in app.caption)
    assert app.query_params.get("part") is None


def test_the_starting_weights_and_the_depth_change_the_picture():
    app = page("placement")
    before = alts(app)
    app.toggle(key="start_scaled").set_value(True).run()
    assert alts(app)[1] != before[1]
    assert "of 24 layers" in before[0]
    assert "with 2 layers" in before[1]


def test_time_is_measured_when_it_is_asked_for():
    app = page("cost")
    times = re.compile(r"RMSNorm forward \*\*[\d,]+ µs\*\* · RMSNorm with backward \*\*[\d,]+ µs")
    assert not any(times.match(each.value) for each in app.markdown)
    app.toggle(key="timed").set_value(True).run()
    assert any(times.match(each.value) for each in app.markdown)


def test_the_rule_gives_llamas_width():
    app = page("width", sizes_of="llama-1-7b")
    said = " ".join(each.value for each in app.markdown)
    assert "11,008" in said
    assert "135,266,304" in said  # 3 x 4096 x 11,008
    assert "134,217,728" in said  # 8 x 4096^2
    app.select_slider(key="multiple").set_value("1").run()
    assert "**10,922**" in " ".join(each.value for each in app.markdown)


@pytest.mark.parametrize("name", ["llama-1-7b", "llama-1-13b", "llama-1-33b", "llama-1-65b"])
def test_llama_is_within_two_percent_of_eight_d_squared(name):
    config = PRESETS[name].config
    own = width.feed_forward_parameters(config, "swiglu", config.hidden_width)
    assert own == 3 * config.d_model * config.hidden_width
    assert 1 <= own / (8 * config.d_model**2) < 1.02
    plain = width.feed_forward_parameters(config, "gelu", 4 * config.d_model)
    assert plain == 8 * config.d_model**2


def test_the_table_of_costs_has_the_counts_of_a_default_model():
    rows = cost_table(ModelConfig()).splitlines()
    assert "| Norms in the model | 7 | 7 |" in rows
    assert "| Operations a token, one norm | 258 | 450 |" in rows  # 4 d + 2, 7 d + 2
    assert "| Parameters of all norms | 448 | 896 |" in rows


def test_a_token_in_its_context_is_in_brackets_and_nothing_is_markup():
    assert in_context(list("ab c"), 2) == "ab⟦␣⟧c"
    assert in_context(["<b>", "*", "|"], 1) == "\\<b\\>⟦\\*⟧\\|"
    assert in_context(list("x" * 30), 20).startswith("…")


TOKENS = ["a", " ", "<b>"]
THREE = np.array([1.0, 2.0, 4.0])


def test_pictures_of_norms_say_their_numbers():
    words = norm_statistics(TOKENS, -THREE, THREE, 2 * THREE, first=5, chosen=6).alt
    assert "tokens 5 to 7" in words
    assert "mean lies between -4.000 and -1.000" in words
    picture = two_results(np.array([[1.0, 3.0], [0.0, 2.0]]), " ")
    assert "differ by 1.000 on average" in picture.alt
    assert "after RMSNorm is +2.000, after LayerNorm +1.000" in picture.alt
    words = invariance(THREE, np.array([THREE, 0 * THREE]) / 4, 2.0, multiplies=True).alt
    assert "RMSNorm: 25.0% at c = 1, 50.0% at 2, 100.0% at 4" in words
    assert "LayerNorm: 0.0% at c = 1" in words


def test_pictures_of_the_stream_and_gradients_say_their_numbers():
    lengths = np.array([[1.0, 2.0, 3.0], [2.0, 9.0, 4.0]])
    picture = stream_map(TOKENS, ["embedding", "attention, layer 0"], lengths, first=0)
    assert "token ␣ (place 1) at attention, layer 0" in picture.alt
    assert picture.figure.layout.xaxis.labelalias == {"0": "a", "1": "␣", "2": "&lt;b&gt;"}
    places = ["embedding", "attention, layer 0", "feed-forward, layer 0"]
    words = parts_added(places, THREE, THREE[:2], THREE[:2] / 4).alt
    assert "embedding is 1.00 long. attention, layer 0 adds 1.00 (25% of the length" in words
    gradients = np.array([THREE, THREE[::-1]])
    words = gradients_by_layer(gradients, 3).alt
    assert "pre-norm): 1 in the first layer, 4 in the last" in words
    words = last_gradients(np.array([2, 4, 8]), gradients).alt
    assert "post-norm): 4 with 2 layers, 2 with 4 layers, 1 with 8 layers" in words
    operations = {"RMSNorm": {"root": 2, "bias": 0}, "LayerNorm": {"root": 2, "bias": 5}}
    assert "RMSNorm 2 (root 2); LayerNorm 7 (root 2, bias 5)" in norm_operations(operations).alt


@pytest.mark.parametrize(
    ("smallest", "largest", "ticks"),
    [
        (0.3, 1.2, ["0.2", "0.5", "1"]),
        (0.01, 0.5, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]),
        (0.002, 5, ["0.01", "0.1", "1"]),
    ],
)
def test_an_axis_of_powers_has_ticks_that_each_say_their_whole_number(smallest, largest, ticks):
    gradients = np.array([[smallest, largest], [largest, smallest]])
    axis = gradients_by_layer(gradients, 2).figure.layout.yaxis
    assert list(axis.ticktext) == ticks
    assert [float(tick) for tick in ticks] == pytest.approx(axis.tickvals)
    low, high = 10.0 ** np.array(axis.range)
    assert all(low <= tick <= high for tick in axis.tickvals)
    assert high >= 9.99 * low


def test_things_in_a_row_are_named_whatever_their_names():
    axis = named_axis(["a", "a", "7"], first=7)
    assert axis["labelalias"] == {"7": "a", "8": "a", "9": "7"}
    assert axis["type"] == "category"


def test_pictures_of_gates_say_their_numbers():
    z = np.linspace(-4, 4, 161)
    words = activation_curves(z, {"ReLU": np.maximum(z, 0)}, 120, y="act(z)", top=4.0).alt
    assert "ReLU 0.000 at -4, 2.000 at 2" in words
    words = product_map(z, np.maximum(z, 0), "ReGLU").alt
    assert "stays within 0.00" in words
    assert "reaches 16.00" in words
    values = np.array([[0.0, -5.0, 1.0], [1.0, 2.0, 0.0]])
    words = unit_map(TOKENS, [7, 3], values, first=2, what="hidden").alt
    assert "unit 7 on token ␣ (place 3), -5.00" in words
    words = top_units(np.array([0.1, -3.0, 1.0]), THREE, THREE, "<b>").alt
    assert "token <b>: unit 1 -3.00, unit 2 +1.00, unit 0 +0.10" in words
    edges = np.array([0.0, 1.0, 2.0])
    words = gate_density(np.array([[0, 9], [1, 0]]), edges, edges, x="gate", y="up").alt
    assert "10 pairs" in words
    assert "densest near (1.50, 0.50)" in words
    words = near_zero(np.array([0.01, 0.1, 1.0]), {"A": np.array([0.1, 0.3, 0.9])}, 0.1).alt
    assert "A 30%" in words
    words = width_lines(THREE, {"A": THREE}, {"P": (2.0, 12.0)}, 8.0).alt
    assert "P: d_hidden 2, 12 parameters" in words
