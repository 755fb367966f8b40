"""Tokens: how a text is cut, merge by merge, in which languages, and what a vocabulary costs."""

from explorer.inside import (
    bits_per_byte,
    token_cuts,
    token_details,
    token_languages,
    token_merges,
    vocabulary_cost,
)

VIEWS = {
    "cut": "Cut",
    "merges": "Merge by merge",
    "details": "Details",
    "languages": "Languages",
    "cost": "Cost",
    "bits_per_byte": "Bits per byte",
}
SHOW = {
    "cut": token_cuts.show,
    "merges": token_merges.show,
    "details": token_details.show,
    "languages": token_languages.show,
    "cost": vocabulary_cost.show,
    "bits_per_byte": bits_per_byte.show,
}
