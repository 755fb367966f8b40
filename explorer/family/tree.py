"""The family tree as plain data: nodes and edges out of the table of facts, and ways to walk it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from explorer import content

ROOT = "llama-1"
"""The node that the tree is about."""
KINDS: Mapping[str, str] = {"research": "Research", "model": "Models", "software": "Software"}
"""What a node can be, in the order of the lanes."""
NOT_SAID = "not said"
"""How open a node is of which the table does not say it, such as a paper without code."""
MAKERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "meta": ("Meta", ("Meta", "Facebook")),
    "google": ("Google and DeepMind", ("Google", "DeepMind")),
    "openai": ("OpenAI", ("OpenAI",)),
    "microsoft": ("Microsoft", ("Microsoft",)),
    "mistral": ("Mistral AI", ("Mistral AI",)),
    "alibaba": ("Alibaba", ("Alibaba",)),
    "deepseek": ("DeepSeek", ("DeepSeek",)),
    "eleutherai": ("EleutherAI", ("EleutherAI",)),
    "hugging-face": ("Hugging Face", ("Hugging Face",)),
    "together": ("Together", ("Together",)),
    "universities": (
        "Universities",
        ("University", "Stanford", "Berkeley", "UW-Madison", "Columbia", "LMSYS", "ETH"),
    ),
    "allen": ("Allen Institute for AI", ("Allen Institute",)),
}
"""Organisations by a short name: title, and the words by which the table names them."""
OTHERS = "others"
"""The short name of all other organisations."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How two nodes hang together, in words; an edge leads from the earlier one to the later."""

    title: str
    """As the legend has it."""
    of_child: str
    """What the later node does to the earlier one: "fine-tuned from" LLaMA."""
    of_parent: str
    """What the earlier node is to the later one."""
    meaning: str


