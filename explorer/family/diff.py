"""What an architecture has in common with LLaMA's, told by meaning and not by the letter.

Each feature of a node is read as a set of choices in plain words. Two sets that are equal are the
same architecture; where some of LLaMA's choices are kept, in some sizes or layers or with something
added, it differs in part. A number that is not stated is never taken for LLaMA's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.family.numbers import NUMBERS, Number, exact_rows, listed, numbers_of, parents_tuned
from explorer.family.tree import ROOT, Node, Tree
from explorer.family.unverified import FEATURES, unverified

SAME, AS_STATED, IN_PART = "same", "as stated", "in part"
DIFFERS, NOT_KNOWN = "differs", "not known"
VERDICTS: Mapping[str, str] = {
    SAME: ":material/check: same",
    AS_STATED: ":material/rule: same as far as stated",
    IN_PART: ":material/contrast: differs in part",
    DIFFERS: ":material/swap_horiz: differs",
    NOT_KNOWN: ":material/help: not disclosed",
}
"""Each with an icon and a word, so that no colour has to tell them apart."""

Choices = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One feature: what LLaMA has, what the node has, and whether that is the same."""

    feature: str
    title: str
    llama: str
    node: str
    verdict: str
    """One of `VERDICTS`."""
    instead: tuple[str, ...]
    """What the node has that LLaMA has not, in plain words; its sizes where not all have it."""
    note: str
    """Where a number of the comparison is from, and what a parent has besides; mostly empty."""
    missing: str
    """What number is not stated, and for which sizes; empty: all are."""
    unverified: str
    """What of it was not read in the source; empty: all was."""


def compare(tree: Tree, node: Node) -> list[Row]:
    """Lay a node's architecture beside LLaMA's, feature by feature.

    Empty where the table knows of no architecture.
    """
    if node.architecture is None:
        return []
    doubtful = unverified(node)
    return [_row(feature, tree, node, doubtful.get(feature, "")) for feature in FEATURES]


def in_one_line(rows: Sequence[Row]) -> str:
    """Say what differs from LLaMA; every feature by its title and what is there instead."""
    odd = [row for row in rows if row.verdict in (IN_PART, DIFFERS)]
    unknown = [row.title.lower() for row in rows if row.verdict == NOT_KNOWN]
    parts = [
        f"{row.title.lower()} ({_IN_PART[row.verdict]}{', '.join(row.instead)})" for row in odd
    ]
    said = (
        f"Differs from LLaMA in: {'; '.join(parts)}."
        if parts
        else ("The same architecture as LLaMA's in everything that the table tells.")
    )
    open_words = [
        *([f"Not disclosed: {', '.join(unknown)}."] if unknown else []),
        *[f"{row.title}: {row.missing}." for row in rows if row.missing],
    ]
    return " ".join([said, *open_words])


def choices_of(feature: str, tree: Tree, node: Node) -> Choices:
    """Give what a node has for a feature, as choices in plain words; empty where not disclosed."""
    words, numbers = _in_words(feature, node), numbers_of(feature, tree, node)
    return words.union(*(number.choices for number in numbers.values()))


def shown_value(feature: str, node: Node) -> str:
    """Word a feature's value as the table does."""
    value = _value(feature, node)
    if value is None:
        return "not disclosed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,} tokens" if isinstance(value, int) else _PLAINER.get(value, str(value))


def _row(feature: str, tree: Tree, node: Node, doubtful: str) -> Row:
    llama = tree.nodes[ROOT]
    usual, own = choices_of(feature, tree, llama), choices_of(feature, tree, node)
    numbers = numbers_of(feature, tree, node)
    missing, beside = _missing(feature, numbers), _beside(feature, tree, node)
    is_open = bool(missing or beside)
    return Row(
        feature=feature,
        title=FEATURES[feature],
        llama=shown_value(feature, llama),
        node=shown_value(feature, node),
        verdict=_verdict(usual, own, is_open=is_open),
        instead=tuple(choice + _sizes_with(choice, numbers) for choice in sorted(own - usual)),
        note="; ".join([*_origins(numbers), *beside]),
        missing=missing,
        unverified=doubtful,
    )


