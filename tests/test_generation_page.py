"""The Generation page: every view, for pretrained, untrained and odd models and for odd texts."""

import json
import re
from math import log

import numpy as np
import pytest
from conftest import ODD_TEXTS, across, numbers, open_page, trained

from explorer import session
from explorer.figures.amounts import in_bytes
from explorer.figures.kv_cache import CacheSizes, cache_growth, cache_sizes, token_times
from explorer.figures.logit_lens import by_layer
from explorer.figures.next_token import next_tokens, percent
from explorer.figures.samples import sample_surprise
from explorer.figures.surprise import token_losses
from explorer.inside.generation import VIEWS
from explorer.inside.generation.kv_cache import REAL, head_counts, real_sizes, real_table
from explorer.inside.generation.lens_table import SHADES, lens_table
from explorer.inside.generation.next_token import Added, as_word, read_word
from explorer.inside.generation.surprise import coloured
from explorer.widgets import room_for
from tiny_llama.analyses.subject import Subject
from tiny_llama.config import ModelConfig
from tiny_llama.generation import generate
from tiny_llama.sample_config import SampleConfig
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

pytestmark = pytest.mark.usefixtures("app_engine")

MODELS = ["tales-llama", "tales-gpt3", "repeat-llama", "tales-no-positions"]
ODD = {
    "no attention": ModelConfig(attention="none", n_layers=1, d_model=16, context=32),
    "no layers": ModelConfig(n_layers=0, d_model=16, context=32),
    "post-norm, capped": ModelConfig(
        norm_placement="post", logit_softcap=5.0, n_kv_heads=1, n_layers=2, d_model=16, context=32
    ),
    "no feed-forward": ModelConfig(feed_forward="none", n_layers=1, d_model=16, context=16),
    "sentencepiece": ModelConfig(n_layers=1, d_model=16, context=16),
    "bytes": ModelConfig(n_layers=1, d_model=16, context=16),
}
VIEW_NAMES = [view.name for view in VIEWS]


def pictures(app):
    """List the words of every picture on the page."""
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def all_text(app):
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption])


@pytest.mark.parametrize(("run", "view"), across(MODELS, VIEW_NAMES, mainly="surprise"))
def test_every_view_opens_for_the_pretrained_models(run, view):
    app = open_page("generation", view=view, run=run)
    assert not app.error
    assert pictures(app)
    assert all(len(alt) > 40 for alt in pictures(app))


@pytest.fixture(scope="module")
def odd_runs(engine):
    """Give an id for each odd model, trained for a step."""
    training = TrainConfig(steps=1, batch_size=2, evaluate_texts=4, sample_tokens=10)
    kinds = {name: name if name in TOKENIZERS else "characters" for name in ODD}
    setups = {
        name: Setup(model=config, training=training, tokenizer=kinds[name])
        for name, config in ODD.items()
    }
    return trained(engine, setups)


@pytest.mark.parametrize(("name", "view"), across(ODD, VIEW_NAMES))
def test_every_view_opens_for_odd_models(odd_runs, name, view):
    app = open_page("generation", view=view, run=odd_runs[name], text="The duck sat.")
    assert not app.error
    if view == "cache" and name in ("no attention", "no layers"):
        assert "keeps nothing" in app.info[0].value


@pytest.mark.parametrize(("name", "view"), across(ODD_TEXTS, VIEW_NAMES, mainly="surprise"))
def test_every_view_opens_for_odd_texts(name, view):
    app = open_page("generation", view=view, text=ODD_TEXTS[name])
    assert not app.error
    assert app.text_area(key="text").value == ODD_TEXTS[name]


def test_an_untrained_model_is_shown_through_its_snapshot():
    app = open_page("generation", view="surprise", run="repeat-llama", at="0")
    assert not app.error
    assert "step 0" in all_text(app)


def word(app):
    found = app.query_params.get("written", "")
    return found[0] if isinstance(found, list) else found


def test_drawing_goes_on_token_by_token_as_generate_does(engine):
    app = open_page("generation", text="Once there was a", sample_seed="3", temperature="1.2")
    for _ in range(6):
        app.button(key="add_drawn").click().run()
        assert not app.exception
    tales = Subject.load(engine.poll("tales-llama").folder)
    config = SampleConfig(seed=3, temperature=1.2, n_tokens=6)
    said = generate(tales.model, tales.tokenizer.encode("Once there was a"), config)
    assert word(app) == ".".join(f"d{each.token}" for each in said)


