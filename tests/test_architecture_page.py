"""The Architecture page: what is chosen, what differs from LLaMA, and every view of it."""

import json
from contextlib import suppress
from dataclasses import asdict, replace

import pytest
from conftest import across, open_page

from explorer.architecture.components import SLOTS, is_taken, titles, value_of
from explorer.architecture.numbers import NUMBERS, most_even_groups, slowest_turn, users
from explorer.architecture.views import VIEWS
from explorer.architecture.widgets import differences
from tiny_llama.analyses.fresh import fresh
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters
from tiny_llama.errors import ConfigError
from tiny_llama.menu import CHOICES, MENU
from tiny_llama.presets import PRESETS

pytestmark = pytest.mark.usefixtures("app_engine")
SOME = ["tiny-llama", "tiny-gpt3", "llama-1-65b", "gpt3-175b", "gemma-2b", "qwen3-8b"]


def said(app):
    return " ".join(each.value.replace("\\", "") for each in (*app.caption, *app.markdown))


def picture(app):
    (found,) = (each for each in app.get("bidi_component") if each.key == "block_diagram")
    return json.loads(found.proto.json)


@pytest.mark.parametrize(("name", "view"), across(SOME, [view.name for view in VIEWS]))
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
    assert "Differs from LLaMA in Positions: rope → learned" in said(app)


def test_what_differs_leaves_sizes_aside():
    for name in ("llama-1-7b", "llama-1-65b", "llama-2-7b", "tiny-llama", "small-llama"):
        assert differences(PRESETS[name].config) == "", name
    assert (
        differences(PRESETS["llama-3-8b"].config)
        == "Key/value heads: as many as heads → 8, RoPE's base: 10,000 → 500,000"
    )
    gpt3 = differences(PRESETS["gpt3-175b"].config)
    assert gpt3.startswith("Norm: rmsnorm → layernorm, Positions: rope → learned")


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


def test_the_tensor_is_of_the_model_in_the_bar_where_that_is_made_so_else_of_a_new_one():
    assert "The model in the bar" in said(open_page("architecture", open="attention.scores"))
    other = said(open_page("architecture", open="attention.scores", norm="layernorm"))
    assert "A new model of this setup, untrained" in other
    large = said(open_page("architecture", open="attention.scores", preset="llama-1-7b"))
    assert "too large to be built just for a look" in large


@pytest.mark.parametrize(
    ("preset", "sizes"),
    [("llama-1-7b", {}), ("tiny-llama", {"n_layers": 150, "d_model": 16, "n_heads": 2})],
)
def test_a_large_or_deep_model_is_refused_by_the_page_as_by_the_worker(preset, sizes):
    config = replace(PRESETS[preset].config, **sizes)
    with pytest.raises(ConfigError) as refused:
        fresh(model=asdict(config), path="logits", n_tokens=4)
    words = {"preset": preset, **{name: str(size) for name, size in sizes.items()}}
    assert str(refused.value) in said(open_page("architecture", open="attention.scores", **words))


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
        assert button.disabled == is_taken(config, slot, name), name
    other = next(name for name in titles(slot) if not is_taken(config, slot, name))
    app.button(key=f"take_{slot}_{other}").click().run()
    assert not app.exception
    widgets = {each.key: each for each in (*app.selectbox, *app.number_input, *app.toggle)}
    assert widgets[slot].value == value_of(config, slot, other)
    assert app.button(key=f"take_{slot}_{other}").disabled


def test_every_slot_and_choice_is_among_the_components():
    assert set(SLOTS) == {*MENU, *CHOICES, *NUMBERS}


@pytest.mark.parametrize("slot", NUMBERS)
def test_an_option_that_is_a_number_gives_a_model_that_has_it(slot):
    for preset in PRESETS.values():
        for name, option in NUMBERS[slot].items():
            if option.why_not(preset.config):
                continue
            with suppress(ConfigError):  # OpenLLaMA's heads have no quarter that is even
                other = replace(preset.config, **{slot: option.value(preset.config)})
                assert option.holds(other), name


def test_groups_hold_some_four_heads_and_are_equal():
    heads = {n: most_even_groups(replace(ModelConfig(), n_heads=n, d_head=8)) for n in (4, 8, 32)}
    assert heads == {4: 2, 8: 2, 32: 8}
    assert most_even_groups(replace(ModelConfig(), n_heads=5, d_head=8)) is None
    app = open_page("architecture", view="components", slot="n_kv_heads", n_heads="1")
    assert "cannot be parted into equal groups" in said(app)


def test_who_uses_an_option_is_read_from_the_presets():
    assert users("n_kv_heads", "multi_query") == "Gemma 2B"
    assert "Llama 3 8B, 70B; Llama 3.1 405B" in users("n_kv_heads", "grouped_query")
    assert "LLaMA 7B, 13B, 33B, 65B" in users("n_kv_heads", "multi_head")
    assert users("rope_theta", "million").startswith("Code Llama 7B, 34B; Mixtral 8x7B")
    assert users("rope_fraction", "quarter") == "GPT-J 6B; GPT-NeoX 20B; Pythia 6.9B"
    assert "Qwen2.5 0.5B" in users("tied_unembedding", "tied")
    assert "Qwen2.5 7B" in users("tied_unembedding", "untied")


def test_the_slowest_pair_turns_as_slowly_as_the_card_says():
    assert "in 54,410 tokens" in slowest_turn(PRESETS["llama-1-7b"].config)
    app = open_page("architecture", view="components", slot="rope_theta", position="alibi")
    assert said(app).count("It acts only where RoPE turns") == 3


def test_fewer_key_value_heads_make_the_cache_smaller():
    words = said(open_page("architecture", view="components", slot="n_kv_heads"))
    for kept in ("768 bytes", "384 bytes", "192 bytes"):  # 2 × 3 layers × heads × 16 × 2 bytes
        assert f"{kept} of cache a token" in words


def test_an_option_says_how_many_parameters_it_adds():
    config = ModelConfig()
    more = count_parameters(replace(config, norm="layernorm")) - count_parameters(config)
    assert f"{more:+,} parameters" in said(open_page("architecture", view="components"))


def test_a_card_says_what_others_measured_of_its_option_and_where():
    app = open_page("architecture", view="components", slot="feed_forward")
    told = "\n".join(each.value for each in app.markdown).replace("\\", "")
    assert "Held-out log-perplexity 1.944, with GELU 1.983 (T5 base, C4, 65,536 steps" in told
    assert "arXiv:2002.05202, Table 1" in told
    shown = [each.label for each in app.expander]
    assert shown.count("Measured elsewhere") == 1  # of SwiGLU's card alone
