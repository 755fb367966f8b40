"""Commands print tables for people, and JSON for programs."""

import json
import sys
from collections.abc import Mapping
from typing import Any


def print_table(row: Mapping[str, Any], as_json: bool) -> None:
    """Print names and numbers, a line each, or all as one JSON object."""
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        shown = f"{value:.4f}" if isinstance(value, float) else shown
        sys.stdout.write(f"{name.replace('_', ' '):<32} {shown:>24}\n")


def print_json(row: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own, at once."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()
