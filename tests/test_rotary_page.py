"""The Rotary embeddings page: every view for models of every kind, its words, and its pictures."""

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import MARK, ODD_TEXTS, QUICK, across, open_page, trained, training

from explorer.engine.server.pretrained import pretrained_run
from explorer.figures import positions, rotary, rotary_pairs
from explorer.inside.rotary import VIEWS, distance, longer
from explorer.inside.rotary.decay import random_picture
from tiny_llama.analyses.rotary_theory import STRETCHES, frequencies, to_interleaved, wavelengths
from tiny_llama.config import ModelConfig
from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")
TURNING = ("tales-llama", "repeat-llama")
OTHERS = ("tales-gpt3", "tales-alibi", "tales-no-positions")
MODELS = (*TURNING, *OTHERS)
NEEDS_TURNING = {"decay", "model", "conventions"}
TINY = QUICK | {"steps": "1", "n_layers": "2", "d_model": "16", "context": "32"}
VIEW_NAMES = [view.name for view in VIEWS]
ODD = {
    "sliding": {"attention": "sliding", "n_kv_heads": "1", "window": "5", "qk_norm": "head"},
    "narrow": {"d_head": "2", "n_heads": "2", "rope_theta": "1", "attention_softcap": "5"},
    "no attention": {"attention": "none"},
    "no layers": {"n_layers": "0"},
    "turned in part": {"d_model": "32", "n_heads": "2", "rope_fraction": "0.5"},
    "never turned": {"nope_every": "1"},
    "a theta for windows": {"attention": "sliding", "rope_theta_local": "1000"},
    "usual": {"corpus": "tales"},
}


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Let the page wait for all models that read long texts, however slow the machine is."""
    monkeypatch.setattr(longer, "EARLY_SECONDS", 600)


@pytest.fixture(scope="module")
def odd_runs(engine):
    """Give an id for each odd model, trained for a step."""
    return trained(engine, {name: Setup().with_values(TINY | ODD[name]) for name in ODD})


@pytest.fixture
def running(engine):
    """Lend a model that trains on a text of its owner's all the while."""
    setup = Setup().with_values(TINY | {"steps": "50000", "corpus": "own-text"})
    with training(engine, setup, text="The duck sat. " * 80) as run_id:
        yield run_id


def pictures(app):
    """List the words of every picture on the page."""
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def said(app):
    kinds = (app.markdown, app.caption, app.info)
    return "\n".join(str(each.value) for kind in kinds for each in kind)


def numbers(app):
    """Read the numbers in the lines above the pictures, by what stands before them."""
    found = re.findall(r"([^·*;\n]+?) \*\*([-.\de]+)\*\*", MARK.sub(r"\1", said(app)))
    return {label.strip(): float(number) for label, number in found}


@pytest.mark.parametrize(("run", "view"), across(MODELS, VIEW_NAMES, mainly="model"))
def test_every_view_opens_for_every_kind_of_model(view, run):
    app = open_page("rotary", view=view, run=run)
    assert not app.error
    if run in OTHERS and view in NEEDS_TURNING:
        assert "Nothing turns in this model" in said(app)
        assert app.get("page_link")
    else:
        assert pictures(app)
        assert any("Formula" in each.label for each in app.expander)


@pytest.mark.parametrize(("name", "view"), across(ODD_TEXTS, VIEW_NAMES, mainly="model"))
def test_odd_texts_are_shown(view, name):
    app = open_page("rotary", view=view, text=ODD_TEXTS[name])
    if name == "one character" and view in ("model", "conventions"):
        assert "at least 2" in app.error[0].value
    else:
        assert not app.error
    assert "<b>Gus</b>" not in said(app)


@pytest.mark.parametrize(("name", "view"), across(["sliding", "narrow"], VIEW_NAMES))
def test_odd_models_are_looked_at(view, name, odd_runs):
    app = open_page("rotary", view=view, run=odd_runs[name], stretch="yarn-by-pair")
    assert not app.error
    assert pictures(app)


@pytest.mark.parametrize(("name", "view"), across(["no attention", "no layers"], VIEW_NAMES))
def test_models_without_attention_are_refused_in_a_sentence(view, name, odd_runs):
    app = open_page("rotary", view=view, run=odd_runs[name])
    assert bool(app.error) == (view in NEEDS_TURNING)
    if app.error:
        assert "has no attention to look at" in app.error[0].value


