"""Marks words of the glossary in texts, so that each is explained at a touch where it is first met.

A mark is a link to the word's entry on the Home page; the browser-side part `touch` shows the entry
in place when it is pressed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import quote

import streamlit as st

from explorer import content, state

VIEW = "glossary"
"""Of the Home page."""
_MET = "words that the page has explained"
_PROTECTED = "|".join(
    [
        r"```.*?```",
        r"\$\$.*?\$\$",
        r"\$[^$\n]+\$",
        r"`[^`\n]+`",
        r"!?\[[^\]\n]*\]\([^)\n]*\)",
        r"https?://\S+",
        r":[\w/-]+:",
        r"^(?:#|\||Paper:|Used by:)[^\n]*$",
    ]
)
"""Code, formulas, links, icons, headings, tables and citations, which are left as they are."""


def begin() -> None:
    """Note that a page is drawn anew, which has explained no word yet."""
    state.keep(_MET, {})


def say(text: str) -> None:
    """Show a text, in which each word is marked where the page has it for the first time."""
    st.markdown(marked(text))


def marked(text: str) -> str:
    """Mark each word where the page has it for the first time.

    The same text again is marked as before, since a part of a page may be drawn alone.

    Args:
        text: in Markdown; what it has of others' words is escaped.
    """
    return _marked(text, state.kept(_MET, dict[str, str]))


def marked_apart(text: str, *, but: str = "") -> str:
    """Mark each word once in a text that is folded or shown over the page, as if it stood alone.

    Args:
        text: see `marked`.
        but: a word that is left as it is.
    """
    return _marked(text, {but: ""})


def address(word: str) -> str:
    """Give the link to a word's entry, from any page."""
    return f"./?view={VIEW}&word={quote(word)}"


def _marked(text: str, met: dict[str, str]) -> str:
    pieces, end = [], 0
    for place in _first_places(text):
        if met.setdefault(place.word, text) == text:
            words = text[place.start : place.end]
            pieces += [text[end : place.start], f"[{words}]({address(place.word)})"]
            end = place.end
    return "".join([*pieces, text[end:]])


@dataclass(frozen=True)
class _Place:
    """Where a text has a word."""

    word: str
    start: int
    end: int


@lru_cache(maxsize=1_000)  # most texts are the app's own, and each is shown again and again
def _first_places(text: str) -> Sequence[_Place]:
    """Find where a text has each of its words for the first time."""
    first: dict[str, _Place] = {}
    for found in _pattern().finditer(text):
        if word := _word_of(found):
            first.setdefault(word, _Place(word, *found.span()))
    return list(first.values())


def _word_of(found: re.Match[str]) -> str:
    """Tell of which word something is a form; empty where it is to be left as it is."""
    return _forms()[int(found.lastgroup.removeprefix("form_"))][1] if found.lastgroup else ""


@cache
def _pattern() -> re.Pattern[str]:
    """Find what is protected, else at the beginning of a word a form of one."""
    forms = [f"(?P<form_{n}>{_in_context(form)})" for n, (form, _) in enumerate(_forms())]
    pattern = f"{_PROTECTED}|(?<![\\w-])(?:{'|'.join(forms)})"
    return re.compile(pattern, re.MULTILINE | re.DOTALL | re.IGNORECASE)


@cache
def _forms() -> list[tuple[str, str]]:
    """List all forms with their words, the longest first; one that is no form has no word."""
    forms = [
        (form.removeprefix("!"), "" if form.startswith("!") else word)
        for word, term in content.glossary().items()
        for form in term.forms
    ]
    return sorted(forms, key=lambda pair: len(pair[0]), reverse=True)


def _in_context(form: str) -> str:
    """Write a form as a pattern: whole words, between the words in brackets beside it, if any."""
    found = re.fullmatch(r"(?:\((.*?)\) )?(.*?)(?: \((.*?)\))?", form)
    assert found
    before, words, after = found.groups()
    behind = rf"(?<=\b{re.escape(before)}\s)" if before else ""
    ahead = rf"(?=\s{re.escape(after)}\b)" if after else r"(?![\w-]|\\-)"
    return behind + re.escape(words).replace(r"\ ", r"\s").replace(r"\-", r"\\?-") + ahead
