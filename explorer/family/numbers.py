"""The numbers of an architecture, size by size, and where each is from.

The words of the table often leave RoPE's theta and the width of the hidden layer open. Then the
exact configurations tell them, for the sizes that they hold, or a parent of which the weights were
tuned. What none of these tells is not stated.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer import content
from explorer.family.tree import Node, Tree

NUMBERS: Mapping[str, str] = {"position": "theta", "ffn": "hidden / d_model"}
"""The features that hold a number, and which."""
BY_RULE = "hidden layer by LLaMA's rule"
"""2/3 of 4 d_model, rounded up to a multiple of at most 256."""
BELOW = "see the exact numbers below"


@dataclass(frozen=True, kw_only=True)
class Number:
    """What one size has."""

    choices: frozenset[str] = frozenset()
    """In plain words; empty: not stated."""
    origin: str = ""
    """Where it is from; empty: out of the table's own words."""


def numbers_of(feature: str, tree: Tree, node: Node) -> Mapping[str, Number]:
    """Find the number of each size of a node; empty where a feature has none to compare."""
    if feature not in NUMBERS or not _PATTERNS[feature].match(str(_words(feature, node))):
        return {}
    if said := _IN_WORDS[feature](str(_words(feature, node))):
        return dict.fromkeys(node.sizes, Number(choices=said))
    counted = _counted(feature, node)
    return {
        size: counted.get(size) or _from_parents(feature, tree, node, size) for size in node.sizes
    }


def exact_rows(node: Node) -> list[Mapping[str, Any]]:
    """Find the exact configurations that are known of a node, out of the table `configs`."""
    return [content.configs()[name] for name in node.config_ids]


def size_name(node: Node, row_id: str) -> str:
    """Name a size as the node has it: 7B for llama-1-7b.

    Where another model's configuration counts it, which has the same shape, that model's name.
    """
    row = content.configs().get(row_id)
    if row is None:
        return _size_in(row_id.rpartition("-")[2], node) or row_id.rpartition("-")[2].upper()
    size = _size_in(row["name"], node)
    if row_id in node.config_ids or _is_own(row, node):
        return size or str(row["name"]).removeprefix(f"{node.name} ")
    return f"{size} (as {row['name']})" if size else f"as {row['name']}"


def listed(names: Sequence[str]) -> str:
    """List names in a sentence: 8B, 70B and 405B."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


# -- Out of the table's words ----------------------------------------------------------------------


def _words(feature: str, node: Node) -> Any:
    return (node.architecture or {}).get(feature)


def _theta(value: float) -> str:
    return f"RoPE's theta {value:,.0f}"


def _thetas_in(words: str) -> frozenset[str]:
    found = re.findall(r"\d[\d,]{4,}", words)
    return frozenset(_theta(float(each.replace(",", ""))) for each in found)


def _widths_in(words: str) -> frozenset[str]:
    if re.search(r"2/3 of 4d|8/3 d", words):
        return frozenset({BY_RULE})
    return frozenset({_times(4.0)}) if "hidden 4d" in words else frozenset()


def _times(ratio: float) -> str:
    return f"hidden layer {ratio:.3g} × d_model"


# -- Out of the exact configurations ---------------------------------------------------------------


def _counted(feature: str, node: Node) -> Mapping[str, Number]:
    """Find what rows of the table `configs` tell, by the size that each belongs to."""
    # A model that was counted with another one's row has its shape; of theta that says nothing.
    others = [] if feature == "position" else list(node.params_measured)
    names = dict.fromkeys([*node.config_ids, *others])
    found = {}
    for row in (content.configs()[name] for name in names if name in content.configs()):
        size, choice = _size_in(row["name"], node), _IN_ROW[feature](row)
        is_own = row["id"] in node.config_ids
        if size and choice:
            origin = BELOW if is_own else f"as in {row['name']} of the same shape"
            found[size] = Number(choices=frozenset({choice}), origin=origin)
    return found


def _theta_of(row: Mapping[str, Any]) -> str | None:
    return None if row["rope_theta"] is None else _theta(row["rope_theta"])


def _width_of(row: Mapping[str, Any]) -> str | None:
    if row["moe"] is not None or row["ffn_type"] != "SwiGLU":
        return None
    by_rule = 8 * row["dim"] / 3
    is_by_rule = by_rule - 1 < row["ffn_hidden"] < by_rule + 256
    return BY_RULE if is_by_rule else _times(row["ffn_hidden"] / row["dim"])


def _size_in(name: str, node: Node) -> str | None:
    """Find the size of a node that another name tells, as 13B in "LLaMA 13B"."""
    for size in node.sizes:
        words = re.escape(size).replace(r"\ ", " ").split(" ")
        if any(re.search(rf"(?<![\d.]){word}\b", name, re.IGNORECASE) for word in words[:2]):
            return size
    is_alone = len(node.sizes) == len(node.params_measured) == 1
    return node.sizes[0] if is_alone else None


def _is_own(row: Mapping[str, Any], node: Node) -> bool:
    return str(row["family"]) == node.name


# -- Out of the parents ----------------------------------------------------------------------------


def parents_tuned(tree: Tree, node: Node) -> list[Node]:
    """Find the nodes of which the weights were tuned into this one."""
    edges = tree.parents_of(node.id)
    return [tree.nodes[edge.parent] for edge in edges if edge.relation == "fine-tuned-from"]


def _from_parents(feature: str, tree: Tree, node: Node, size: str) -> Number:
    """Find what the parent's size of the same name has; else what all sizes of a parent have."""
    if size in _OTHER_BASES.get(node.id, ()):
        return Number()
    known = {each.name: numbers_of(feature, tree, each) for each in parents_tuned(tree, node)}
    same = {
        name: number
        for name, numbers in known.items()
        for other, number in numbers.items()
        if other.split(maxsplit=1)[0] == size.split(maxsplit=1)[0]
    }
    alike = {
        name: next(iter(numbers.values()))
        for name, numbers in known.items()
        if len({number.choices for number in numbers.values()}) == 1
    }
    found = same or alike
    if len({number.choices for number in found.values()}) != 1:
        return Number()
    (choices,) = {number.choices for number in found.values()}
    parents = f"parent{'s' if len(found) > 1 else ''} {listed(list(found))}"
    return Number(choices=choices, origin=f"from its {parents}" if choices else "")


_OTHER_BASES: Mapping[str, tuple[str, ...]] = {"r1-distill-qwen": ("1.5B", "7B")}
"""Sizes that start from a model which the tree has not: here from Qwen2.5-Math, as the README that
the edge names has it; its theta is not that of Qwen2.5."""
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "position": re.compile("RoPE"),
    "ffn": re.compile("SwiGLU"),
}
"""The words that leave a number open; a mixture of experts alone has no width to compare."""
_IN_WORDS: Mapping[str, Callable[[str], frozenset[str]]] = {
    "position": _thetas_in,
    "ffn": _widths_in,
}
_IN_ROW: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "position": _theta_of,
    "ffn": _width_of,
}
