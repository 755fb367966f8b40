"""The Attention page, view by view, and its pictures."""

import base64
import json
import re
import tomllib

import numpy as np
import pytest
from conftest import ODD_TEXTS, QUICK, ROOT, across, open_page, trained, training, until

from explorer.components import head_grid
from explorer.components.head_grid import grid_data, role_title
from explorer.components.reading_map import MOST_TOKENS, Reading, map_data, map_words, page
from explorer.figures import attention as figures
from explorer.inside.attention import VIEWS, worked_formulas
from tiny_llama.analyses.roles import CLEAR, ROLES
from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")
MODELS = ("tales-llama", "tales-gpt3", "repeat-llama", "tales-alibi")
NEEDS_PAST = {"tales-gpt3", "tales-alibi"}
VIEW_NAMES = [view.name for view in VIEWS]
TINY = QUICK | {"steps": "1", "n_layers": "2", "d_model": "16", "context": "32"}
ODD = {
    "sliding": {"attention": "sliding", "n_kv_heads": "1", "window": "5", "qk_norm": "head"},
    "no attention": {"attention": "none"},
    "no layers": {"n_layers": "0"},
}


def component(app, key):
    """Give what a component of the browser was sent."""
    (found,) = [each for each in app.get("bidi_component") if each.key == key]
    return json.loads(found.proto.json)


@pytest.fixture(scope="module")
def odd_runs(engine):
    """Give an id for each odd model, trained for a step."""
    return trained(engine, {name: Setup().with_values(TINY | ODD[name]) for name in ODD})


@pytest.fixture
def running(engine):
    """Lend a model that trains all the while."""
    with training(
        engine, Setup().with_values(TINY | {"steps": "50000", "n_snapshots": "0"})
    ) as run_id:
        yield run_id


@pytest.mark.parametrize(("run", "view"), across(MODELS, VIEW_NAMES, mainly="time"))
def test_every_view_opens_for_every_kind_of_model(view, run):
    app = open_page("attention", view=view, run=run)
    errors = [error.value for error in app.error]
    if view == "time" and run in NEEDS_PAST:
        assert "n\\_snapshots" in errors[0]
    else:
        assert errors == []
        assert app.expander


@pytest.mark.parametrize(("name", "view"), across(ODD_TEXTS, VIEW_NAMES, mainly="head"))
def test_odd_texts_are_shown(view, name):
    app = open_page("attention", view=view, text=ODD_TEXTS[name])
    assert not app.error
    assert "<b>Gus</b>" not in "".join(each.value for each in app.markdown)


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_a_model_without_a_past_is_looked_at(view, running, odd_runs):
    for run, has_past in ((running, False), (odd_runs["sliding"], True)):
        app = open_page("attention", view=view, run=run)
        assert bool(app.error) == (view == "time" and not has_past)


@pytest.mark.parametrize(("name", "view"), across(["no attention", "no layers"], VIEW_NAMES))
def test_a_model_without_attention_is_refused_in_a_sentence(view, name, odd_runs):
    app = open_page("attention", view=view, run=odd_runs[name])
    assert "has no attention to look at" in app.error[0].value


def test_while_a_model_trains_all_pictures_are_of_one_step_until_the_student_looks_again(
    engine, running
):
    app = open_page("attention", owner="me", view="head", run=running)
    (step,) = component(app, "reading")["steps"]
    until(lambda: engine.poll(running).step > step)
    app.selectbox(key="layer").set_value(1).run()
    assert component(app, "reading")["steps"] == [step]
    next(each for each in app.button if each.label == "Look again").click().run()
    assert component(app, "reading")["steps"][0] > step


def test_all_heads_are_sent_with_their_roles_and_a_link_opens_one():
    sent = component(open_page("attention", run="repeat-llama"), "heads")
    assert [head["label"] for head in sent["layers"][1]] == ["Induction"] * 4
    link = open_page("attention", run="repeat-llama", view="head", layer="1", head="2")
    assert component(link, "reading")["chosen"] == 2


def test_a_long_text_is_shown_in_a_window():
    text = "Once there was a kind duck named Gus. " * 12
    app = open_page("attention", view="head", text=text)
    assert len(component(app, "reading")["tokens"]) == MOST_TOKENS
    app.slider(key="first").set_value(50).run()
    sent = component(app, "reading")
    assert sent["first"] == 50
    assert len(sent["tokens"]) == MOST_TOKENS
    assert "".join(sent["tokens"]) in text.replace(" ", "␣")


@pytest.mark.parametrize("view", ["head", "time"])
def test_a_window_chosen_on_a_longer_text_falls_back_to_the_last_one(view):
    app = open_page("attention", view=view, text="Once there was a kind duck named Gus. " * 12)
    app.slider(key="first").set_value(60).run()
    app.text_area(key="text").set_value("Once there was a kind duck named Gus. " * 6).run()
    assert not app.exception
    slider = app.slider(key="first")
    assert slider.value == slider.max < 60


