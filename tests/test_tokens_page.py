"""The Tokens page: every view, odd texts, own training texts, and the way to the Train page."""

import re

import numpy as np
import pytest
from conftest import QUICK, across, numbers, open_page, prose, trained, walk

from explorer import content
from explorer.engine.server.answer_cache import key_of
from explorer.figures.tokens import (
    Equal,
    Priced,
    equal_quality,
    language_bars,
    merge_counts,
    vocabulary_trade,
)
from explorer.inside import tokens
from explorer.inside.token_boxes import fitting, token_row
from explorer.inside.tokens.bits_per_byte import bits_per_byte, equal_loss
from explorer.inside.tokens.languages import language_table, ratios, sentences
from explorer.inside.tokens.vocabulary_cost import REAL, vocabulary_parameters
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA
from tiny_llama.cost import count_parameters
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup
from tiny_llama.tokenizers import TOKENIZERS, train_tokenizer

pytestmark = pytest.mark.usefixtures("app_engine")

MODELS = ["tales-llama", "tales-gpt3", "repeat-llama"]
VIEW_NAMES = [view.name for view in tokens.VIEWS]
TEXTS = {"markup": "<b>x</b>", "one sign": "😀", "short": "xy", "long": "a|b `c` ▁\n\t x" * 100}
OWN = "Ein Käse, zwei Käse: 12 Größen für 7 Füße.\n" * 40


def markdown(app):
    return "\n".join(each.value for each in (*app.markdown, *app.caption))


def html(app):
    return "\n".join(each.proto.body for each in app.get("html"))


@pytest.mark.parametrize(("run", "view"), across(MODELS, VIEW_NAMES, mainly="bits_per_byte"))
def test_every_view_opens_for_every_kind_of_model(view, run):
    app = open_page("tokens", view=view, run=run)
    assert not app.error
    said = "\n".join(prose(app))
    assert all(words in said for words in content.inside("tokens", view).first_sentence)


@pytest.mark.parametrize(("name", "view"), across(TEXTS, VIEW_NAMES))
def test_every_view_takes_odd_texts(view, name):
    link = {"text": TEXTS[name], "corpus": "python-manual", "vocab_size": "300"}
    app = open_page("tokens", view=view, **link)
    assert all("token" in each.value for each in app.error)
    assert "<b>x" not in html(app)


def test_the_text_is_cut_as_the_tokenizers_of_the_chosen_corpus_cut_it():
    text = "Once there was a duck."
    app = open_page("tokens", text=text, corpus="tales", vocab_size="400")
    boxes = html(app)
    for kind in TOKENIZERS:
        size = 400 if kind == "sentencepiece" else None
        ids = train_tokenizer(kind, CORPORA["tales"].text(), size).encode(text)
        assert "".join(f"<i>{each}</i>" for each in ids[:1]) in boxes
        assert f"{len(ids)} tokens for {len(text)} characters" in boxes


def test_characters_that_are_cut_into_bytes_are_said_beside_their_row():
    assert "byte by byte" not in html(open_page("tokens", text="a duck.\na cat."))
    boxes = html(open_page("tokens", text="a 🦙 in k<ln"))
    assert boxes.count("“🦙”, “&lt;” have no pieces of their own") == 1


def test_a_merge_is_shown_with_its_count():
    app = open_page("tokens", view="merges", n_merges="1")
    assert "`h` + `e` → `he`" in markdown(app)
    assert f"**{CORPORA['tales'].text().count('he'):,} times**" in markdown(app)
    app.slider(key="n_merges").set_value(0).run()
    assert "No merge has been made" in markdown(app)


def test_more_merges_in_a_link_than_there_are_are_all_of_them():
    app = open_page("tokens", view="merges", n_merges="150")
    app.number_input(key="vocab_size").set_value(320).run()
    assert not app.exception
    assert app.slider(key="n_merges").value == app.slider(key="n_merges").max < 150


def test_a_text_that_runs_out_of_pairs_is_explained():
    app = open_page("tokens", view="merges", vocab_size="4000")
    assert "no two neighbours were left" in markdown(app)


