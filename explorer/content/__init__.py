"""The words on the screen: a card for each option and setting, and the text of whole pages."""

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


def card(slot: str, option: str) -> str:
    """Explain an option of a slot, in Markdown with formulas.

    Args:
        slot: a slot of `tiny_llama.menu`, or `tokenizer`.
        option: one of its options.

    Raises:
        KeyError: if there is no such card.
    """
    return _texts()["cards", slot, option]


def setting(field: str) -> str:
    """Explain a field of ModelConfig or TrainConfig that is no slot, in one or two sentences.

    Raises:
        KeyError: if there is no such card.
    """
    return card("setting", field)


def page(name: str) -> str:
    """Give the opening words of a page, in Markdown.

    Raises:
        KeyError: if there is no such page.
    """
    return _texts()["pages", name]


def escaped(text: str) -> str:
    """Write a text so that Markdown shows it word for word."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in text)


_MARKS = r"\`*_{}[]()#+-.!|<>$~:"


@cache
def _texts() -> dict[tuple[str, ...], str]:
    """Every text by the folders and the name it lies under, so that no name is ever a path."""
    files = (file for folder in ("cards", "pages") for file in (HERE / folder).rglob("*.md"))
    return {
        file.relative_to(HERE).with_suffix("").parts: file.read_text(encoding="utf-8").strip()
        for file in files
    }
