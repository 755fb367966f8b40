"""The whole dataset to take home: two tables in one archive, and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from explorer import content

_SAME_MOMENT = (2023, 2, 24, 0, 0, 0)
"""A fixed date inside the archive, so that the same data make the same file."""


def as_zip() -> bytes:
    """Pack `nodes.csv`, with columns for an architecture's parts, and `edges.csv`, in UTF-8."""
    facts, packed = content.facts("family_tree"), io.BytesIO()
    tables = {"nodes.csv": [_flat(row) for row in facts["nodes"]], "edges.csv": facts["edges"]}
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            archive.writestr(ZipInfo(name, _SAME_MOMENT), as_csv(rows))
    return packed.getvalue()


def as_json() -> str:
    """Write nodes, edges and what their words mean, as the facts of this app have them."""
    return json.dumps(content.facts("family_tree"), ensure_ascii=False, indent=1)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a table of rows; its columns are all their keys, in the order in which they appear."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a node its architecture in columns of their own: `architecture.norm` and so on."""
    parts = row["architecture"] or {}
    others = {name: value for name, value in row.items() if name != "architecture"}
    return others | {f"architecture.{name}": value for name, value in parts.items()}


def _cell(value: Any) -> Any:
    """Write a value as a cell: lists with semicolons, counts as name=number, nothing if unknown."""
    if isinstance(value, Mapping):
        return _joined(f"{name}={number}" for name, number in value.items())
    if isinstance(value, list):
        return _joined(value)
    return str(value).lower() if isinstance(value, bool) else value


def _joined(words: Iterable[str]) -> str:
    return "; ".join(words)
