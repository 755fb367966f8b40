"""Which fields of a node were not read in its source, and so carry a mark beside their value."""

from collections.abc import Mapping

from explorer.family.tree import Node

FEATURES: Mapping[str, str] = {
    "norm": "Norm",
    "norm_placement": "Where the norm stands",
    "position": "Positions",
    "ffn": "Feed-forward",
    "attention": "Attention",
    "biases": "Biases",
    "tied_embeddings": "Tied embeddings",
    "vocab_size": "Vocabulary size",
    "tokenizer": "Tokenizer",
    "context_window": "Context",
}
"""What an architecture is told by, each with its title; all but the context are parts of it."""

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "exact day": ("release_date",),
    "date": ("release_date",),
    "release month": ("release_date",),
    "organisation": ("organisation",),
    "licence": ("licence",),
    "openness": ("openness",),
    "sizes": ("sizes",),
    "training_tokens": ("training_tokens",),
    "14B tokens": ("training_tokens",),
    "architecture block": tuple(name for name in FEATURES if name != "context_window"),
    "norm_placement": ("norm_placement",),
    "350M exception": ("norm_placement",),
    "norm": ("norm",),
    "YaRN": ("position",),
    "ffn": ("ffn",),
    "attention": ("attention",),
    "32B attention": ("attention",),
    "biases": ("biases",),
    "tied_embeddings": ("tied_embeddings",),
    "vocab_size": ("vocab_size",),
    "exact vocab_size": ("vocab_size",),
    "tokenizer": ("tokenizer",),
    "context_window": ("context_window",),
}
"""Which fields the table means, by the words that it begins with; the longer ones come first."""


def unverified(node: Node) -> Mapping[str, str]:
    """Name the fields that were not read in the source, each with what the table says of it.

    Raises:
        KeyError: if the table names something that no field is known for.
    """
    if node.confidence == "from-memory":
        everything = ("organisation", "release_date", "description", *FEATURES)
        return dict.fromkeys(everything, "written from memory")
    return {field: words for words in node.unverified_fields for field in _fields_of(words)}


def _fields_of(words: str) -> tuple[str, ...]:
    for beginning, fields in _FIELDS.items():
        if words.startswith(beginning):
            return fields
    raise KeyError(words)