def test_tokens_by_hand_and_by_the_model_are_told_apart_and_can_be_taken_back():
    app = open_page("generation", text="The duck")
    app.button(key="add_likeliest").click().run()
    app.button(key="choose_3").click().run()
    app.button(key="add_drawn").click().run()
    assert re.fullmatch(r"l\d+\.h\d+\.d\d+", word(app))
    shown = app.get("html")[0].proto.body
    assert [each in shown for each in ("by hand", "likeliest", "drawn")] == [True] * 3
    assert [each in shown for each in ("dashed", "double", "solid")] == [True] * 3
    app.button(key="take_back").click().run()
    assert re.fullmatch(r"l\d+\.h\d+", word(app))
    app.button(key="start_again").click().run()
    assert not word(app)
    assert app.button(key="take_back").disabled


def test_the_link_has_the_tokens_and_another_text_forgets_them():
    app = open_page("generation", text="The duck", written="l2.h5")
    assert "4 tokens so far, 2 of them" in all_text(app)
    app.text_area(key="text").set_value("A cat").run()
    assert "3 tokens so far, 0 of them" in all_text(app)
    assert not word(app)


def test_starting_again_draws_anew_by_the_next_seed():
    app = open_page("generation", text="The duck", sample_seed="4294967295")
    app.button(key="add_drawn").click().run()
    app.button(key="start_again").click().run()
    assert not word(app)
    assert app.number_input(key="sample_seed").value == 0


def test_the_given_text_stands_on_a_ground_of_its_own():
    app = open_page("generation", text="The duck", written="l2.h5")
    given, *added = app.get("html")[0].proto.body.split("</span>")
    assert "background" in given
    assert given.endswith("> The duck")
    assert not any("background" in each for each in added)


def test_writing_on_draws_to_the_next_choice():
    app = open_page("generation", text="Once there was a kind duck named Gus. Gus lived")
    app.button(key="write_on").click().run()
    assert not app.exception
    assert 0 < len(word(app).split(".")) <= 60


def test_two_hundred_tokens_are_the_most():
    app = open_page("generation", text="The", written=".".join(["d5"] * 200))
    assert app.button(key="add_drawn").disabled
    assert app.button(key="choose_1").disabled
    assert "200 tokens is the most" in app.info[0].value


@pytest.mark.parametrize("nonsense", ["x", "d", "d999", "d-1", "..", "d٣", "<b>", "d2.d999.d3"])
def test_nonsense_in_the_link_is_passed_over(nonsense):
    app = open_page("generation", written=nonsense, temperature="hot", top_k="-3", lens_at="x")
    assert not app.error


def test_words_of_the_link_are_read_as_they_are_written():
    added = [Added(token=3, who="d"), Added(token=50, who="h"), Added(token=0, who="l")]
    assert as_word(added) == "d3.h50.l0"
    assert read_word(as_word(added), 51) == added
    assert read_word(as_word(added), 50) == added[:1]
    assert read_word("", 51) == []


def test_the_table_strikes_out_what_a_filter_took():
    app = open_page("generation", text="The", top_p="0.9", temperature="1.0")
    table = next(each.value for each in app.markdown if each.value.startswith("| Token |"))
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    assert rows[0][2:] == ["softmax", "temperature 1", "top-k 0", "top-p 0.9", "min-p 0"]
    left = next(row for row in rows if row[0] == "Tokens left")
    n_in = sum(row[-1].endswith("%") for row in rows[2:17])
    assert n_in == int(left[-1]) < 15
    assert all(row[0].startswith("~~") for row in rows[2 + n_in : 17])
    taken = next(row for row in rows if row[0] == "Taken away")
    stayed = sum(float(row[4].rstrip("%")) for row in rows[2 : 2 + n_in])
    assert float(taken[5].rstrip("%")) == pytest.approx(100 - stayed, abs=0.5)


def test_markup_in_tokens_is_shown_word_for_word():
    app = open_page("generation", view="surprise", text="<b>x</b>")
    shown = app.get("html")[0].proto.body
    assert "<b>" not in shown
    cut = coloured({"tokens": ["<i>", "a&b"], "losses": np.array([9.0]), "counts": [True]}, 1.0)
    assert ">&lt;i&gt;<i>–" in cut
    assert ">a&amp;b<i>9.0" in cut


def test_a_token_lost_by_more_than_a_guess_has_a_frame():
    losses = np.array([0.5, 4.0, 9.0], np.float32)
    answer = {"tokens": list("abcd"), "losses": losses, "counts": np.array([True, True, False])}
    cells = coloured(answer, log(30)).split("<b ")[1:]
    assert ["currentColor" in cell for cell in cells] == [False, False, True, False]
    assert [">0.5<" in cells[1], ">4.0<" in cells[2], ">(9.0)<" in cells[3]] == [True] * 3