def test_own_training_texts_are_used_and_bad_ones_are_refused_in_a_sentence():
    app = open_page("tokens", corpus="own-text")
    assert "too short" in app.error[0].value
    app.text_area(key="own_text").set_value(OWN).run()
    assert not app.error
    assert not app.exception
    size = train_tokenizer("sentencepiece", OWN).vocab_size
    assert f"vocabulary of {size:,}" in html(app)


def test_an_own_training_text_is_in_the_train_page_box_too():
    app = open_page("tokens", corpus="own-text")
    app.text_area(key="own_text").set_value(OWN).run()
    walk(app, "train")
    assert app.selectbox(key="corpus").value == "own-text"
    assert app.text_area(key="own_text").value == OWN


def test_an_empty_text_is_asked_for():
    app = open_page("tokens")
    app.text_area(key="text").set_value(" ").run()
    assert "no text to cut" in app.error[0].value


def test_the_train_page_takes_the_choices_up_and_gives_them_back():
    app = open_page("tokens", corpus="python-manual", vocab_size="700", text="hello")
    walk(app, "train")
    assert app.selectbox(key="corpus").value == "python-manual"
    assert app.number_input(key="vocab_size").value == 700
    app.number_input(key="vocab_size").set_value(800).run()
    walk(app, "tokens")
    assert app.number_input(key="vocab_size").value == 800
    assert app.text_area(key="text").value == "hello"


def test_a_run_that_is_gone_leaves_the_views_that_need_no_model():
    assert not open_page("tokens", run="nothing").error
    app = open_page("tokens", run="nothing", view="cost")
    assert "not on this server" in app.error[0].value


def test_a_fresh_model_with_pieces_and_without_attention_is_judged_in_bits_per_byte(app_engine):
    model = ModelConfig(n_layers=1, d_model=16, n_heads=2, context=16, attention="none")
    setup = Setup(model=model, tokenizer="sentencepiece", vocab_size=300)
    run_id = trained(app_engine, {"fresh": setup.with_values(QUICK | {"steps": "1"})})["fresh"]
    for view in tokens.VIEWS:
        app = open_page("tokens", view=view.name, run=run_id, text="Once there was a duck.")
        assert not app.error
    app = open_page("tokens", view="bits_per_byte", run=run_id, text="Once there was a duck.")
    bits = numbers(app)
    ratio = float(bits["Loss per token"].split()[0]) / float(bits["Bytes per token"])
    assert float(bits["Bits per byte"]) == pytest.approx(ratio / np.log(2), rel=0.01)


def test_a_link_says_by_what_the_languages_are_cut_and_losses_are_named():
    app = open_page("tokens", view="languages", cut_by="characters", language="Hindi")
    assert "Characters lose what they do not know" in app.warning[0].value
    assert "| Hindi | 189 | 1.11 × | 1.00 | 0.38 | 189 | 499 |" in markdown(app)


def test_an_answer_is_known_by_a_short_key_however_long_the_training_text():
    keys = {key_of("", 0, "cuts", {"own": "x" * n}) for n in (1_000_000, 1_000_001)}
    assert len(keys) == 2
    assert all(len(key[-1]) == 32 for key in keys)


def test_a_task_offers_training_with_characters_only():
    for corpus, n in (("tales", 3), ("repeat", 1)):
        app = open_page("tokens", corpus=corpus)
        links = [each for each in app.get("page_link") if "Train a model" in each.proto.label]
        assert len(links) == n


def test_a_row_of_tokens_is_escaped_and_marks_bytes_and_unknowns():
    row = token_row(
        ["<i>", " ", "�"], [1, 2, 0], is_byte=[False, True, False], is_unknown=[False, False, True]
    )
    assert "&lt;i&gt;<i>1</i>" in row
    assert '<b class="c1 y">␣<i>2</i>' in row
    assert '<b class="c2 u">�<i>0</i>' in row
    assert "3 tokens" in row


def test_bits_per_byte_are_those_of_the_formula_and_an_equal_loss_gives_them_back():
    losses = np.array([1.0, 2.0, 0.5])
    bits = bits_per_byte(losses, 7)
    assert bits == pytest.approx((3.5 / 3) / np.log(2) * 3 / 7)
    assert equal_loss(bits, 7, 3) == pytest.approx(losses.mean())
    assert bits_per_byte(np.log([51.0] * 4), 4) == pytest.approx(np.log2(51))


