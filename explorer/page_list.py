"""Which pages there are, in which order, and what each is called."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A page as the list has it."""

    title: str
    icon: str
    help: str
    heading: str = ""
    """What stands above the page, where it is not the title."""
    short: str = ""
    """What the bar calls the page, where the title is too long to stand beside all others."""


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Meet": {
        "home": Entry(
            "Home",
            ":material/home:",
            "LLaMA at a glance, and where to begin.",
            heading="Tiny LLaMA Explorer",
        ),
        "family_tree": Entry(
            "Family tree",
            ":material/family_history:",
            "What LLaMA comes from, and what came of it.",
        ),
    },
    "Build": {
        "architecture": Entry(
            "Architecture",
            ":material/account_tree:",
            "Toggle every component; the block, its shapes and its costs follow.",
        ),
        "tokens": Entry(
            "Tokens",
            ":material/content_cut:",
            "How a text is cut, what the pieces learn from, and what they cost.",
        ),
    },
    "Train": {
        "train": Entry(
            "Train",
            ":material/play_circle:",
            "Choose a model and a text, press Train, and watch it learn.",
        ),
        "compare": Entry(
            "Compare",
            ":material/compare_arrows:",
            "LLaMA against GPT-3 style: a race, a ladder, and what can be concluded.",
        ),
        "scaling": Entry(
            "Scaling",
            ":material/stacked_line_chart:",
            "How large and how long: published laws, LLaMA's choice, and a law of your own.",
        ),
    },
    "Look inside": {
        "attention": Entry(
            "Attention", ":material/grid_on:", "Which token reads from which, head by head."
        ),
        "rotary": Entry(
            "Rotary embeddings",
            ":material/rotate_right:",
            "Queries and keys turned by position; distance, frequencies, longer texts.",
            short="RoPE",
        ),
        "norm_and_swiglu": Entry(
            "Norm and SwiGLU",
            ":material/valve:",
            "What RMSNorm leaves out, and which hidden units open on which tokens.",
        ),
        "generation": Entry(
            "Generation",
            ":material/edit_note:",
            "One token after the other: what is likely, drawn, kept, and surprising.",
        ),
    },
}
HOME, TRAIN = "home", "train"


def entry(name: str) -> Entry:
    """Give a page's entry.

    Raises:
        KeyError: if there is no such page.
    """
    return next(entries for entries in SECTIONS.values() if name in entries)[name]
