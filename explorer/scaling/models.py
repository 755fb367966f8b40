"""Every model of the family tree whose size and training tokens are known, for the map."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from explorer import content
from explorer.family.tree import ROOT, Node, family_tree

_UNITS = {"M": 1e6, "B": 1e9, "T": 1e12}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model on the map."""

    node: str
    """Its entry in the family tree."""
    title: str
    parameters: float
    """Those that work on a token."""
    tokens: float
    """That it was trained on."""
    released: str
    """As 2023-02-24; a month where the day is not known."""
    note: str
    """What is to be said of its numbers, and where they come from, in Markdown."""

    @property
    def is_llama(self) -> bool:
        """Whether it is one of the four that this app is about."""
        return self.node == ROOT


@cache
def models() -> tuple[Model, ...]:
    """List the models, in the order in which they were released."""
    nodes = family_tree().nodes
    found = [*_configured(nodes), *_told(nodes)]
    return tuple(sorted(found, key=lambda model: (model.released, model.parameters)))


def left_out() -> Mapping[str, str]:
    """Say of which models the tokens are known and are no measure of their training, and why."""
    rows = content.facts("training_tokens")["left_out"]
    return {family_tree().nodes[row["node"]].name: row["why"] for row in rows}


def _configured(nodes: Mapping[str, Node]) -> Iterator[Model]:
    """Yield the models of which the exact configuration is known, with their own tokens."""
    configs = content.configs()
    for node in nodes.values():
        for name in node.config_ids:
            row = configs[name]
            if row["train_tokens"]:
                yield Model(
                    node=node.id,
                    title=row["name"],
                    parameters=float(row["params_measured"]),
                    tokens=float(row["train_tokens"]),
                    released=node.release_date,
                    note=content.cited(row["source"], row["confidence"]),
                )


def _told(nodes: Mapping[str, Node]) -> Iterator[Model]:
    """Yield the others, as the family tree tells of them."""
    for row in content.facts("training_tokens")["rows"]:
        node = nodes[row["node"]]
        counted = float(row.get("parameters") or _in_figures(row["size"]))
        unverified = [each for each in node.unverified_fields if "tokens" in each]
        said = content.cited(node.source, node.confidence, unverified)
        if "active" in row:
            said = f"Of a mixture of experts, those parameters that work on a token. {said}"
        yield Model(
            node=node.id,
            title=f"{node.name} {row['size'].partition(' (')[0]}",
            parameters=float(row.get("active") or counted),
            tokens=float(row["tokens"]),
            released=node.release_date,
            note=said,
        )


def _in_figures(size: str) -> float:
    """Read a size such as 1.8B."""
    found = re.search(r"([\d.]+)([MBT])", size)
    assert found, size
    return float(found[1]) * _UNITS[found[2]]
