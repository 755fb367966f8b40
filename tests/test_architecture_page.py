"""The Architecture page: what is chosen, what differs from LLaMA, and every view of it."""

import json
from dataclasses import replace

import pytest
from conftest import open_page

from explorer.architecture.choosing import differences
from explorer.architecture.components import SLOTS, titles
from explorer.architecture.views import VIEWS
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.presets import PRESETS

pytestmark = pytest.mark.usefixtures("app_engine")
SOME = ["tiny-llama", "tiny-gpt3", "llama-1-65b", "gpt3-175b", "gemma-2b", "qwen3-8b"]


def said(app):
    return " ".join(each.value.replace("\\", "") for each in (*app.caption, *app.markdown))


def picture(app):
    (found,) = (each for each in app.get("bidi_component") if each.key == "block_diagram")
    return json.loads(found.proto.json)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_for_tiny_and_real_models(view, name):
    app = open_page("architecture", view=view, preset=name)
    assert not app.error
    assert f"{count_parameters(PRESETS[name].config):,} parameters" in said(app)
    assert app.query_params.get("view", "block") == view


@pytest.mark.parametrize("name", ["llama-1-7b", "mistral-7b", "gpt3-xl", "qwen2.5-0.5b"])
def test_a_preset_sets_every_widget(name):
    app = open_page("architecture")
    app.selectbox(key="preset").select(name).run()
    config = PRESETS[name].config
    assert app.number_input(key="d_model").value == config.d_model
    assert app.number_input(key="model_vocab_size").value == config.vocab_size
    assert app.selectbox(key="attention").value == config.attention
    assert f"{PRESETS[name].title}: {count_parameters(config):,} parameters" in said(app)


def test_a_toggle_changes_the_picture_and_the_line_that_says_what_differs():
    app = open_page("architecture")
    assert "Made of the same parts as LLaMA" in said(app)
    before = {box["name"] for panel in picture(app)["panels"] for box in panel["boxes"]}
    app.selectbox(key="position").select("learned").run()
    after = {box["name"] for panel in picture(app)["panels"] for box in panel["boxes"]}
    assert before - after == {"query_turn", "key_turn"}
    assert after - before == {"position"}
    assert "Differs from LLaMA in position: rope → learned" in said(app)


def test_what_differs_leaves_sizes_aside():
    for name in ("llama-1-7b", "llama-1-65b", "llama-2-7b", "tiny-llama", "small-llama"):
        assert differences(PRESETS[name].config) == "", name
    assert (
        differences(PRESETS["llama-3-8b"].config)
        == "n_kv_heads: auto → 8, rope_theta: 10000 → 500000"
    )
    gpt3 = differences(PRESETS["gpt3-175b"].config)
    assert gpt3.startswith("norm: rmsnorm → layernorm, position: rope → learned")


def test_the_dial_sets_depth_width_heads_and_hidden_layer_at_once():
    app = open_page("architecture", preset="llama-1-7b", view="parameters")
    app.select_slider(key="depth").set_value(40).run()
    assert not app.exception
    count = count_parameters(PRESETS["llama-1-13b"].config)
    assert f"{count:,} parameters" in said(app)
    sizes = {name: app.number_input(key=name).value for name in ("n_layers", "d_model", "n_heads")}
    assert sizes == {"n_layers": 40, "d_model": 5120, "n_heads": 40}
    assert app.select_slider(key="depth").value == 40


def test_choices_that_do_not_fit_together_are_told_in_a_sentence():
    app = open_page("architecture", n_heads="5")
    assert [
        "d_model=64 must be a multiple of n_heads=5" in each.value.replace("\\", "")
        for each in app.error
    ] == [True]


def test_a_small_model_can_be_trained_from_here_and_a_large_one_says_why_not():
    app = open_page("architecture", position="alibi", n_layers="2")
    (link,) = (each for each in app.get("page_link") if each.proto.label == "Train this model")
    assert "position=alibi" in link.proto.query_string
    assert "n_layers=2" in link.proto.query_string
    app = open_page("architecture", preset="llama-1-65b")
    assert not [each for each in app.get("page_link") if each.proto.label == "Train this model"]
    assert "too large to train" in said(app)


@pytest.mark.parametrize("opened", ["attention.scores", "model.embedding", "block.attention_norm"])
def test_a_link_opens_a_part_with_formula_code_and_tensor(opened):
    app = open_page("architecture", open=opened)
    assert not app.error
    assert len(app.code) == 3
    assert "The code that runs" in said(app)
    assert "The live tensor" in said(app)
    (is_open,) = (
        f"{panel['name']}.{box['name']}"
        for panel in picture(app)["panels"]
        for box in panel["boxes"]
        if box["isOpen"]
    )
    assert is_open == opened


def test_the_tensor_is_the_sidebars_where_its_model_is_made_so_else_a_new_ones():
    assert "The sidebar's model" in said(open_page("architecture", open="attention.scores"))
    other = said(open_page("architecture", open="attention.scores", norm="layernorm"))
    assert "A new model of this setup, untrained" in other
    large = said(open_page("architecture", open="attention.scores", preset="llama-1-7b"))
    assert "too large to be built just for a look" in large


def test_a_part_that_does_not_exist_opens_nothing():
    app = open_page("architecture", open="attention.flux<b>")
    assert not app.error
    assert not app.code


@pytest.mark.parametrize("slot", SLOTS)
def test_every_option_of_a_slot_is_there_with_what_it_would_change(slot):
    app = open_page("architecture", view="components", slot=slot)
    config = ModelConfig()
    for name in titles(slot):
        button = app.button(key=f"take_{slot}_{name}")
        assert button.disabled == (getattr(config, slot) == name), name
    other = next(name for name in titles(slot) if name != getattr(config, slot))
    app.button(key=f"take_{slot}_{other}").click().run()
    assert not app.exception
    widgets = {each.key: each for each in app.selectbox}
    assert widgets[slot].value == other
    assert app.button(key=f"take_{slot}_{other}").disabled


def test_every_slot_and_choice_is_among_the_components():
    assert set(SLOTS) == {*MENU, *CHOICES}


def test_an_option_says_how_many_parameters_it_adds():
    config = ModelConfig()
    more = count_parameters(replace(config, norm="layernorm")) - count_parameters(config)
    assert f"{more:+,} parameters" in said(open_page("architecture", view="components"))
