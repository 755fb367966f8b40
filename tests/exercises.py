"""What each "Try it" promises: a table of tests by page and view, and what they share."""

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import tiny_llama
from explorer import content
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.subject import Subject

FOLDER = Path(tiny_llama.__file__).parent / "pretrained"
TEXT = content.example("tales")
"""What pages read until a student writes a text."""
TRIED: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
"""The tests that hold the exercise of a view, by page and view."""

Test = TypeVar("Test", bound=Callable[..., None])


def holds(page: str, view: str) -> Callable[[Test], Test]:
    """Enter a test as one that holds what the exercise of a view promises."""

    def entered(test: Test) -> Test:
        TRIED[page, view].append(test.__name__)
        return test

    return entered


def check_asked(page: str, view: str, *words: object) -> None:
    """Check that an exercise names these; who rewords it has to look at its test, too."""
    asked = content.inside(page, view).try_it
    assert not [word for word in map(str, words) if word not in asked], asked


@cache
def shipped(name: str = "tales-llama") -> Subject:
    """Give a model that ships with the library."""
    return Subject.load(FOLDER / name)


def found(analysis: str, *, of: str = "tales-llama", **values: Any) -> dict[str, Any]:
    """Ask what a page asks, of a shipped model that reads the default text."""
    return ANALYSES[analysis].run(shipped(of), **{"text": TEXT, **values})
