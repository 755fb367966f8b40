"""Points of a law out of somebody else's file: what is read, and what is refused in a sentence."""

import json

import pytest

from tiny_llama.comparing.points_file import (
    FORMATS,
    MOST_BYTES,
    MOST_POINTS,
    Point,
    read_points_file,
    write_points,
)
from tiny_llama.errors import TextError

RUNS = [
    Point(parameters=20_000, tokens=1_000_000, loss=2.5, text="tales"),
    Point(parameters=40_000, tokens=500_000, loss=2.25),
]
ROWS = [
    {"parameters": 20_000, "tokens": 1_000_000, "loss": 2.5, "text": "tales"},
    {"parameters": 40_000, "tokens": 500_000, "loss": 2.25},
]
LOG = [
    {"step": 0, "n_tokens": 0, "held_out_loss": 6.0, "parameters": 20_000},
    {"step": 1, "n_tokens": 1024, "loss": 5.0, "parameters": 20_000},
    {"step": 2, "n_tokens": 2048, "loss": 4.5, "held_out_loss": 4.75, "parameters": 20_000},
    {"step": 3, "n_tokens": 3072, "loss": 4.0, "parameters": 20_000},
]


def lines(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", write_points(RUNS).encode()),
        ("A.CSV", b"\xef\xbb\xbf" + write_points(RUNS).encode()),
        ("b.json", json.dumps(ROWS).encode()),
        ("c.jsonl", lines(ROWS) + b"\n\n"),
        ("fit.json", json.dumps({"n_runs": 2, "residuals": ROWS}).encode()),
    ],
)
def test_each_format_gives_the_same_points(name, data):
    assert read_points_file(name, data) == RUNS


def test_of_a_runs_log_the_last_look_at_held_out_text_counts():
    (found,) = read_points_file("metrics.jsonl", lines(LOG))
    assert found == Point(parameters=20_000, tokens=2048, loss=4.75)
    names = ["step", "n_tokens", "loss", "held_out_loss", "parameters"]
    table = [",".join(names), *(",".join(str(row.get(n, "")) for n in names) for row in LOG)]
    assert read_points_file("run.csv", "\n".join(table).encode()) == [found]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"1,2,3", "must end in .csv, .json, .jsonl"),
        ("a", b"", "must end in"),
        ("../../etc/passwd.csv\x00", b"", "must end in"),
        ("a.csv", b"", "has 0 runs"),
        ("a.csv", b"x" * (MOST_BYTES + 1), "bytes and may have"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as CSV"),
        ("a.csv", b'parameters,tokens,loss\n"1,2,3', "cannot be read as CSV"),
        ("a.json", b"[" * 100_000, "cannot be read as JSON"),
        ("a.json", b'"text"', "cannot be read as JSON"),
        ("a.json", b"[1, 2]", "Row 1 of the file 'a.json' is no run"),
        ("a.json", b'[{"parameters": 1e400, "tokens": 1, "loss": 1}]', "says 'inf' for parameters"),
        ("a.json", b'[{"parameters": true, "tokens": 1, "loss": 1}]', "says 'True' for parameters"),
        ("a.json", b'[{"parameters": [], "tokens": 1, "loss": 1}]', "for parameters"),
        ("a.json", b'[{"parameters": 9, "tokens": 9}]', "says nothing for loss"),
        ("a.json", b'[{"parameters": 9, "tokens": 9, "loss": -1}]', "says '-1' for loss"),
        ("a.json", b'[{"parameters": 9, "tokens": 9, "loss": NaN}]', "for loss"),
        ("a.json", b'[{"parameters": 9, "tokens": 9, "loss": 1, "text": 3}]', "its text"),
        ("a.jsonl", lines(ROWS * MOST_POINTS), "must have 1 to 200"),
        ("a.jsonl", b"{}\n" * 60_000, "rows and may have"),
        ("a.jsonl", lines(LOG[1:2]), "has 0 runs"),
        ("a.csv", b"<script>,tokens\n1,2", "says nothing for parameters"),
    ],
)
def test_what_is_no_table_of_runs_is_refused_in_a_sentence_that_names_the_file(name, data, says):
    with pytest.raises(TextError) as error:
        read_points_file(name, data)
    said = str(error.value)
    assert says in said
    assert "file '" in said
    assert said.endswith(".")
    assert len(said) < 300


def test_what_is_written_is_read_again():
    assert read_points_file("points.csv", write_points(RUNS).encode()) == RUNS
    assert FORMATS == ("csv", "json", "jsonl")
