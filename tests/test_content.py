"""Every option and every setting is explained, in few words, and every card has its option."""

import re
from dataclasses import fields
from importlib import import_module

import pytest
from conftest import PAGES

from explorer import content
from explorer.architecture import views as architecture
from explorer.architecture.numbers import NUMBERS
from explorer.compare import VIEWS as COMPARE_VIEWS
from explorer.family import page as family
from explorer.family.tree import family_tree
from explorer.home.papers import CARDS
from explorer.home.tables import tables
from explorer.home.views import VIEWS as HOME_VIEWS
from explorer.scaling import views as scaling
from explorer.tour import STOPS
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, TextCorpus
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.tokenizers import TOKENIZERS
from tiny_llama.train_config import TrainConfig

OPTIONS = {**MENU, **CHOICES, **TRAINING_CHOICES, "tokenizer": TOKENIZERS}
ON_THE_MENU = frozenset(OPTIONS)
OPTIONS |= NUMBERS
EVERY_OPTION = [(slot, option) for slot, options in OPTIONS.items() for option in options]
SETTINGS = [
    field.name
    for config in (ModelConfig, TrainConfig)
    for field in fields(config)
    if field.name not in ON_THE_MENU
]
INSIDE = [
    (name, view.name)
    for name in PAGES
    if (content.HERE.parent / "inside" / name).is_dir()
    for view in import_module(f"explorer.inside.{name}").VIEWS
]
INSIDE += [("architecture", view.name) for view in architecture.VIEWS]
INSIDE += [("scaling", view.name) for view in scaling.VIEWS]
TOLD = [("home", view.name) for view in HOME_VIEWS]
TOLD += [("family_tree", view.name) for view in family.VIEWS]
TOLD += [("compare", view.name) for view in COMPARE_VIEWS]
"""Views that say what to look at and what to do, and have no formula."""
PARTS = ["embedding", "unembedding", "residual", "dial", "in_browser"]
EXAMPLES = [name for name, corpus in CORPORA.items() if isinstance(corpus, TextCorpus)]
HOME = ["welcome", "headline", "sizes", "tree", "data", "choices", "energy"]
HOME += [f"table_{name}" for name in tables()] + [f"paper_{name}" for name in CARDS]
FAMILY = [("reading",), ("counting",)]
FAMILY += [("remarks", name) for name in family_tree().nodes if content.remark(name)]
EVERY_TEXT = [
    *(("cards", *names) for names in EVERY_OPTION),
    *(("cards", "setting", name) for name in SETTINGS),
    *(("pages", name) for name in PAGES),
    *(("inside", *names) for names in [*INSIDE, *TOLD]),
    *(("parts", name) for name in PARTS),
    *(("home", name) for name in HOME),
    *(("tour", stop.page) for stop in STOPS),
    *(("family", *names) for names in FAMILY),
]
GLOSSARY = [("glossary", "words")]

ARXIV = r"\d{4}\.\d{4,5}"
PAPER = rf"Paper: \S.* \d{{4}}, \S.*, arXiv:{ARXIV}"
PAPERS_OF_TOKENIZERS = {"sentencepiece": ["1808.06226"]}
"""The table of tokenizers names no papers."""


def text_of(names):
    if names[0] == "inside":
        words = content.inside(*names[1:])
        return "\n".join(filter(None, (words.look, words.why, words.try_it, words.formula)))
    give = {"pages": content.page, "parts": content.part, "cards": content.card}
    give |= {"home": content.home, "tour": content.tour, "family": content.family}
    return give[names[0]](*names[1:])


def words(text):
    """List the words of the prose; displayed formulas do not count."""
    return re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL).split()


def papers_on_the_menu(slot, option):
    if slot == "tokenizer":
        return PAPERS_OF_TOKENIZERS.get(option, [])
    entry = OPTIONS[slot][option]
    return re.findall(ARXIV, entry if isinstance(entry, str) else entry.paper)


@pytest.mark.parametrize(("slot", "option"), EVERY_OPTION)
def test_every_option_has_a_card_of_at_most_120_words(slot, option):
    assert 30 <= len(words(content.card(slot, option))) <= 120


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_explained_in_one_or_two_sentences(name):
    text = content.setting(name)
    assert len(words(text)) <= 60
    assert "\n" not in text
    assert 1 <= len(re.findall(r"[.!?](?= |$)", text)) <= 2


def test_a_tokenizer_that_learns_and_every_choice_of_the_menu_show_a_formula():
    without = {names for names in EVERY_OPTION if "$$" not in content.card(*names)}
    assert without == {("tokenizer", "characters"), ("tokenizer", "bytes")}