@pytest.mark.parametrize("view", ["head", "stages", "time"])
def test_a_model_of_a_task_opens_on_its_clearest_induction_head(engine, view):
    app = open_page("attention", view=view, run="repeat-llama")
    place = [app.selectbox(key=key).value for key in ("layer", "head")]
    example = app.text_area(key="text").value
    roles = engine.analyse("repeat-llama", "heads", text=example)["roles"]
    scores = roles[..., list(ROLES).index("induction")]
    assert scores[*place] == scores.max() > CLEAR
    assert place[0] > 0
    assert not {"layer", "head"} & set(app.query_params)
    app.selectbox(key="layer").set_value(0).run()
    assert app.query_params["layer"] == "0"
    again = open_page("attention", view=view, run="repeat-llama", layer="0")
    assert [again.selectbox(key=key).value for key in ("layer", "head")] == [0, place[1]]


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_a_view_has_one_slider_of_training_steps(view):
    app = open_page("attention", view=view, run="repeat-llama")
    steps = [each.key for each in app.select_slider if each.key == "at"]
    assert len(steps) == (view != "time")  # the time machine brings its own


def test_ones_own_run_can_be_looked_back_at_without_a_choice(engine):
    usual = Setup().with_values(TINY | {"steps": "40"})
    name = trained(engine, {"looks back": usual})["looks back"]
    app = open_page("attention", owner="looks back", run=name, view="time")
    assert len(component(app, "time")["steps"]) >= 6


def test_a_layer_that_another_model_lacks_falls_back_to_the_usual_one():
    usual = open_page("attention", view="head", run="repeat-llama")
    app = open_page("attention", view="head", run="repeat-llama", layer="3", head="2")
    assert app.selectbox(key="layer").value == usual.selectbox(key="layer").value
    assert app.selectbox(key="head").value == 2
    assert not app.error


def test_heads_switched_off_by_the_link_change_the_loss():
    app = open_page("attention", view="ablate", run="repeat-llama", off="0.0")
    losses = {metric.label: float(metric.value) for metric in app.metric}
    assert losses["Loss with all heads"] < 0.1
    assert losses["Loss without those switched off"] > 3
    with_all, without = [code.value for code in app.code][:2]
    assert with_all != without


# Components.


@pytest.fixture
def reading():
    pattern = np.tril(np.ones((3, 3))) / np.arange(1, 4)[:, None]
    return Reading(
        tokens=["<i>", "␣", "b"],
        first=7,
        patterns=np.stack([np.stack([pattern, np.eye(3)])]),
        heads=[(0, 0, "Uniform"), (0, 1, "Mixed")],
        chosen=1,
        steps=[5],
        window=None,
    )


def test_what_the_browser_is_sent_is_the_pattern(reading):
    sent = map_data(reading)
    weights = np.frombuffer(base64.b64decode(sent["patterns"]), "<u2").reshape(1, 2, 3, 3) / 65_535
    np.testing.assert_allclose(weights, reading.patterns, atol=1 / 65_535)
    assert "100% from token" in map_words(reading)


def test_a_stand_alone_page_needs_nothing_else_and_escapes_the_text(reading):
    html = page(reading, "Attention <of> head")
    assert "<i>" not in html
    assert "Attention &lt;of&gt; head" in html
    assert not re.search(r"(src|href)=|import |url\((?!#)", html)
    data = re.search(r"readingMap\(\{ data: (\{.*\}), parentElement", html)[1]
    assert json.loads(data)["tokens"] == ["<i>", "␣", "b"]


def test_a_grid_is_packed_into_a_page_of_its_own():
    html = head_grid.page(np.zeros((1, 1, 2, 2), np.uint8), np.zeros((1, 1, 6)), "All <heads>")
    assert "All &lt;heads&gt;" in html
    assert not re.search(r"(src|href)=|import |url\((?!#)", html)
    data = re.search(r"headGrid\(\{ data: (\{.*\}), parentElement", html)[1]
    assert json.loads(data)["size"] == 2


def test_a_grid_names_each_head_by_its_role():
    roles = np.array([[[0.9, 0, 0, 0, 0, 0.1], [0.1, 0.1, np.nan, np.nan, 0.1, 0.95]]])
    sent = grid_data(np.zeros((1, 2, 4, 4), np.uint8), roles)
    assert [head["label"] for head in sent["layers"][0]] == ["Previous token", "Uniform"]
    assert sent["layers"][0][1]["scores"][2][2] is None
    assert sent["alt"].endswith("1 previous token, 1 uniform.")
    assert role_title(np.full(6, 0.1)) == "Mixed"


# Figures.


