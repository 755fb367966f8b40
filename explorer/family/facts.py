"""All facts of a node in a table, with a mark where one was not read in the source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from explorer import content
from explorer.family.numbers import size_name
from explorer.family.tree import Node
from explorer.family.unverified import unverified

COUNTED, NOT_READ = ":material/calculate: counted", ":material/help: not verified"
"""The marks of a value that was not simply read in the source."""
_NOT_KNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row of the table."""

    field: str
    """As the table of facts names it."""
    title: str
    value: str
    """In Markdown, with its note where it has one."""
    mark: str
    """In Markdown, an icon and words, where it was not read in the source; else empty."""


def facts_of(node: Node) -> list[Fact]:
    """List every fact of a node that the table has; of a model, also those that are not known."""
    doubtful = unverified(node)
    found = []
    for field, (title, tell) in _FACTS.items():
        value = tell(node)
        if value is None and (node.kind != "model" or field in _MAY_LACK):
            continue
        shown = _NOT_KNOWN if value is None else content.escaped(value)
        mark = "" if value is None else _mark(field, doubtful)
        found.append(Fact(field=field, title=title, value=shown, mark=mark))
    return found


def _mark(field: str, doubtful: Mapping[str, str]) -> str:
    if field == "params_measured":
        return COUNTED
    if field in doubtful:
        words = doubtful[field]
        return f"{NOT_READ} ({content.escaped(words)})" if words != field else NOT_READ
    return ""


def _with_note(value: str | None, note: str | None) -> str | None:
    """Join a value and its note; a note alone may say all that there is to say."""
    return ". ".join(part for part in (value, note) if part) or None


def _parameters(node: Node) -> str | None:
    counts = "; ".join(
        f"{size_name(node, row_id)}: {count:,}" for row_id, count in node.params_measured.items()
    )
    return _with_note(counts or None, node.params_measured_note)


def _tokens(node: Node) -> str | None:
    count = None if node.training_tokens is None else f"{node.training_tokens / 1e9:,.6g} billion"
    return _with_note(count, node.training_tokens_note)


def _context(node: Node) -> str | None:
    return None if node.context_window is None else f"{node.context_window:,} tokens"


_MAY_LACK = ("arxiv", "params_measured")
"""What a model need not have."""
_FACTS: Mapping[str, tuple[str, Callable[[Node], str | None]]] = {
    "organisation": ("Organisation", lambda node: node.organisation),
    "release_date": ("First release", lambda node: _with_note(node.date, node.date_note)),
    "kind": ("Kind", lambda node: node.kind),
    "sizes": ("Sizes", lambda node: ", ".join(node.sizes) or None),
    "context_window": ("Context", _context),
    "training_tokens": ("Training tokens", _tokens),
    "licence": ("Licence", lambda node: node.licence),
    "openness": ("Openness", lambda node: node.openness),
    "arxiv": ("Paper", lambda node: node.arxiv and f"arXiv:{node.arxiv}"),
    "params_measured": ("Parameters", _parameters),
}
"""Each field with its title and how it is told; None where the table has nothing."""