def test_no_text_is_left_over_from_an_option_that_is_gone():
    folder = content.HERE
    folders = (
        "cards",
        "pages",
        "inside",
        "examples",
        "parts",
        "home",
        "tour",
        "family",
        "glossary",
    )
    files = [file for name in folders for file in (folder / name).rglob("*")]
    found = {
        file.relative_to(folder).with_suffix("").parts: file.suffix
        for file in files
        if file.is_file()
    }
    examples = dict.fromkeys((("examples", name) for name in EXAMPLES), ".txt")
    formulas = {("parts", "formulas"): ".json"}
    assert found == dict.fromkeys([*EVERY_TEXT, *GLOSSARY], ".md") | examples | formulas


@pytest.mark.parametrize(("page", "view"), [*INSIDE, *TOLD])
def test_a_view_says_what_to_look_at_one_thing_to_do_and_its_formula_if_it_has_one(page, view):
    said = content.inside(page, view)
    assert 10 <= len(words(said.look)) <= 90
    assert 3 <= len(words(said.try_it)) <= 40
    assert ("$" in said.formula) == ((page, view) in INSIDE)


@pytest.mark.parametrize(("slot", "option"), EVERY_OPTION)
def test_a_card_cites_the_paper_that_the_menu_names(slot, option):
    lines = content.card(slot, option).splitlines()
    expected = papers_on_the_menu(slot, option)
    assert re.findall(ARXIV, "\n".join(lines)) == expected
    cited = [line for line in lines if line.startswith("Paper:")]
    assert len(cited) == len(expected)
    assert all(re.fullmatch(PAPER, line) for line in cited)


@pytest.mark.parametrize(("slot", "option"), EVERY_OPTION)
def test_a_card_goes_from_plain_words_to_formula_to_users_to_paper(slot, option):
    kinds = [kind(part) for part in content.card(slot, option).split("\n\n")]
    order = ["words", "formula", "symbols", "users", "paper"]
    assert kinds[0] == "words"
    assert kinds == sorted(kinds, key=order.index)
    assert ("formula" in kinds) == ("symbols" in kinds)
    assert all(kinds.count(once) <= 1 for once in ("words", "symbols", "users", "paper"))


@pytest.mark.parametrize("names", EVERY_TEXT, ids="/".join)
def test_formulas_are_closed_and_stand_alone(names):
    text = text_of(names)
    fences = [line for line in text.splitlines() if "$$" in line]
    assert len(fences) % 2 == 0
    assert set(fences) <= {"$$"}
    inline = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
    assert all(line.count("$") % 2 == 0 for line in inline.splitlines())
    for formula in re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", text, flags=re.DOTALL):
        bare = formula.replace("\\{", "").replace("\\}", "")
        assert bare.count("{") == bare.count("}")
        assert formula.count("\\left") - formula.count("\\leftarrow") == formula.count(
            "\\right"
        ) - (formula.count("\\rightarrow"))


@pytest.mark.parametrize("names", EVERY_TEXT, ids="/".join)
def test_texts_are_calm_and_clean(names):
    text = text_of(names)
    prose = " ".join(words(text))
    assert text == text.strip()
    assert "!" not in prose
    assert "\t" not in text
    assert "<" not in prose, "a page might take it for HTML"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_one_paragraph(name):
    assert "\n" not in content.page(name)
    assert len(words(content.page(name))) <= 150


@pytest.mark.parametrize(
    ("slot", "option"),
    [
        ("norm", "batchnorm"),
        ("nothing", "rmsnorm"),
        ("", ""),
        ("norm", ""),
        ("norm", "rmsnorm.md"),
        ("norm", "../norm/rmsnorm"),
        ("..", "pages/home"),
        ("norm/rmsnorm", ""),
        ("/etc", "passwd"),
        ("norm", "rmsnorm\0"),
    ],
)
def test_a_name_that_is_not_on_the_menu_is_a_key_error_and_never_a_path(slot, option):
    with pytest.raises(KeyError):
        content.card(slot, option)


@pytest.mark.parametrize("name", ["rmsnorm", "../cards/norm/rmsnorm", "home.md", ""])
def test_unknown_pages_and_settings_are_key_errors(name):
    with pytest.raises(KeyError):
        content.page(name)
    with pytest.raises(KeyError):
        content.setting(name)


def kind(part):
    """Tell which part of a card a paragraph is."""
    if part.startswith("$$"):
        return "formula"
    if part.startswith("Used by: "):
        return "users"
    if part.startswith("Paper: "):
        return "paper"
    return "symbols" if part.startswith("$") else "words"


@pytest.mark.parametrize("text", ["a_b", "<b>", "[x](y)", "1. a", "`$x$` ~~no~~ :red[x] \\"])
def test_escaped_text_has_no_mark_that_markdown_reads(text):
    shown = content.escaped(text)
    assert re.sub(r"\\(.)", r"\1", shown) == text
    assert not re.search(r"(?<!\\)[`*_\[\]<>$~:#]", re.sub(r"\\\\", "", shown))
