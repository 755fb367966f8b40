"""A file is read in the room that it takes, whatever it may have."""

import tracemalloc

import pytest

from tiny_llama.errors import CheckpointError
from tiny_llama.files import read_bytes


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"0123456789")
    return path


def test_a_small_file_takes_little_room_however_large_it_might_be(path):
    tracemalloc.start()
    assert read_bytes(path, 2_000_000_000) == b"0123456789"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_file_that_is_larger_than_it_may_be_is_refused(path):
    assert read_bytes(path, 10) == b"0123456789"
    with pytest.raises(CheckpointError, match="larger than 9 bytes"):
        read_bytes(path, 9)