def test_in_a_task_only_the_answers_count():
    app = open_page("generation", view="surprise", run="repeat-llama", text="\nabcd\nabcd")
    answer = session.engine().analyse("repeat-llama", "surprise", text="\nabcd\nabcd")
    counted = answer["losses"][answer["counts"]]
    assert 0 < len(counted) < len(answer["losses"])
    shown = numbers(app)
    assert float(shown["Average loss, nats"]) == pytest.approx(counted.mean(), abs=1e-3)
    assert any(f"{len(counted)} of 9 tokens" in caption.value for caption in app.caption)


def test_the_numbers_of_the_text_are_those_of_its_losses():
    app = open_page("generation", view="surprise", text="The duck sat.")
    losses = session.engine().analyse("tales-llama", "surprise", text="The duck sat.")["losses"]
    shown = numbers(app)
    assert float(shown["Average loss, nats"]) == pytest.approx(losses.mean(), abs=1e-3)
    assert float(shown["Perplexity"]) == pytest.approx(np.exp(losses.mean()), abs=1e-2)
    assert float(shown["Bits per byte"]) == pytest.approx(
        losses.sum() / log(2) / len("duck sat. "), abs=1e-3
    )


def test_measuring_again_measures_again():
    app = open_page("generation", view="cache", cache_of="time")
    assert numbers(app)["operations counted, at 128 tokens"] == "128 × fewer"
    app.button(key="measure_speed").click().run()
    assert not app.exception
    assert any("just now" in caption.value for caption in app.caption)


@pytest.mark.parametrize("of", ["real", "this", "time"])
def test_a_cache_of_every_kind_is_shown_by_its_picture(of):
    app = open_page("generation", view="cache", cache_of=of)
    assert not app.error
    (picture,) = pictures(app)
    expected = {"real": "GPT-3 175B", "this": "This model has", "time": "Measured time"}
    assert expected[of] in picture


def test_what_is_kept_by_formula_is_what_is_measured():
    table = all_text(open_page("generation", view="cache", cache_of="this", text="The duck"))
    row = next(row for row in table.splitlines() if row.startswith("| Bytes after this text"))
    by_formula, measured = row.split("|")[2:4]
    assert by_formula == measured


def test_several_texts_say_what_they_go_on_from_and_are_drawn_anew():
    app = open_page("generation", view="samples", text="Once there was a *duck", n_samples="2")
    captions = [each.value for each in app.caption]
    assert all(f"Seed {seed}, after “…ce there was a \\*duck”" in captions for seed in (0, 1))
    before = [code.value for code in app.code][:2]
    app.button(key="draw_anew").click().run()
    assert app.query_params["sample_seed"] == "2"
    assert not set(before) & {code.value for code in app.code}


@pytest.mark.parametrize(("at", "framed"), [("64", True), ("60", True), ("2", False)])
def test_the_lens_frames_the_token_that_is_looked_at_more_closely(at, framed):
    app = open_page("generation", view="lens", lens_at=at)
    (table,) = (each.value for each in app.get("html") if 'class="lens' in each.value)
    rows = re.findall("<tr>.*?</tr>", table)
    assert len(rows) == 5  # three layers, the embedding, the text
    columns = [re.findall(r"<t[hd]([^>]*)>", row)[1:] for row in rows]
    first = int(re.search(r"after tokens (\d+)", table)[1])
    marked = {first + at for row in columns for at, each in enumerate(row) if 'class="f"' in each}
    assert marked == ({int(at)} if framed else set())


def test_samples_at_temperature_zero_are_the_same():
    app = open_page("generation", view="samples", temperature="0.0", n_samples="4")
    texts = [code.value for code in app.code][:4]
    assert len(set(texts)) == 1
    assert len(texts[0]) > 60


def test_a_place_chosen_on_a_longer_text_falls_back():
    app = open_page("generation", view="lens", lens_at="60", lens_from="50")
    assert app.slider(key="lens_at").value == 60
    app.text_area(key="text").set_value("A cat sat on the mat, and slept.").run()
    assert not app.exception
    for key in ("lens_at", "lens_from"):
        assert app.slider(key=key).value == app.slider(key=key).max < 50


# Figures.


def trace_data(picture):
    return json.loads(picture.figure.to_json())["data"]


def test_the_bars_say_what_each_filter_took():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.67, 0.33, 0.0], [1, 0, 0]])
    kept = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0]])
    picture = next_tokens(
        [" ", "<b>", "x"],
        probabilities,
        kept,
        stages=["softmax", "temperature", "top_k", "top_p"],
        n_kept=1,
    )
    assert "␣ 50.0%, drawn with 100.0%" in picture.alt
    assert "<b> 30.0%, out by top-p" in picture.alt
    assert "x 20.0%, out by top-k" in picture.alt
    assert picture.alt.endswith("1 token can be drawn.")
    ticks = picture.figure.layout.yaxis.ticktext
    assert list(ticks) == ["␣", "&lt;b&gt;", "x"]