@pytest.mark.parametrize("view", ["rotation", *sorted(NEEDS_TURNING)])
def test_heads_that_turn_in_part_or_not_at_all_are_refused_in_a_sentence(view, odd_runs):
    app = open_page("rotary", view=view, run=odd_runs["turned in part"])
    assert "Only the first 8 of the 16 coordinates" in app.error[0].value
    app = open_page("rotary", view=view, run=odd_runs["never turned"])
    assert "Nothing turns in layer 0" in app.error[0].value


def test_a_layer_with_a_theta_of_its_own_is_turned_by_that(odd_runs):
    app = open_page("rotary", view="rotation", run=odd_runs["a theta for windows"])
    assert app.select_slider(key="theta").value == 1000
    assert "tried out" not in said(app)


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_a_model_in_training_is_looked_at(view, running):
    app = open_page("rotary", owner="me", view=view, run=running)
    assert not app.error
    assert pictures(app)
    assert "too few" not in said(app)


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_what_a_link_says_wrongly_falls_back(view):
    link = {"layer": "9", "head": "x", "turned_to": "9999", "pair": "-1", "theta": "7"}
    link |= {"m": "999", "scheme": "magic", "schemes": "magic", "stretch": "magic", "factor": "0"}
    assert not open_page("rotary", view=view, **link).error


def test_the_query_stands_at_its_own_place_until_it_is_moved():
    app = open_page("rotary", view="rotation", text="Once upon a time there was", reader="4")
    assert app.slider(key="turned_to").value == 4
    app.slider(key="turned_to").set_value(100).run()
    assert "at position 100" in pictures(app)[0]


def test_theta_follows_the_model_whose_wavelengths_are_shown():
    app = open_page("rotary", view="rotation", spectrum="llama-3-8b")
    assert app.select_slider(key="theta").value == 500_000
    assert "64 pairs" in pictures(app)[1]
    assert "context of 8,192" in pictures(app)[1]


def test_both_tokens_moved_leave_the_score_under_rope_and_change_it_under_learned_positions():
    changes = {}
    for scheme in ("rope", "learned"):
        app = open_page("rotary", view="distance", scheme=scheme)
        changes[scheme] = abs(numbers(app)["difference"])
    assert changes["rope"] < 1e-4
    assert changes["learned"] > 1e-2
    table = next(each.value for each in app.markdown if "largest difference at one" in each.value)
    assert "yes, up to rounding" in table
    assert table.count("| no: ") == 2


def test_learned_positions_say_where_they_end_and_a_task_says_why_it_is_not_read():
    app = open_page("rotary", view="longer", run="repeat-llama")
    assert "the learned table ends at position 128" in said(app)
    assert "exercises are no running text" in said(app)
    assert "64 held-out windows of 512" in said(app)


def test_stretches_are_laid_over_the_models_and_a_run_of_ones_own_too(odd_runs):
    link = {"run": odd_runs["usual"], "schemes": "alibi", "stretch": "ntk", "factor": "2"}
    app = open_page("rotary", owner="usual", view="longer", **link)
    (words,) = pictures(app)
    assert "NTK-aware, s = 2:" in words
    assert "(this model):" in words
    assert "ALiBi:" in words


def test_the_first_models_that_read_long_texts_are_drawn_before_the_others(monkeypatch):
    monkeypatch.setattr(longer, "EARLY_SECONDS", -1)
    app = open_page("rotary", view="longer", schemes="rope,alibi", stretch="ntk")
    (words,) = pictures(app)
    assert words.count("RoPE:") == 1
    assert "ALiBi:" not in words
    (bar,) = app.get("progress")
    assert bar.proto.text == "Reading long texts: ALiBi"
    assert bar.proto.value == 33
    monkeypatch.setattr(longer, "EARLY_SECONDS", 600)
    app.run()
    (words,) = pictures(app)
    assert "ALiBi:" in words
    assert "NTK-aware" in words
    assert not app.get("progress")


def test_no_model_chosen_is_told():
    app = open_page("rotary", view="longer")
    app.button_group(key="schemes").set_value([]).run()
    assert "Choose at least one model" in said(app)
    assert not app.error


def test_the_conventions_agree_and_mixing_them_up_costs():
    app = open_page("rotary", view="conventions")
    found = numbers(app)
    assert found["Difference of the turned vectors"] < 1e-4
    assert found["Loss, orders mixed up"] > 1.5 * found["Loss, right order"]


# Figures.


