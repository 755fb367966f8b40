"""What others have measured of a component, for its card."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer import content
from tiny_llama.menu import MENU

Row = Mapping[str, Any]


def measured_elsewhere(slot: str, option: str) -> list[str]:
    """Say what others found of an option, a line each with its source, in Markdown."""
    facts = content.facts("ablations")
    lines = [(_loss(row), row) for row in _of(facts["losses"], slot, option)]
    lines += [(content.escaped(row["text"]), row) for row in _of(facts["remarks"], slot, option)]
    return [f"{said}  \n{content.cited(row['source'], row['confidence'])}" for said, row in lines]


def _of(rows: Sequence[Row], slot: str, option: str) -> list[Row]:
    return [row for row in rows if (row["slot"], row["option"]) == (slot, option)]


def _loss(row: Row) -> str:
    against = MENU[row["slot"]][row["against"]].short_title
    measure = row["measure"][0].upper() + row["measure"][1:]
    said = (
        f"{measure} {row['with']:.3f}, with {against} {row['without']:.3f} ({row['size']}, "
        f"{row['data']}; {row['runs']}). {row['note']}"
    )
    return content.escaped(said.strip())
