"""What every command has, and the kinds of word that several take."""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tiny_llama.checkpoint import TrainedModel, load_model
from tiny_llama.errors import ConfigError

Options = argparse.Namespace
"""What was said behind a command's name."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: how it is explained, which words it takes, and what it does with them."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Options], None]


def add_set(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--set field=value` as often as one likes."""
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")


def set_values(assignments: Iterable[str]) -> dict[str, str]:
    """Read the words behind `--set`.

    Raises:
        ConfigError: for a word without an equals sign.
    """
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r} must read field=value; write it so.")
        values[name.strip()] = value
    return values


def count(word: str) -> int:
    """Read a whole number of at least 1.

    Raises:
        ValueError: for a word that is no whole number.
        argparse.ArgumentTypeError: for a smaller number.
    """
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word} must be at least 1")
    return number


def place(word: str) -> Path:
    """Read the name of a folder or a file.

    Raises:
        argparse.ArgumentTypeError: for a word that can name none.
    """
    if not word or "\0" in word:
        raise argparse.ArgumentTypeError(f"{word!r} is no name of a folder or file")
    return Path(word)


def open_model(folder: Path) -> TrainedModel:
    """Read the model of a run folder; say on standard error what of it was damaged.

    Raises:
        UserError: if there is no whole one.
    """
    found = load_model(folder)
    say(found.note)
    return found


def say(sentence: str) -> None:
    """Say something on standard error, if there is anything to say."""
    if sentence:
        sys.stderr.write(sentence + "\n")