def test_clocks_and_wavelengths_say_their_numbers():
    turns = frequencies(4, 10_000)  # a radian and a hundredth of one
    before = np.array([1.0, 0.0, 0.0, 2.0])
    picture = rotary.clocks(before, before, turns, position=100)
    assert "pair 0 has turned 15.92 times, pair 1 0.1592 times" in picture.alt
    hands = picture.figure.data[2]
    assert hands.x[:2] == (0.0, 1.0)  # to the right, with length one
    assert (hands.x[4] - hands.x[3], hands.y[4] - hands.y[3]) == (0, 1)  # upwards
    picture = rotary.spectrum(wavelengths(turns), context=128, title="a head")
    assert "2 pairs from 6.28 to 628 positions; 1 come round" in picture.alt


def test_pairs_say_which_of_them_carries_the_scores():
    lengths = np.array([6.0, 60.0])
    picture = rotary_pairs.pair_bars(np.array([0.7, 0.3]), np.array([0.2, 0.8]), lengths, chosen=1)
    assert "most by pair 0 (70%)" in picture.alt
    assert "most by pair 1 (80%, wavelength 60)" in picture.alt
    alone = rotary_pairs.pair_bars(np.array([0.7, 0.3]), np.full(2, np.nan), lengths, chosen=1)
    assert "differs" not in alone.alt
    added = np.array([[0.5, -2.0], [0.1, 0.2]])
    picture = rotary_pairs.pair_distances(added, lengths, are_shares=False)
    assert "the largest is -2.00, by pair 0 at distance 1" in picture.alt
    wide = rotary_pairs.pair_distances(np.ones((64, 900)), np.ones(64), are_shares=True)
    assert np.shape(wide.figure.data[0].z) == (64, 64)


def test_planes_tell_how_turning_spreads_and_escape_tokens():
    same, around = np.array([[1.0, 0], [1, 0]]), np.array([[1.0, 0], [-1, 0]])
    picture = rotary_pairs.planes(["<b>", "x"], (same, same), (around, around), pair=2)
    assert "mostly one way (100%" in picture.alt
    assert "all ways (0%" in picture.alt
    assert "&lt;b&gt;" in picture.figure.data[0].text[0]


def test_layouts_say_the_order():
    assert "in the order 0, 2, 1, 3:" in rotary.layouts(to_interleaved(4)).alt
    assert "0, 32, 1, 33, 2, 34, …" in rotary.layouts(to_interleaved(64)).alt


def test_positions_say_their_numbers():
    scores = np.subtract.outer(np.arange(4.0), np.arange(4.0))
    picture = positions.toeplitz(scores, places=[(0, 1), (2, 3)], title="ALiBi", along=0.0)
    assert "from -3.00 to 3.00; the largest difference between two of one distance is 0." in (
        picture.alt
    )
    lines = {"rope": np.ones(3), "learned": np.array([0.0, 1, 3])}
    assert "rope 0; learned 3." in positions.moved_together(lines, m=1, n=0, by=1).alt
    happened = np.array([1.0, np.nan])
    picture = positions.real_decay(np.array([1.0, 2.0]), np.ones(2), happened, context=2)
    assert "highest within the context at distance 1 (2.00)" in picture.alt
    assert list(picture.figure.data[-1].x) == [0]


def test_random_keys_unlike_their_queries_do_not_decay():
    words = random_picture(ModelConfig(n_layers=1)).alt
    assert "fall from 1 to" in words
    unlike = float(words.rsplit("stay at ", 1)[1].split(" or less")[0])
    assert unlike < 0.05


def test_a_loss_by_position_says_where_it_ends():
    curves = [
        positions.Curve(
            name=name,
            starts=np.arange(1, 2 * n, 2),
            losses=np.linspace(1, 2, n),
            errors=np.zeros(n),
            context=8,
            bin=2,
        )
        for name, n in (("short", 4), ("long", 16))
    ]
    words = positions.losses_by_position(curves, guessing=3.5).alt
    assert "guessing at random is 3.50" in words
    assert "short: 2.00 at the end of the context, where it ends" in words
    assert "long: 1.20 at the end of the context, 2.00 at 4 contexts" in words


def test_every_stretch_has_its_paper_and_every_scheme_its_model():
    assert all(each.paper and each.title for each in STRETCHES.values())
    tales = pretrained_run("tales-llama")
    n_snapshots = tales.setup.training.n_snapshots
    for scheme, name in distance.SCHEMES.items():
        run = pretrained_run(name)
        assert run.setup.model.position == scheme
        assert replace(run.setup.training, n_snapshots=n_snapshots) == tales.setup.training
        assert run.setup.corpus == tales.setup.corpus