def test_the_recorded_losses_of_the_shipped_models_give_their_bits_per_byte():
    app = open_page("tokens", view="bits_per_byte")
    rows = [line.split("|")[1:-1] for line in markdown(app).splitlines() if r"| tales\-" in line]
    tales = CORPORA["tales"].text()
    tokens_a_byte = len(train_tokenizer("sentencepiece", tales).encode(tales)) / len(tales.encode())
    assert len(rows) == 6  # a row for each model of the tales
    for _, bits, loss, kind, _, _ in rows:
        assert kind.strip() == "sentencepiece"
        assert float(bits) == pytest.approx(float(loss) / np.log(2) * tokens_a_byte, rel=0.05)


@pytest.mark.parametrize("name", REAL)
def test_a_vocabulary_costs_what_the_model_would_have_less_without_it(name):
    config = PRESETS[name].config
    own, whole = vocabulary_parameters(config, config.vocab_size)
    n_matrices = 1 if config.tied_unembedding else 2
    assert own == n_matrices * config.vocab_size * config.d_model
    assert whole == count_parameters(config)
    assert vocabulary_parameters(ModelConfig(), 300)[0] == 2 * 300 * ModelConfig().d_model


def test_the_sentences_are_ten_languages_and_emoji_relative_to_english():
    assert len(sentences()) == 11
    assert next(iter(sentences())) == "English"
    cuts = {name: {"bytes": {"ids": list(text.encode())}} for name, text in sentences().items()}
    found = ratios([cuts[name]["bytes"] for name in sentences()])
    hindi = list(sentences()).index("Hindi")
    expected = len(sentences()["Hindi"].encode()) / len(sentences()["English"].encode())
    assert found[hindi] == pytest.approx(expected)
    assert f"| Hindi | 499 | {expected:.2f} × | 2.64 | 1.00 | 189 | 499 |" in language_table(
        cuts, "bytes"
    )


def test_equal_quality_is_other_losses_and_the_same_bits_per_byte():
    app = open_page("tokens", view="bits_per_byte", text="Once there was a duck.")
    bits = numbers(app)["Bits per byte"]
    rows = [row for row in markdown(app).splitlines() if row.startswith("| Bytes |")]
    loss = float(rows[0].split("|")[2])
    assert loss == pytest.approx(float(bits) * np.log(2), abs=1e-3)  # a token a byte
    equals = [Equal(name=name, loss=2.0, n_tokens=3, vocab_size=4) for name in ("A", "B")]
    picture = equal_quality(equals, 1.5)
    assert "A 2.000 nats per token; B 2.000 nats per token; 1.500 bits per byte" in picture.alt
    assert [bar.y for bar in picture.figure.data] == [(2.0, 2.0), (1.5, 1.5)]
    assert equals[0].random_loss == pytest.approx(np.log(4))


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_letters_grow_as_their_room_allows(share):
    few, many = (fitting(["ab"] * n, share=share) for n in (5, 500))
    side = re.compile(r"\* ([\d.]+)\),")
    assert float(side.search(few)[1]) == pytest.approx(10 * float(side.search(many)[1]), rel=0.02)
    assert "clamp(14px" in few


def test_pictures_say_their_numbers():
    merges = merge_counts(["he", "<b>"], np.array([9, 3]), 2)
    assert "from 9 at merge 1 (he) to 3 at merge 2" in merges.alt
    assert merges.figure.data[0].text == ("he", "&lt;b&gt;")
    bars = language_bars(["English", "Hindi"], np.array([1.0, 5.15]), "Bytes")
    assert "English 1.00, Hindi 5.15" in bars.alt
    each = Priced(name="Bytes", size=256, n_parameters=32_768, characters_per_token=1.0)
    trade = vocabulary_trade([each], [each])
    assert "256 tokens: 32,768 parameters, 1.00 characters per token" in trade.alt


@pytest.mark.parametrize("chosen", [0, 1, 3])
def test_a_single_merge_and_many_are_drawn(chosen):
    counts = np.arange(3, 0, -1)
    assert len(merge_counts(["ab", "bc", "cd"], counts, chosen).figure.data) == 1 + bool(chosen)
    long = merge_counts(["ab"] * 5000, np.arange(5000, 0, -1), 5000)
    assert len(long.figure.to_json()) < 60_000