def _verdict(usual: Choices, own: Choices, *, is_open: bool) -> str:
    if not own:
        return NOT_KNOWN
    if is_open and own <= usual:
        return AS_STATED
    if own == usual:
        return SAME
    return IN_PART if own & usual else DIFFERS


def _sizes_with(choice: str, numbers: Mapping[str, Number]) -> str:
    """Name the sizes that a choice belongs to, where they are not all."""
    return _unless_all([size for size, each in numbers.items() if choice in each.choices], numbers)


def _where(number: Number, numbers: Mapping[str, Number]) -> str:
    """Name the sizes that have this number from this origin, where they are not all."""
    return _unless_all([size for size, each in numbers.items() if each == number], numbers)


def _unless_all(sizes: Sequence[str], numbers: Mapping[str, Number]) -> str:
    return f" ({', '.join(sizes)})" if sizes and len(sizes) < len(numbers) else ""


def _origins(numbers: Mapping[str, Number]) -> list[str]:
    """List the numbers that the table's own words do not tell, and where they are from."""
    known = [number for number in numbers.values() if number.origin]
    return [
        f"{listed(sorted(number.choices))}{_where(number, numbers)}, {number.origin}"
        for number in dict.fromkeys(known)
    ]


def _missing(feature: str, numbers: Mapping[str, Number]) -> str:
    """Say which sizes' number is not stated."""
    stated = [size for size, number in numbers.items() if number.choices]
    others = [size for size in numbers if size not in stated]
    if not others:
        return ""
    said = f"{NUMBERS[feature]} not stated"
    if not stated:
        return said
    return f"{said} for {listed(others) if len(others) < 4 else 'the other sizes'}"


def _beside(feature: str, tree: Tree, node: Node) -> list[str]:
    """Say what a tuned parent has besides, in a feature where the node's own words may be short.

    The layers or sizes of such a feature may differ.
    """
    if feature != "attention":
        return []
    own = _in_words(feature, node)
    return [
        f"its parent {parent.name} has {' and '.join(sorted(more))}"
        for parent in parents_tuned(tree, node)
        if (more := _attention(_for_sizes(str(_value(feature, parent)), node), parent) - own)
    ]


def _for_sizes(value: str, node: Node) -> str:
    """Keep the parts of a value that are not told of other sizes alone: "MHA (7B); GQA (70B)"."""
    own = {size.split()[0] for size in node.sizes}
    parts = [(part, re.findall(r"\b\d[\d.]*B\b", part)) for part in value.split(";")]
    return ";".join(part for part, sizes in parts if not sizes or own & set(sizes))


def _in_words(feature: str, node: Node) -> Choices:
    value = _value(feature, node)
    return frozenset() if value is None else _READERS[feature](value, node)


def _value(feature: str, node: Node) -> Any:
    if feature == "context_window":
        return node.context_window
    return (node.architecture or {}).get(feature)


# -- One reader a feature --------------------------------------------------------------------------


def _norm(value: str, _: Node) -> Choices:
    return frozenset({value.replace(" (", ", ").replace(")", "")})


def _norm_placement(value: str, _: Node) -> Choices:
    return _found(
        value,
        {
            r"\bpre\b": "before each part",
            r"(?<!and )\bpost\b(?! \(on)": "after each part",
            r"and post|post \(on": "on each part's output",
            "parallel": "attention and feed-forward side by side",
        },
    )


