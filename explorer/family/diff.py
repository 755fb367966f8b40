"""What an architecture has in common with LLaMA's, told by meaning and not by the letter.

Each feature of a node is read as a set of choices in plain words. Two sets that are equal are the
same architecture; where some of LLaMA's choices are kept, in some sizes or layers or with something
added, it differs in part.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer import content
from explorer.family.checked import FEATURES, unverified
from explorer.family.tree import ROOT, Node, Tree

SAME, IN_PART, DIFFERS, NOT_KNOWN = "same", "in part", "differs", "not known"
VERDICTS: Mapping[str, str] = {
    SAME: ":material/check: same",
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
    """What the node has that LLaMA has not, in plain words."""
    note: str
    """What else is to be known of the comparison; mostly empty."""
    unverified: str
    """What of it was not read in the source; empty: all was."""


def compare(tree: Tree, node: Node) -> list[Row]:
    """Lay a node's architecture beside LLaMA's, feature by feature.

    Empty where the table knows of no architecture.
    """
    if node.architecture is None:
        return []
    llama, doubtful = tree.nodes[ROOT], unverified(node)
    return [_row(feature, llama, node, doubtful.get(feature, "")) for feature in FEATURES]


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
        *[f"{row.title}: {row.note}." for row in rows if row.note.endswith(_NOT_STATED)],
    ]
    return " ".join([said, *open_words])


def choices_of(feature: str, node: Node) -> Choices:
    """What a node has for a feature, as choices in plain words; empty where it is not disclosed."""
    value = _value(feature, node)
    return frozenset() if value is None else _READERS[feature](value, node)


def exact_rows(node: Node) -> list[Mapping[str, Any]]:
    """The exact configurations that are known of a node, out of the table `configs`."""
    known = {row["id"]: row for row in content.facts("configs")["configs"]}
    return [known[name] for name in node.config_ids]


def shown_value(feature: str, node: Node) -> str:
    """A feature's value as the table words it."""
    value = _value(feature, node)
    if value is None:
        return "not disclosed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,} tokens" if isinstance(value, int) else _PLAINER.get(value, str(value))


def _row(feature: str, llama: Node, node: Node, doubtful: str) -> Row:
    usual, own = choices_of(feature, llama), choices_of(feature, node)
    return Row(
        feature=feature,
        title=FEATURES[feature],
        llama=shown_value(feature, llama),
        node=shown_value(feature, node),
        verdict=_verdict(usual, own),
        instead=tuple(sorted(own - usual)),
        note=_note(feature, node),
        unverified=doubtful,
    )


def _note(feature: str, node: Node) -> str:
    """That a number of the comparison is in the exact configurations alone, or not known."""
    value = str(_value(feature, node))
    is_bare = _BARE.get(feature, "") and bool(re.fullmatch(_BARE[feature][0], value))
    if not is_bare:
        return ""
    known = "in the exact configurations below" if exact_rows(node) else _NOT_STATED
    return f"{_BARE[feature][1]} {known}"


def _verdict(usual: Choices, own: Choices) -> str:
    if not own:
        return NOT_KNOWN
    if own == usual:
        return SAME
    return IN_PART if own & usual else DIFFERS


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
    thetas = {float(theta.replace(",", "")) for theta in re.findall(r"\d[\d,]{4,}", value)}
    thetas = thetas or {row["rope_theta"] for row in exact_rows(node)} or {_THETA}
    attention = choices_of("attention", node)
    added = _found(
        f"{value}; MLA" if _MLA in attention else value,
        {
            r"\d+ % of": "turns a quarter of each head",
            "decoupled|MLA": "turns a separate part of each head",
            "YaRN|LongRoPE|scaled": "stretched for longer texts",
            "none in some": "no positions in some layers",
        },
    )
    return added | {"RoPE"} | {f"RoPE's theta {theta:,.0f}" for theta in thetas}


def _ffn(value: str, node: Node) -> Choices:
    kinds = _found(
        value,
        {
            "SwiGLU": "SwiGLU",
            "GeGLU": "GeGLU",
            r"\bGELU": "GELU",
            r"\bReLU": "ReLU",
            "MoE": "experts",
        },
    )
    if "SwiGLU" not in kinds:
        return kinds
    rows = [row for row in exact_rows(node) if row["moe"] is None]
    widths = {row["ffn_hidden"] / row["dim"] for row in rows if not _is_by_rule(row)}
    widths |= {4.0} if "hidden 4d" in value else set()
    wide = " or ".join(f"{width:.3g}" for width in sorted(widths))
    return kinds | ({f"hidden layer {wide} × d_model"} if widths else frozenset())


def _is_by_rule(row: Mapping[str, Any]) -> bool:
    """Whether the hidden layer is as wide as LLaMA's rule makes it: 2/3 of 4 d_model, rounded up to
    a multiple of at most 256."""
    by_rule = 8 * row["dim"] / 3
    return bool(by_rule - 1 < row["ffn_hidden"] < by_rule + 256)


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
_NOT_STATED = "not stated"
_IN_PART = {IN_PART: "in part: ", DIFFERS: ""}
_BARE: Mapping[str, tuple[str, str]] = {
    "position": ("RoPE", "theta"),
    "ffn": ("SwiGLU", "width of the hidden layer"),
}
"""Values that leave a number open, and which."""
_THETA = 10_000.0
"""What RoFormer and LLaMA have, and so what a plain "RoPE" means."""
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
