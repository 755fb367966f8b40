"""The glossary: its entries, where its words are marked, and where they are shown."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import MARK, open_page, prose
from test_sentences import MOST_WORDS, length, sentences

from explorer import content, glossary
from explorer.home import words

GLOSSARY = content.glossary()
TEXTS = sorted(path for path in content.HERE.rglob("*.md") if path.parent.name != "glossary")
NEEDED = """
token, embedding, residual stream, query, key, value, head, attention, softmax, logit, loss,
cross-entropy, nat, perplexity, bits per byte, gradient, gradient norm, learning rate, parameter,
FLOP, held-out, overfitting, context, KV cache, fine-tuned, base model, instruction-tuned,
open weight, step, batch, epoch, norm, feed-forward, position, RoPE
"""


def marks(text: str) -> list[tuple[str, str]]:
    """List what is marked in a text, each with the word that its link asks for."""
    found = MARK.findall(text)
    return [(shown, parse_qs(urlsplit(link).query)["word"][0]) for shown, link in found]


def words_marked(text: str) -> list[str]:
    return [word for _, word in marks(text)]


# Entries.


@pytest.mark.parametrize("word", re.split(r",\s+", NEEDED.strip()))
def test_the_glossary_has(word):
    assert word in GLOSSARY


@pytest.mark.parametrize("word", GLOSSARY)
def test_an_entry_is_one_to_three_short_sentences_of_plain_text(word):
    meaning = content.meaning(word)
    said = list(sentences(meaning))
    assert 1 <= len(said) <= 3
    assert max(map(length, said)) <= MOST_WORDS
    assert re.fullmatch(r"[A-Z][^\n*_`$\[\]<>~|\\]*\.", meaning)


def test_no_form_is_of_two_words():
    forms = [form.casefold() for term in GLOSSARY.values() for form in term.forms]
    assert len(forms) == len(set(forms))


def test_a_word_that_there_is_not_has_no_meaning():
    with pytest.raises(KeyError):
        content.meaning("llama")


# Marks.


def test_what_is_marked_in_a_text_has_an_entry_and_nothing_else_is_changed():
    n_marks = 0
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        marked = glossary.marked_apart(text)
        found = words_marked(marked)
        n_marks += len(found)
        assert set(found) <= set(GLOSSARY), path
        assert len(found) == len(set(found)), path
        assert MARK.sub(r"\1", marked) == text, path
    assert n_marks > len(TEXTS)


@pytest.mark.parametrize("word", GLOSSARY)
def test_a_form_of_each_word_is_marked_as_that_word(word):
    for form in GLOSSARY[word].forms:
        text = f"So {form.replace('(', '').replace(')', '')} it is."
        if not form.startswith("!"):
            assert word in words_marked(glossary.marked_apart(text)), form


@pytest.mark.parametrize(
    "text",
    [
        "# About tokens",
        "The `token` here",
        "```\ntoken\n```",
        "$token + token$",
        "$$\ntoken\n$$",
        "A [token](https://a.b/token)",
        ":material/token: here",
        "| token | head |",
        "Paper: Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762",
        "a multi-head thing, subtokens, tokenish, next-token, token\\-wise",
        "the hidden layer",
        "press a key, to a value, in a step",
        "https://a.b/token/head",
    ],
)
def test_it_is_not_marked(text):
    assert glossary.marked_apart(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tokens and a token", [("Tokens", "token")]),
        ("**heads** (heads)", [("heads", "head")]),
        ("queries and keys", [("queries", "query"), ("keys", "key")]),
        ("of keys and values", [("keys", "key"), ("values", "value")]),
        ("Rotary embeddings", [("Rotary embeddings", "RoPE")]),
        ("gradient norm and norm", [("gradient norm", "gradient norm"), ("norm", "norm")]),
        ("the held\\-out loss", [("held\\-out", "held-out"), ("loss", "loss")]),
        ("the learning\nrate", [("learning\nrate", "learning rate")]),
    ],
)
def test_the_longest_form_is_marked_once(text, expected):
    assert marks(glossary.marked_apart(text)) == expected


def test_a_word_in_its_own_entry_is_left_as_it_is():
    marked = glossary.marked_apart("A token, a head.", but="token")
    assert words_marked(marked) == ["head"]


def test_on_a_page_a_word_is_marked_once_and_again_where_the_same_text_is_drawn_anew():
    glossary.begin()
    first, second = "A token.", "A token of a head."
    assert words_marked(glossary.marked(first)) == ["token"]
    assert words_marked(glossary.marked(second)) == ["head"]
    assert words_marked(glossary.marked(first)) == ["token"]
    glossary.begin()
    assert words_marked(glossary.marked(second)) == ["token", "head"]


# Where they are shown.


def shown(app):
    """List the words that the page marks."""
    return [word for each in app.markdown for word in words_marked(each.value)]


def explained(app):
    """List the words that the page can explain at a touch."""
    (touch,) = [each for each in app.get("bidi_component") if each.key == "touch"]
    return json.loads(touch.proto.json)["meanings"]


@pytest.mark.usefixtures("app_engine")
def test_a_page_can_explain_every_word_as_the_glossary_does():
    app = open_page("attention")
    assert explained(app) == {word: term.meaning for word, term in GLOSSARY.items()}
    assert "head" in shown(app)


def entries(app):
    """List the words whose entries are shown, in order."""
    return [found[1] for text in prose(app) if (found := re.match(r"\*\*(.+?)\*\*  \n", text))]


@pytest.mark.usefixtures("app_engine")
def test_the_glossary_shows_every_entry():
    app = open_page("home", view="glossary")
    assert entries(app) == list(GLOSSARY)
    said = "\n".join(prose(app))
    assert all(term.meaning in said for term in GLOSSARY.values())
    topics = list(dict.fromkeys(term.topic for term in GLOSSARY.values()))
    assert [header.value for header in app.header] == topics


@pytest.mark.usefixtures("app_engine")
def test_a_link_has_the_entry_of_its_word_first_and_then_those_that_speak_of_it():
    app = open_page("home", view="glossary", word="perplexity")
    assert entries(app)[0] == "perplexity"
    assert sorted(entries(app)) == sorted(GLOSSARY)
    app.text_input(key="word").set_value("softmax").run()
    assert entries(app)[0] == "softmax"
    assert entries(app)[1:3] == ["logit", "temperature"]
    assert app.query_params["word"] == "softmax"
    app.text_input(key="word").set_value("<b>$x$").run()
    assert entries(app) == list(GLOSSARY)
    assert any("None of" in text for text in prose(app))


@pytest.mark.parametrize("word", GLOSSARY)
def test_a_words_address_finds_its_entry_in_any_case(word):
    said = parse_qs(urlsplit(glossary.address(word)).query)["word"][0]
    assert words.found(said)[0].word == word
    assert words.found(said.upper())[0].word == word