RELATIONS: Mapping[str, Relation] = {
    "fine-tuned-from": Relation(
        title="Fine-tuned from",
        of_child="is fine-tuned from",
        of_parent="gave its weights to",
        meaning="the later one starts from the weights of the earlier one",
    ),
    "architecture-follows": Relation(
        title="Architecture follows",
        of_child="follows the architecture of",
        of_parent="gave its architecture to",
        meaning="the later one takes over the design, not the weights",
    ),
    "successor": Relation(
        title="Successor",
        of_child="is the successor of",
        of_parent="was followed by",
        meaning="the next generation by the same makers",
    ),
    "reproduces": Relation(
        title="Reproduces",
        of_child="reproduces",
        of_parent="was reproduced by",
        meaning="the later one tries to make the earlier one again",
    ),
    "distilled-from": Relation(
        title="Distilled from",
        of_child="is distilled from",
        of_parent="was distilled into",
        meaning="the later one is trained on outputs of the earlier one",
    ),
    "research-influences": Relation(
        title="Research influence",
        of_child="uses research or work of",
        of_parent="influenced",
        meaning="the later one uses an idea, a dataset or a tool of the earlier one",
    ),
    "implements": Relation(
        title="Implements",
        of_child="is software for",
        of_parent="is run or trained by",
        meaning="software made to run or train the earlier one",
    ),
}
"""Every relation by the name that the table has for it, in the order of the legend."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A model, a piece of research or a piece of software, as the table of facts has it."""

    id: str
    name: str
    organisation: str
    release_date: str
    """Day of the first public release, or its month where the day was not found: 2023-02-24."""
    date_note: str | None
    kind: str
    """One of `KINDS`."""
    description: str
    sizes: tuple[str, ...]
    context_window: int | None
    """In tokens."""
    training_tokens: float | None
    training_tokens_note: str | None
    licence: str | None
    openness: str | None
    architecture: Mapping[str, Any] | None
    """Its parts as the source names them; None: no language model, or not one of its own."""
    arxiv: str | None
    config_ids: tuple[str, ...]
    """Rows of the table `configs` that count its parameters."""
    source: str
    confidence: str
    """One of `content.CONFIDENCE`."""
    unverified_fields: tuple[str, ...]
    params_measured: Mapping[str, int]
    """Counted parameters, by the name of the size."""
    params_measured_note: str | None = None

    @property
    def year(self) -> int:
        """The year of its first release."""
        return int(self.release_date[:4])

    @property
    def month(self) -> str:
        """The month of its first release, which sorts: 2023-02."""
        return self.release_date[:7]

    @property
    def has_only_month(self) -> bool:
        """Whether the day of its first release is not known."""
        return self.release_date == self.month

    @property
    def date(self) -> str:
        """Its first release in words: 24 February 2023, or April 2019 where no day is known."""
        year, month, *day = self.release_date.split("-")
        return " ".join([*(str(int(each)) for each in day), _MONTHS[int(month) - 1], year])

    @property
    def month_in_words(self) -> str:
        """The month of its first release in words: February 2023."""
        return f"{_MONTHS[int(self.month[5:]) - 1]} {self.year}"

    @property
    def place(self) -> float:
        """Its place on a line of years; the middle of the month where no day is known."""
        month, *day = (int(each) for each in self.release_date.split("-")[1:])
        return self.year + (month - 1 + ((day[0] - 0.5) / 31 if day else 0.5)) / 12

    @property
    def makers(self) -> tuple[str, ...]:
        """The short names of who made it, as in `MAKERS`, in the order in which they are named."""
        places = {
            name: min(self.organisation.find(word) for word in words if word in self.organisation)
            for name, (_, words) in MAKERS.items()
            if any(word in self.organisation for word in words)
        }
        return tuple(sorted(places, key=lambda name: places[name])) or (OTHERS,)

    @property
    def access(self) -> str:
        """How open it is, in the words of the table, or that the table does not say."""
        return self.openness or NOT_SAID

    def has(self, word: str) -> bool:
        """Tell whether name, organisation or id has this word, small and large letters alike."""
        return word.casefold().strip() in f"{self.name}\n{self.organisation}\n{self.id}".casefold()


@dataclass(frozen=True, kw_only=True)
class Edge:
    """What a later node owes to an earlier one."""

    parent: str
    """The id of the earlier node; `from` in the table."""
    child: str
    """The id of the later node; `to` in the table."""
    relation: str
    """One of `RELATIONS`."""
    evidence: str
    confidence: str
    later_version: bool
    """Whether it holds for a later release of the child only, so that the parent may be newer than
    the child's first release."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Nodes by id, in time order, and the edges between them."""

    nodes: Mapping[str, Node]
    edges: Sequence[Edge]

    def parents_of(self, node_id: str) -> list[Edge]:
        """List the edges that lead to a node, from what it comes from."""
        return [edge for edge in self.edges if edge.child == node_id]

    def children_of(self, node_id: str) -> list[Edge]:
        """List the edges that lead away from a node, to what came of it."""
        return [edge for edge in self.edges if edge.parent == node_id]

    def search(self, word: str) -> list[Node]:
        """Find the nodes whose name, organisation or id has this word, in time order."""
        return [node for node in self.nodes.values() if node.has(word)]


@cache
def family_tree() -> Tree:
    """Build the whole tree: 92 nodes and 146 edges, each with where it is from."""
    facts = content.facts("family_tree")
    nodes = sorted((_node(row) for row in facts["nodes"]), key=lambda node: (node.place, node.id))
    return Tree(nodes={node.id: node for node in nodes}, edges=[_edge(e) for e in facts["edges"]])


def _node(row: Mapping[str, Any]) -> Node:
    lists: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
    }
    return Node(**lists)


def _edge(row: Mapping[str, Any]) -> Edge:
    others = {name: value for name, value in row.items() if name not in ("from", "to")}
    return Edge(parent=row["from"], child=row["to"], **others)


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