def test_the_words_of_a_picture_say_its_numbers():
    shown = {"softmax": np.array([0.25, 0.75])}
    picture = figures.stage_bars(["a", " "], shown, reader=1, source=1)
    assert picture.alt == "How token 1 “␣” reads from token 1 “␣”: softmax 0.75."
    growth = np.array([[0.1, -0.2], [1.5, 0.0]])
    assert "1.50 nats a token, for layer 1, head 0" in figures.importance_map(growth).alt
    chances = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert "90% for “x” with all heads" in figures.next_tokens(["x", "<"], chances).alt
    losses = np.array([[1.0, 1.0], [1.0, 3.5]])
    picture = figures.loss_change(["a", "b", "c"], losses, np.array([True, True]))
    assert "+2.50 nats for token 2 “c”" in picture.alt


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_number_can_be_read_on_every_cell_of_a_map(theme):
    """The page's letters, on whatever of the scale is in use: from nothing to the largest."""
    colours = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][theme]
    scale = [brightness(colour) for colour in colours["chartSequentialColors"]]
    letters = brightness(colours["textColor"])
    (cells,) = figures.importance_map(np.array([[0.1, -0.2], [1.5, 0.0]])).figure.data
    in_use = np.interp(np.linspace(0, 1.5 / cells.zmax, 50), np.linspace(0, 1, len(scale)), scale)
    high, low = np.maximum(in_use, letters), np.minimum(in_use, letters)
    assert ((high + 0.05) / (low + 0.05)).min() >= 4.5


def brightness(colour):
    """Compute a colour's relative luminance, as WCAG has it."""
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_steps_on_a_logarithmic_axis_are_named_where_there_is_room():
    steps = [0, 4, 32, 128, 256, 500, 1000, 1372, 2048, 3000, 4000]
    shown = np.zeros((len(steps), 1, 1)), np.ones(len(steps))
    picture = figures.formation(steps, *shown, role="Induction", chosen=(0, 0))
    ticks = np.log(picture.figure.layout.xaxis.tickvals)
    assert (ticks[0], ticks[-1]) == (0, np.log(4001))
    assert 3 <= len(ticks) <= 7
    assert np.diff(ticks).min() >= ticks[-1] / 6


def test_tokens_on_an_axis_are_never_markup():
    picture = figures.next_tokens(["<b>", "&"], np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert list(picture.figure.layout.yaxis.ticktext) == ["&lt;b&gt;", "&amp;"]


def test_a_rise_is_told_by_its_steps():
    scores = np.zeros((4, 1, 2))
    scores[:, 0, 1] = [0.0, 0.1, 0.8, 0.9]
    picture = figures.formation(
        [0, 10, 20, 30], scores, np.array([3, 2, 1, 0.5]), role="Induction", chosen=(0, 1)
    )
    assert "rising most between steps 10 and 20" in picture.alt
    assert "from 3.00 to 0.50 nats" in picture.alt


# Numbers in formulas.


@pytest.mark.parametrize("run", MODELS)
def test_the_numbers_in_the_formula_are_those_of_the_model(run, engine):
    text = "Once there was a duck by the sea. He ran" if run != "repeat-llama" else "\nabcd\nabcd"
    for source in (3, 8):
        answer = engine.analyse(run, "stages", text=text, layer=1, head=1, reader=8)
        position = engine.poll(run).setup.model.position
        said = worked_formulas.stages(answer, source, position)
        assert f"{answer['products'][source]:.3f}" in said
        assert f"= {answer['pattern'][source]:.3f}$" in said
        assert ("Plus position" in said) == (position == "alibi")
        assert ("turned both" in said) == (position == "rope")
    answer = engine.analyse(run, "stages", text=text, layer=1, head=1, reader=4)
    assert "lies in the future" in worked_formulas.stages(answer, 5, position)


def test_characters_that_the_tokenizer_does_not_know_are_said_to_be_lost():
    for text, said in (
        ("\nabcd\nabcd", ""),
        ("abñ", "1 character that"),
        ("ñ🦙a", "2 characters that"),
    ):
        app = open_page("attention", run="repeat-llama", text=text)
        captions = "\n".join(each.value for each in app.caption)
        assert ("does not know" in captions) == bool(said)
        assert said in captions


def test_characters_that_the_model_reads_in_bytes_are_said():
    for text, said in (
        ("a duck\nand a cat", ""),
        ("a duck from köln", "“ö” has no piece of its own, so that"),
        ("a *🦙* from köln", "“\\*”, “🦙”, “ö” have no pieces of their own"),
        ("äöüß12345", "“1”, “2” and 3 more have no pieces"),
    ):
        app = open_page("attention", text=text)
        captions = "\n".join(each.value for each in app.caption)
        assert ("byte by byte" in captions) == bool(said)
        assert said in captions
