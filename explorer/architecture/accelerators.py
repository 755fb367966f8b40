"""Accelerators by their data sheets, as the table of facts has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import streamlit as st

from explorer import content
from explorer.figures.amounts import in_bytes, in_rate
from explorer.widgets import choose_named

USUAL = "a100-80gb"
"""LLaMA was trained on these."""


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """What a data sheet says."""

    id: str
    name: str
    year: int
    kind: str
    memory_bytes: int
    bandwidth_bytes_per_second: int
    watts: int | None
    peak_flops: Mapping[str, int]
    """Operations a second at best, dense, by the numbers that are multiplied."""
    note: str | None
    source: str
    confidence: str
    unverified_fields: tuple[str, ...]

    def peak(self, products: str) -> int:
        """Give the operations a second at best; where there is no figure, the one for fp32."""
        return self.peak_flops.get(products, self.peak_flops["fp32"])

    @property
    def cited(self) -> str:
        """Where the figures come from, in Markdown."""
        note = f"{content.escaped(self.note)} " if self.note else ""
        return note + content.cited(self.source, self.confidence, self.unverified_fields)


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Give all of them by id."""
    rows = content.facts("accelerators")["accelerators"]
    return {
        row["id"]: Accelerator(**row | {"unverified_fields": tuple(row["unverified_fields"])})
        for row in rows
    }


def choose_accelerator() -> Accelerator:
    """Let the student choose one; the choice is in the link."""
    titles = {each.id: each.name for each in accelerators().values()}
    return accelerators()[choose_named("Accelerator", titles, key="accelerator", usual=USUAL)]


def describe(chosen: Accelerator, products: str) -> None:
    """Say what the data sheet gives, and where it was read."""
    st.caption(
        f"{chosen.name} ({chosen.year}): {in_bytes(chosen.memory_bytes)} of memory, "
        f"{in_bytes(chosen.bandwidth_bytes_per_second)}/s, {in_rate(chosen.peak(products))} in "
        f"{products if products in chosen.peak_flops else 'fp32'}, dense. {chosen.cited}"
    )
