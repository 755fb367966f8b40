"""Run folders: whose they are, what they are called, and which have to go."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import pytest
from tiny_runs import SETUP

from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.store import (
    FolderUse,
    is_run_id,
    new_run_id,
    read_runs,
    runs_folder,
    to_clear,
    write_record,
    zip_folder,
)


def test_two_servers_do_not_train_in_the_same_folder(tmp_path):
    code = "from explorer.engine.store import runs_folder; print(runs_folder()); input()"
    one, two = (
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"TINY_LLAMA_RUNS": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    folders = [each.stdout.readline().strip() for each in (one, two)]
    for each in (one, two):
        each.communicate("\n", timeout=60)
    assert folders.count(str(tmp_path)) == 1
    assert len(set(folders)) == 2


def test_pasted_texts_are_for_this_user_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("TINY_LLAMA_RUNS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = runs_folder()
    assert folder.stat().st_mode & 0o077 == 0
    assert runs_folder() == folder
    folder.chmod(0o777)
    assert runs_folder() != folder
    assert runs_folder().stat().st_mode & 0o077 == 0


def test_names_from_links_are_never_paths():
    assert is_run_id(new_run_id())
    for word in ("", "..", "../../etc", "a/b/c/d/", "x" * 9, "abcdefg\n", "%2e%2e%2f%2e"):
        assert not is_run_id(word)


def test_too_much_of_it_goes_from_the_oldest_on():
    uses = [FolderUse(name=f"run{n}", n_bytes=100, touched=float(n)) for n in (3, 1, 2)]
    assert to_clear(uses, most_bytes=250, most_seconds=1e9, now=4) == ["run1"]
    assert to_clear(uses, most_bytes=50, most_seconds=1e9, now=4) == ["run1", "run2", "run3"]
    assert to_clear(uses, most_bytes=1000, most_seconds=1.5, now=4) == ["run1", "run2"]


def test_snapshots_stay_behind_where_a_download_would_be_too_large(tmp_path):
    (tmp_path / "snapshots").mkdir()
    for name in ("setup.json", "snapshots/00000000.safetensors"):
        (tmp_path / name).write_bytes(bytes(100))
    for most_bytes, n_files in ((200, 2), (199, 1)):
        packed = io.BytesIO(zip_folder(tmp_path, most_bytes=most_bytes))
        assert len(zipfile.ZipFile(packed).namelist()) == n_files


def a_record(folder, **changes):
    """What a server of the first day wrote of a run, with changes; its name."""
    name = new_run_id()
    write_record(Run(id=name, setup=SETUP, owner="me", folder=folder / name))
    path = folder / name / "run.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: it for key, it in record.items() if it is not None}))
    return name


@pytest.mark.parametrize("state", RunState)
def test_a_record_says_how_a_run_stands_in_a_plain_word(tmp_path, state):
    name = a_record(tmp_path, status=str(state.value))
    (run,) = read_runs(tmp_path)
    assert (run.id, run.status, type(run.status)) == (name, state, RunState)
    write_record(run)
    assert json.loads((tmp_path / name / "run.json").read_text())["status"] == state.value


def test_of_a_record_from_before_a_text_is_the_owners_unless_it_may_be_a_copy(tmp_path):
    a_record(tmp_path, text_owner=None)
    (run,) = read_runs(tmp_path)
    assert run.text_owner == "me"
    a_record(tmp_path, text_owner=None, parent="abcdefgh")
    assert {run.text_owner for run in read_runs(tmp_path)} == {"me", ""}


@pytest.mark.parametrize(
    "changes", [{"status": "dancing"}, {"status": None}, {"status": 3}, {"setup": {"model": 1}}]
)
def test_a_damaged_record_leaves_the_others_alone(tmp_path, changes):
    a_record(tmp_path, **changes)
    whole = a_record(tmp_path)
    assert [run.id for run in read_runs(tmp_path)] == [whole]
