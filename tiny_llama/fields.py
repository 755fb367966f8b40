"""Fields of a config dataclass as people write them: types checked, values read from text."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from reprlib import repr as short
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from tiny_llama.errors import ConfigError

Config = TypeVar("Config")
Bounds = Mapping[str, tuple[float, float]]


def field_problems(
    config: Any, *, bounds: Bounds, choices: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    """Say what is wrong with single fields, each as name, value and rule.

    A file or a link may hold anything, so types come first: with a wrong one, nothing else is said.
    """
    if wrong := list(_type_problems(config)):
        yield from wrong
        return
    for name, options in choices.items():
        if (choice := getattr(config, name)) not in options:
            yield f"{name}={short(choice)} is not on the menu; choose {' or '.join(options)}"
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if value is not None and not low <= value <= high:
            yield f"{name}={short(value)} must lie between {low:g} and {high:g}"


def parse_field(config: type, name: str, text: str) -> Any:
    """Read a field's value from text, as in `--set name=text` or a link.

    Raises:
        ConfigError: if the text does not say a value of the field's type.
    """
    kinds = field_kinds(config)[name]
    word = text.strip()
    if NoneType in kinds and word.lower() in ("none", "auto", ""):
        return None
    for kind in kinds:
        try:
            return _READERS[kind](word)
        except (KeyError, ValueError):
            continue
    raise ConfigError(f"{name}={short(text)} must be {_either(kinds)}; correct it.")


def make_config(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Build a config dataclass from a mapping read from a file.

    Raises:
        ConfigError: for unknown names, and whatever the dataclass itself finds.
    """
    known = set(field_kinds(config))
    if unknown := sorted(set(values) - known):
        raise ConfigError(
            f"{config.__name__} has no {', '.join(map(repr, unknown))}; its fields are "
            f"{', '.join(sorted(known))}."
        )
    return config(**values)


def _type_problems(config: Any) -> Iterator[str]:
    for name, kinds in field_kinds(type(config)).items():
        value = getattr(config, name)
        widened = type(value) is int and float in kinds
        if type(value) not in kinds and not widened:
            yield f"{name}={short(value)} must be {_either(kinds)}"


def _read_kinds(config: type) -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(config)
    return {
        field.name: get_args(hints[field.name]) or (hints[field.name],) for field in fields(config)
    }


field_kinds: Callable[[type], dict[str, tuple[type, ...]]] = cache(_read_kinds)
"""The types that each field of a config dataclass allows: `int | None` gives (int, NoneType)."""


_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    NoneType: "none",
}


def _either(kinds: Iterable[type]) -> str:
    return " or ".join(_WORDS[kind] for kind in kinds)


def _read_bool(word: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        word.lower()
    ]


_READERS: Mapping[type, Any] = {bool: _read_bool, int: int, float: float, str: str}
