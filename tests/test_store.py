"""Run folders: whose they are, what they are called, and which have to go."""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import pytest
from tiny_runs import SETUP

from explorer.engine.run import Mark, Run
from explorer.engine.run_state import RunState
from explorer.engine.server.exports import Exports
from explorer.engine.store import (
    FolderUse,
    copy_run,
    fingerprint,
    is_owner,
    is_run_id,
    new_run_id,
    read_runs,
    runs_folder,
    to_clear,
    write_mark,
    write_name,
    write_record,
    zip_folder,
)
from tiny_llama.metrics import add_metrics


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

    def cleared(most_bytes, most_seconds=1e9):
        return to_clear(
            uses,
            owners={},
            most_bytes=most_bytes,
            most_seconds=most_seconds,
            student_bytes=10_000,
            now=4,
        )

    assert cleared(250) == ["run1"]
    assert cleared(50) == ["run1", "run2", "run3"]
    assert cleared(1000, 1.5) == ["run1", "run2"]


def clear(uses, *, busy=(), most_bytes=10_000, student_bytes=1_000):
    """Say which folders go of those given as (owner, bytes), oldest first."""
    return to_clear(
        [FolderUse(name=f"{n}", n_bytes=size, touched=n) for n, (_, size) in enumerate(uses)],
        owners={f"{n}": owner for n, (owner, _) in enumerate(uses)},
        most_bytes=most_bytes,
        most_seconds=1e9,
        student_bytes=student_bytes,
        busy=busy,
        now=100,
    )


def test_a_student_with_too_much_loses_their_own_oldest_runs_alone():
    uses = [("modest", 100), *[("greedy", 300)] * 20, ("modest", 100)]
    assert clear(uses) == [str(n) for n in range(1, 18)]
    assert clear(uses, busy=["1", "2"]) == [str(n) for n in range(3, 20)]


def test_with_too_much_in_all_whoever_has_most_loses_first():
    uses = [("a", 100), ("b", 300), ("c", 200), ("b", 300), ("a", 100)]
    assert clear(uses, most_bytes=700) == ["1"]
    assert clear(uses, most_bytes=450) == ["1", "3"]
    assert clear(uses, most_bytes=250) == ["1", "3", "0", "2"]
    assert clear(uses, most_bytes=250, busy=["2", "4"]) == ["1", "3", "0"]


def test_snapshots_stay_behind_where_a_download_would_be_too_large(tmp_path):
    (tmp_path / "snapshots").mkdir()
    for name in ("setup.json", "snapshots/00000000.safetensors"):
        (tmp_path / name).write_bytes(bytes(100))
    for most_bytes, n_files in ((200, 2), (199, 1)):
        packed = io.BytesIO(zip_folder(tmp_path, most_bytes=most_bytes))
        assert len(zipfile.ZipFile(packed).namelist()) == n_files


@pytest.mark.parametrize(
    "sample", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", " =1", "\n-1", "the cat"]
)
def test_no_text_of_a_model_is_a_formula_in_a_table(tmp_path, sample):
    add_metrics(tmp_path, [{"step": 0, "loss": -1.5, "sample": sample}])
    run = Run(id="run00000", setup=SETUP, owner="me", folder=tmp_path)
    packed = Exports(None, tmp_path).pack(run, "metrics", with_text=True)
    (row,) = csv.DictReader(io.StringIO(packed.decode(), newline=""))
    assert row["loss"] == "-1.5"
    assert row["sample"] == (sample if sample == "the cat" else f"'{sample}")


def a_record(folder, **changes):
    """Write what a server of the first day wrote of a run, with changes; give its name."""
    name = new_run_id()
    write_record(Run(id=name, setup=SETUP, owner=fingerprint("me"), folder=folder / name))
    path = folder / name / "run.json"
    record = json.loads(path.read_text()) | {"digest": None} | changes
    path.write_text(json.dumps({key: it for key, it in record.items() if it is not None}))
    return name


def test_a_run_is_found_again_with_its_name_and_mark_and_a_copy_has_neither(tmp_path):
    name = a_record(tmp_path)
    (run,) = read_runs(tmp_path)
    assert (run.name, run.mark) == ("", Mark.NONE)
    run.name, run.mark = "mine", Mark.HIDDEN
    write_name(run)
    write_mark(run)
    (again,) = read_runs(tmp_path)
    assert (again.name, again.mark) == ("mine", Mark.HIDDEN)
    copy_run(run.folder, tmp_path / "copy", SETUP)
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"setup.json"}
    (tmp_path / name / "mark.txt").write_bytes(b"\xff" * 9)
    (damaged,) = read_runs(tmp_path)
    assert (damaged.name, damaged.mark) == ("mine", Mark.NONE)


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
    assert run.text_owner == run.owner
    a_record(tmp_path, text_owner=None, parent="abcdefgh")
    assert {run.text_owner for run in read_runs(tmp_path)} == {run.owner, ""}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "dancing"},
        {"status": None},
        {"status": 3},
        {"setup": {"model": 1}},
        {"step": "7"},
        {"owned": "by me"},
        {"digest": "0" * 32},
    ],
)
def test_a_damaged_record_leaves_the_others_alone_and_is_listed_with_the_reason(tmp_path, changes):
    damaged, whole = a_record(tmp_path, **changes), a_record(tmp_path)
    found = {run.id: run for run in read_runs(tmp_path)}
    assert set(found) == {damaged, whole}
    assert found[whole].is_readable
    assert not found[damaged].is_readable
    assert is_owner(found[damaged], "me")
    assert found[damaged].status is RunState.FAILED
    assert found[damaged].message.startswith("This run cannot be read: ")
    assert found[damaged].message.endswith(".")


def test_where_a_record_is_damaged_the_one_before_is_taken(tmp_path):
    run = Run(id="run00000", setup=SETUP, owner=fingerprint("me"), folder=tmp_path / "run00000")
    for step in (1, 2):
        run.step = step
        write_record(run)
    for content, step in ((None, 2), (b"\0", 1), (b"[]", 1), (b'{"owner": "you"}', 1)):
        if content is not None:
            (run.folder / "run.json").write_bytes(content)
        (found,) = read_runs(tmp_path)
        assert (found.is_readable, found.step) == (True, step)


def test_whose_a_run_is_without_any_whole_record_nobody_can_say(tmp_path):
    name = a_record(tmp_path)
    (tmp_path / name / "run.json").write_bytes(b"\xff" * 9)
    (run,) = read_runs(tmp_path)
    assert (run.is_readable, run.owner) == (False, "")
    assert not is_owner(run, "")


def test_a_folder_with_open_rights_is_closed(tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    monkeypatch.setenv("TINY_LLAMA_RUNS", str(folder))
    assert runs_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    run = Run(id=new_run_id(), setup=SETUP, owner="me", folder=folder / "x")
    write_record(run)
    copy_run(run.folder, folder / "y", SETUP)
    assert {each.stat().st_mode & 0o777 for each in (folder / "x", folder / "y")} == {0o700}
