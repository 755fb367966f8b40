"""Two processes never write into one run folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from damaging import record

from tiny_llama.__main__ import main
from tiny_llama.errors import CheckpointError
from tiny_llama.metrics import read_metrics
from tiny_llama.run_lock import LOCK, hold_run

HOLDER = """
import sys
from pathlib import Path
from tiny_llama.run_lock import hold_run
lock = hold_run(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Let another process have the run."""
    record(tmp_path / "run")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "run"],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_run_that_another_process_trains_is_left_to_it_until_that_is_killed(
    tmp_path, holder, capsys
):
    folder = tmp_path / "run"
    line = ["train", "--resume", "--out", str(folder)]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(line) == 2
    said = capsys.readouterr().err
    assert said.startswith("The run in 'run' is being trained by another process")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in before} == before
    holder.kill()
    holder.wait()
    assert main(line) == 0
    assert [row["step"] for row in read_metrics(folder)] == list(range(21))


def test_a_run_is_free_again_when_its_command_has_ended(tmp_path):
    first = hold_run(tmp_path)
    with pytest.raises(CheckpointError, match="another process"):
        hold_run(tmp_path)
    first.release()
    hold_run(tmp_path).release()
    assert (tmp_path / LOCK).exists()


def test_a_folder_that_cannot_be_locked_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        hold_run(tmp_path / "file" / "run")