@pytest.mark.parametrize(
    ("share", "words"),
    [(1, "100.0%"), (0.0123, "1.2%"), (0.00012, "0.01%"), (3e-6, "0.0003%"), (0, "≈ 0%")],
)
def test_small_probabilities_are_not_nothing(share, words):
    assert percent(share) == words


def test_the_curves_of_samples_end_at_their_sums():
    logs = np.log(np.array([[0.5, 0.5], [0.1, 1.0]]))
    picture = sample_surprise([4, 5], logs)
    assert "seed 4 1.4, seed 5 2.3" in picture.alt
    assert len({trace["line"]["dash"] for trace in trace_data(picture)}) == 2


@pytest.mark.parametrize("name", REAL)
def test_real_models_stand_between_one_head_and_all(name):
    sizes = real_sizes(name, 8192)
    assert sizes.multi_head * sizes.kv_heads == sizes.own * sizes.n_heads
    assert sizes.multi_query * sizes.kv_heads == sizes.own


def test_the_table_of_real_models_has_known_numbers():
    table = real_table(8192)
    row = next(row for row in table.splitlines() if row.startswith("| Llama 2 70B"))
    assert "8, grouped-query" in row
    assert "**2.68 GB**" in row  # 8192 x 327,680 bytes
    assert "21.5 GB" in row  # eight times as much
    assert "takes 537 MB" in table  # Mistral: 4096 x 131,072 bytes


def test_sizes_are_said_in_their_units():
    assert [in_bytes(n) for n in (12, 2048, 2.5e6, 3e9, 4e12)] == [
        "12 bytes",
        "2.05 kB",
        "2.5 MB",
        "3 GB",
        "4 TB",
    ]
    assert head_counts(12) == [12, 6, 4, 3, 2, 1]


def test_pictures_of_the_cache_say_their_numbers():
    row = CacheSizes(title="M", n_heads=4, kv_heads=2, multi_head=4000, own=2000, multi_query=1000)
    words = cache_sizes([row], n_tokens=10).alt
    assert "M (grouped-query, 4 heads, 2 key/value heads) 2 kB, 4 kB as multi-head, 1 kB" in words
    words = cache_growth([0, 8], {4: [0, 400], 2: [0, 200], 1: [0, 100]}, 2).alt
    assert "multi-head, 4 400 bytes; grouped-query, 2 200 bytes; multi-query, 1 100" in words
    times = token_times(np.array([1, 9]), np.array([0.001, 0.001]), np.array([0.001, 0.004]))
    assert "without the cache 1.00 ms at 1 and 4.00 ms at 9 tokens" in times.alt


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("Probability", ["100.0%", "30.0%", "100.0%", "100.0%"]),
        ("Entropy", ["1.0", "0.3", "1.0", "1.0"]),
        ("Rank", ["1", "30", "1", "1"]),
    ],
)
def test_the_lens_says_what_each_layer_would_say(name, numbers):
    values = np.array([[1.0, 1.0], [1.0, 30.0 if name == "Rank" else 0.3]])
    guesses = [["x", " "], ["<y>", "z"]]
    table = lens_table(["a", "a"], guesses, values, shade=SHADES[name], least_letters=14, first=4)
    assert "after tokens 5 to 6" in table
    said = re.findall(r"<td[^>]*>(.*?)<small>(.*?)</small>", table)
    assert said == list(zip(["&lt;y&gt;", "z", "x", "␣"], numbers, strict=True))
    assert re.findall(r'"row">(.*?)</th>', table) == ["layer 0", "embedding", "after"]


def test_lines_by_layer_say_their_numbers():
    picture = by_layer(
        np.array([9.0, 1.0]), np.array([4.0, 1.0]), title="Rank", word="mean", is_rank=True
    )
    assert "embedding 9, layer 0 1; mean over the text: 4, 1" in picture.alt


def test_bars_of_losses_name_the_worst():
    picture = token_losses(
        ["a", " ", "b", "x"],
        np.array([0.1, 3.0, 1.0, 9.0]),
        ["a", "c", "d", "y"],
        np.array([True, True, True, False]),
        average=1.37,
        uniform=2.0,
    )
    assert "␣ at place 3" in picture.alt
    assert "x at place" not in picture.alt
    assert "␣ at place 3, 3.00 nats, where the model expected c" in picture.alt
    assert "1.37 nats, a guess at random 2.00" in picture.alt


def test_pictures_have_room_for_long_tokens():
    assert room_for(["a", "b"]) == 24
    assert room_for(["kindness", " duck"]) == 6
    assert room_for([]) == 24