def _position(value: str, node: Node) -> Choices:
    if not value.startswith("RoPE"):
        return frozenset(
            {value if value == "ALiBi" else f"{value.split(' (', maxsplit=1)[0]} positions"}
        )
    attention = _in_words("attention", node)
    added = _found(
        f"{value}; MLA" if _MLA in attention else value,
        {
            r"\d+ % of": "turns a quarter of each head",
            "decoupled|MLA": "turns a separate part of each head",
            "YaRN|LongRoPE|scaled": "stretched for longer texts",
            "none in some": "no positions in some layers",
        },
    )
    return added | {"RoPE"}


def _ffn(value: str, _: Node) -> Choices:
    return _found(
        value,
        {
            "SwiGLU": "SwiGLU",
            "GeGLU": "GeGLU",
            r"\bGELU": "GELU",
            r"\bReLU": "ReLU",
            "MoE": "experts",
        },
    )


def _attention(value: str, _: Node) -> Choices:
    return _found(
        value,
        {
            "MHA": "as many key/value heads as heads",
            "GQA|KV heads [(]": "grouped queries",
            "MQA": "one key/value head for all",
            "MLA": _MLA,
            "sliding|banded|local": "a window in some or all layers",
            "QK-norm": "norm on queries and keys",
        },
    )


def _biases(value: bool | str, _: Node) -> Choices:
    return _BIASES[value]


def _tied_embeddings(value: bool | str, _: Node) -> Choices:
    if isinstance(value, bool):
        return frozenset({"yes" if value else "no"})
    return frozenset({"in some sizes", "no"})


def _vocab_size(value: int, node: Node) -> Choices:
    smaller = {row["vocab_size"] for row in exact_rows(node) if row["vocab_size"] < value}
    return frozenset(f"{size:,} tokens" for size in {value, *smaller})


def _context(value: int, _: Node) -> Choices:
    return frozenset({f"{value:,} tokens"})


def _tokenizer(value: str, _: Node) -> Choices:
    for pattern, choices in _TOKENIZERS.items():
        if re.search(pattern, value):
            return frozenset(choices)
    raise KeyError(value)


def _found(value: str, words: Mapping[str, str]) -> Choices:
    return frozenset(word for pattern, word in words.items() if re.search(pattern, value))


_PLAINER = {
    "pre": "before each part (pre)",
    "post": "after each part (post)",
    "pre and post": "before each part and on its output",
}
_IN_PART = {IN_PART: "in part: ", DIFFERS: ""}
_MLA = "latent attention (MLA)"
_BIASES: Mapping[bool | str, Choices] = {
    False: frozenset({"none"}),
    True: frozenset({"yes"}),
    "QKV only": frozenset({"none", "on queries, keys and values"}),
    "FFN and output head only": frozenset({"none", "on feed-forward and output"}),
}
_PIECES, _OWN = "SentencePiece", "its own pieces"
_TOKENIZERS: Mapping[str, tuple[str, ...]] = {
    "260K: 512 tokens": (_PIECES, "LLaMA's pieces", "512 pieces in the smallest"),
    "infilling": (_PIECES, "LLaMA's pieces", "pieces for infilling"),
    r"^LLaMA |^Llama 2|same as LLaMA": (_PIECES, "LLaMA's pieces"),
    "^SentencePiece BPE, byte fallback, digits split$": (_PIECES, "LLaMA's pieces"),
    "^Mistral$|SentencePiece": (_PIECES, _OWN),
    "The Pile|DeepSeek-V3|Qwen2.5|byte-level|Llama 3|tiktoken|cl100k|o200k|GPT-NeoX|GPT-2": (
        "byte-level BPE",
    ),
    "BPE": ("another BPE",),
}
"""What a tokenizer is, by what the table says of it; the first pattern that is found counts."""
_READERS: Mapping[str, Callable[[Any, Node], Choices]] = {
    "norm": _norm,
    "norm_placement": _norm_placement,
    "position": _position,
    "ffn": _ffn,
    "attention": _attention,
    "biases": _biases,
    "tied_embeddings": _tied_embeddings,
    "vocab_size": _vocab_size,
    "tokenizer": _tokenizer,
    "context_window": _context,
}
