"""Tokens: how a text is cut, merge by merge, in which languages, and what a vocabulary costs."""

from explorer.inside.tokens import bits_per_byte, cuts, details, languages, merges, vocabulary_cost
from explorer.stage import View

VIEWS = (
    View("cut", "Cut", cuts.show),
    View("merges", "Merge by merge", merges.show),
    View("details", "Details", details.show),
    View("languages", "Languages", languages.show),
    View("cost", "Cost", vocabulary_cost.show),
    View("bits_per_byte", "Bits per byte", bits_per_byte.show),
)
