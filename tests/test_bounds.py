"""What the web server computes and holds for a page has a bound, whatever the link says."""

import tracemalloc
from contextlib import suppress
from importlib import import_module

import pytest
from conftest import SLOW, open_page

from explorer.architecture.views import VIEWS as ARCHITECTURE
from explorer.words import INSIDE, WORDS, Word
from tiny_llama.config import BOUNDS

pytestmark = pytest.mark.usefixtures("app_engine")
FEW_BYTES = 12_000_000
"""Several times what a page of the default model takes for a moment."""
LARGEST_MODEL = {
    **{name: f"{BOUNDS[name][1]:.0f}" for name in ("n_layers", "n_experts", "n_heads", "d_model")},
    **{name: f"{BOUNDS[name][1]:.0f}" for name in ("context", "window", "d_hidden")},
    "model_vocab_size": f"{BOUNDS['vocab_size'][1]:.0f}",
    "feed_forward": "moe_swiglu",
    "attention": "local_global",
    "rope_theta_local": "50",
    "layer": f"{BOUNDS['n_layers'][1] - 1:.0f}",
}
"""More layers, experts and tokens than any machine can carry, and layers that differ."""
NUMBERS = ("1000000000", "1000000", "100", "3", "1")
PAGES = {page: import_module(f"explorer.inside.{page}").VIEWS for page in ("tokens", *INSIDE)}


def largest(word: Word) -> str | None:
    """Find the largest of some numbers that a word of the link takes, where it takes any."""
    for number in NUMBERS:
        with suppress(ValueError, KeyError):
            if not isinstance(word.kind.read(number), str | list):
                return number
    return None


def peak_of(page: str, link: dict[str, str]) -> int:
    """Measure what opening a page holds at most, in bytes."""
    open_page(page, **link)  # what is loaded once for all
    tracemalloc.start()
    open_page(page, **link)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("view", [view.name for view in ARCHITECTURE])
def test_the_largest_model_of_all_links_is_shown_in_a_few_megabytes(view):
    assert peak_of("architecture", {"view": view, **LARGEST_MODEL}) < FEW_BYTES


@pytest.mark.parametrize(
    ("page", "view"),
    [
        pytest.param(page, view.name, marks=() if view is views[0] else SLOW)
        for page, views in PAGES.items()
        for view in views
    ],
)
def test_no_number_in_a_link_makes_a_page_hold_much(page, view):
    words = [word for word in WORDS.values() if page in word.pages]
    numbers = {word.name: number for word in words if (number := largest(word))}
    assert numbers
    assert peak_of(page, {"view": view, **numbers}) < FEW_BYTES
