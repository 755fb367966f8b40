"""Run folders on this machine: where they are, what they say of themselves, and when they go.

What training writes is the library's (`tiny_llama.checkpoint`); the server adds `run.json`: whose
run it is, how it was started, and how it stands. An experiment is a folder of run folders, to which
the server adds `state.json`. No name is ever a path from a user.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from explorer.engine.experiment import Experiment, ExperimentState, run_id_of
from explorer.engine.run import BROWSER, SERVER, Mark, Run
from explorer.engine.run_state import RunState
from tiny_llama.comparing.plan import EXPERIMENT, read_plan, write_plan
from tiny_llama.corpora.own_text import MOST_BYTES
from tiny_llama.errors import CheckpointError, UserError
from tiny_llama.files import read_bytes, read_json, read_sealed, write_sealed, write_whole, writing
from tiny_llama.metrics import METRICS, Row, check_metrics
from tiny_llama.run_lock import LOCK
from tiny_llama.setup import BEFORE, SNAPSHOTS, TEXT, Setup, changes, load_setup, write_setup

RECORD, RECORD_BEFORE = "run.json", "run.before.json"
"""What the server knows of a run, and what it knew one change earlier, in case that is damaged."""
STATE, STATE_BEFORE = "state.json", "state.before.json"
"""The same of an experiment."""
NAME = "name.txt"
"""What its student calls a run."""
MARK = "mark.txt"
"""Whether its student has pinned or hidden it."""
DELETED = "deleted.txt"
"""The ids of the runs that their students have deleted, a line each: none may be brought back."""
_MOST_DELETED = 20_000
"""So many of them are known, the latest."""
_DRAWS = 20_000
"""How often a deed is hashed: some milliseconds once a run, and an age for who tries deeds until
one fits an id."""
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{8}")
_OWNER = re.compile(r"[0-9a-f]{64}")
_OURS = (RECORD, RECORD_BEFORE, LOCK, NAME, MARK)
_KEPT = {
    "owner": str,
    "text_owner": str,
    "created": float | int,
    "parent": str,
    "status": str,
    "message": str,
    "step": int,
    "measured": dict,
    "place": str,
    "deed": str,
}
_KEPT_OF_EXPERIMENT = {
    "owner": str,
    "text_owner": str,
    "created": float | int,
    "state": str,
    "message": str,
    "seconds": dict,
}


def new_run_id() -> str:
    """Make a name that nobody can guess and that fits a link."""
    return secrets.token_urlsafe(6)


def new_deed() -> str:
    """Draw what the id of a run is made from that a browser trains; see `id_of_deed`."""
    return secrets.token_urlsafe(16)


def id_of_deed(deed: str) -> str:
    """Give the id of the run of a deed.

    The id stands in links; the deed only its owner's browser has. So who shows the deed has been
    lent the run, even to a server that has lost all it knew.
    """
    drawn = hashlib.pbkdf2_hmac("sha256", deed.encode(), b"run", _DRAWS, 6)
    return base64.urlsafe_b64encode(drawn).decode()


def is_run_id(word: str) -> bool:
    """Tell whether a word from a link can name a run at all: never a path."""
    return bool(_RUN_ID.fullmatch(word))


def fingerprint(secret: str) -> str:
    """Give what a run keeps of its owner's secret: enough to know it again, useless to others."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_owner(one: Run | Experiment, secret: str) -> bool:
    """Tell whether this is the secret of the student who started a run, or an experiment."""
    return hmac.compare_digest(one.owner, fingerprint(secret))


def is_text_owner(run: Run, secret: str) -> bool:
    """Tell whether this is the secret of the student whose own text a run learns from."""
    return hmac.compare_digest(run.text_owner, fingerprint(secret))


def runs_folder() -> Path:
    """Name where this app keeps its runs: `TINY_LLAMA_RUNS`, or a temporary folder of this user's.

    The folder is readable by this user alone, since it holds texts that students have pasted. Where
    another user has taken the usual name, or another server is at work in the folder, a fresh one
    is made: two servers must not train the same run.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    usual = Path(tempfile.gettempdir()) / f"tiny-llama-explorer-{user}"
    folder = Path(os.environ.get("TINY_LLAMA_RUNS") or usual)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder == usual and not _is_ours_alone(folder)) or not _claim(folder):
        return Path(tempfile.mkdtemp(prefix="tiny-llama-explorer-"))
    with suppress(OSError):  # where it is another user's, the folder of each run is ours alone
        folder.chmod(0o700)
    return folder


def _claim(folder: Path) -> bool:
    """Take a folder for this process as long as it lives; False if another one has it."""
    if folder not in _CLAIMS:
        lock = FileLock(folder / "server.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        _CLAIMS[folder] = lock
    return True


_CLAIMS: dict[Path, BaseFileLock] = {}


def write_text(run: Run | Experiment, text: str) -> None:
    """Keep the student's own text in a folder, where the worker finds it.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    write_whole(run.folder / TEXT, text.encode())


def copy_text(experiment: Experiment, run: Run) -> None:
    """Put the student's own text of an experiment into the folder of one of its runs.

    Raises:
        CheckpointError: if it is missing, the disk is full or the folder cannot be written.
    """
    write_whole(run.folder / TEXT, read_bytes(experiment.folder / TEXT, MOST_BYTES))


def write_name(run: Run) -> None:
    """Keep what a student calls a run.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    write_whole(run.folder / NAME, run.name.encode())


def _read_name(folder: Path) -> str:
    with suppress(OSError, UnicodeError):
        return (folder / NAME).read_text(encoding="utf-8")
    return ""


def write_mark(run: Run) -> None:
    """Keep how a student wants a run listed.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    write_whole(run.folder / MARK, run.mark.encode())


def _read_mark(folder: Path) -> Mark:
    with suppress(OSError, ValueError):  # one that is no mark, or no text, is none
        return Mark((folder / MARK).read_text(encoding="utf-8"))
    return Mark.NONE


def write_record(run: Run) -> None:
    """Keep what the server knows of a run and its metrics do not say.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    record = {name: getattr(run, name) for name in _KEPT} | {"measured": dict(run.measured)}
    record |= {"setup": run.setup.as_dict()}
    with writing(run.folder):
        run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_sealed(run.folder / RECORD, record, before=run.folder / RECORD_BEFORE)


def read_runs(folder: Path) -> Iterator[Run]:
    """Find the runs that an earlier server left, without their history; not those of experiments.

    Of one that cannot be read there is what can be known: whose it is, and what is wrong with it.
    """
    for each in folder.iterdir():
        if is_run_id(each.name) and _has_record(each):
            yield _read_run(each, each.name)


def _has_record(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (RECORD, RECORD_BEFORE))


# Experiments.


def write_new_experiment(experiment: Experiment, text: str | None) -> None:
    """Write the plan of an experiment, the text that its runs learn from, and its record.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(experiment.folder):
        experiment.folder.mkdir(mode=0o700, parents=True)
    write_plan(experiment.folder, experiment.plan)
    if text is not None:
        write_text(experiment, text)
    write_state(experiment)


def write_state(experiment: Experiment) -> None:
    """Keep what the server knows of an experiment and its plan and runs do not say.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    record = {name: getattr(experiment, name) for name in _KEPT_OF_EXPERIMENT}
    folder = experiment.folder
    write_sealed(folder / STATE, record, before=folder / STATE_BEFORE)


def read_experiments(folder: Path) -> Iterator[Experiment]:
    """Find the experiments that an earlier server left, with their runs; none that is damaged.

    What cannot be read stays where it is until it is cleared away as old.
    """
    for each in folder.iterdir():
        if is_run_id(each.name) and (each / EXPERIMENT).is_file():
            try:
                yield _read_experiment(each)
            except UserError as error:
                sys.stderr.write(f"engine: the experiment {each.name} cannot be read: {error}\n")


def _read_experiment(folder: Path) -> Experiment:
    try:
        record = _checked_state(folder / STATE)
    except CheckpointError:
        record = _checked_state(folder / STATE_BEFORE)
    experiment = Experiment(
        id=folder.name,
        plan=read_plan(folder),
        folder=folder,
        **record | {"state": ExperimentState(record["state"])},
    )
    if missing := set(experiment.plan.sides) - set(experiment.seconds):
        raise CheckpointError(f"{STATE} says nothing of {min(missing)}.")
    for planned in experiment.planned:
        place = folder / planned.name
        if _has_record(place):
            run = _read_run(place, run_id_of(folder.name, planned.name))
            run.experiment = experiment.id
            experiment.runs[planned.name] = run
    return experiment


def _checked_state(path: Path) -> dict[str, Any]:
    record = read_sealed(path, _KEPT_OF_EXPERIMENT)
    kinds = _KEPT_OF_EXPERIMENT.items()
    wrong = [name for name, kind in kinds if not isinstance(record.get(name), kind)]
    if not wrong and record["state"] not in list(ExperimentState):
        wrong = ["state"]
    if not wrong and not all(isinstance(each, float | int) for each in record["seconds"].values()):
        wrong = ["seconds"]
    if wrong:
        raise CheckpointError(f"{path.name} is damaged: {wrong[0]!r} is missing or wrong.")
    return record


def load_wanted_setup(folder: Path) -> Setup:
    """Read how a run is to be started.

    Raises:
        UserError: if the record is missing or damaged.
    """
    return Setup.from_dict(_read_record(folder)[0]["setup"])


_WRITTEN_OUT = (RunState.PAUSED, RunState.STOPPED, RunState.FINISHED)
"""So a run stands only once its rows are on disk."""


def has_begun(folder: Path) -> bool:
    """Tell whether a run has done a step, as far as its record knows.

    Raises:
        UserError: if the record is missing or damaged.
    """
    return bool(_read_record(folder)[0]["step"])


def read_history(run: Run) -> None:
    """Take the series and samples of a run from its folder, and note what is wrong with them."""
    run.forget_history()
    last = run.step if run.status in _WRITTEN_OUT else 0
    try:
        found = check_metrics(run.folder)
    except CheckpointError as error:
        run.damage = str(error)
    else:
        for row in found.rows:
            run.take_row(row)
        run.damage = found.damage or _end_missing(found.rows, last)
    run.has_history = True


def _end_missing(rows: Sequence[Row], last: int) -> str:
    n_missing = last - (rows[-1]["step"] if rows else -1)
    return f"In {METRICS}, rows are missing at the end: {n_missing:,}." if n_missing > 0 else ""


def copy_run(source: Path, target: Path, setup: Setup) -> None:
    """Copy what a run has learned and logged, so that the copy can go on by itself.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(target):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_OURS, "*.new"))
        target.chmod(0o700)
    write_setup(target, setup)


def delete_folder(folder: Path) -> None:
    """Delete a run's folder, and whatever can be of one that resists."""
    shutil.rmtree(folder, ignore_errors=True)


def note_deleted(folder: Path, run_id: str) -> None:
    """Keep that a student has deleted a run, in the folder of all runs.

    Raises:
        CheckpointError: if the disk is full or the folder cannot be written.
    """
    with writing(folder), (folder / DELETED).open("a", encoding="ascii") as file:
        file.write(f"{run_id}\n")


def read_deleted(folder: Path) -> list[str]:
    """List the runs that students have deleted, the latest last."""
    with suppress(OSError, UnicodeError):
        lines = (folder / DELETED).read_text(encoding="ascii").splitlines()
        return [line for line in lines[-_MOST_DELETED:] if is_run_id(line)]
    return []


def zip_folder(
    folder: Path, *, most_bytes: int, but: Collection[str] = (), readme: str = ""
) -> bytes:
    """Pack a folder into a zip file, without what only this server has use for.

    Args:
        folder: what to pack.
        most_bytes: with more than this, snapshots are left out.
        but: names of files that are left out, too.
        readme: what the file says of itself; empty: nothing.
    """
    left_out = {*_OURS, BEFORE, *but}
    paths = [path for path in _files(folder) if path.name not in left_out and path.suffix != ".new"]
    if sum(path.stat().st_size for path in paths) > most_bytes:
        paths = [path for path in paths if path.parent.name != SNAPSHOTS]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(paths):
            way = zipfile.ZIP_STORED if path.suffix == ".safetensors" else zipfile.ZIP_DEFLATED
            archive.write(path, path.relative_to(folder), compress_type=way)
        if readme:
            archive.writestr("README.md", readme, compress_type=zipfile.ZIP_DEFLATED)
    return packed.getvalue()


@dataclass(frozen=True, kw_only=True)
class FolderUse:
    """How much a run folder takes of the disk, and when it was last touched."""

    name: str
    n_bytes: int
    touched: float
    """In seconds since 1970."""


def folder_uses(folder: Path) -> list[FolderUse]:
    """Look at all run folders, those of damaged runs included.

    Raises:
        OSError: if one vanishes meanwhile.
    """
    return [_use(each) for each in folder.iterdir() if is_run_id(each.name) and each.is_dir()]


def to_clear(
    uses: Sequence[FolderUse],
    *,
    owners: Mapping[str, str],
    most_bytes: int,
    most_seconds: float,
    student_bytes: int,
    busy: Collection[str] = (),
    now: float | None = None,
) -> list[str]:
    """Say which folders have to go, in this order.

    Those that are too old; of each student who has too much, the ones untouched for longest; and
    while there is too much in all, such a one of whoever has most, so that nobody's many runs push
    out those of others.

    Args:
        uses: all folders.
        owners: whose each of them is, by its name; those of nobody known are one more student's.
        most_bytes: in all folders.
        most_seconds: that a folder may be untouched.
        student_bytes: in one student's.
        busy: folders that count, but must stay.
        now: in seconds since 1970; None: this moment.
    """
    now = time.time() if now is None else now
    old = [use for use in uses if now - use.touched > most_seconds and use.name not in busy]
    by_owner: defaultdict[str, list[FolderUse]] = defaultdict(list)
    for use in sorted(uses, key=lambda use: use.touched):
        if use not in old:
            by_owner[owners.get(use.name, "")].append(use)
    cleared = [use.name for use in sorted(old, key=lambda use: use.touched)]
    while (over := _who_has_too_much(by_owner, most_bytes, student_bytes, busy)) is not None:
        use = next(use for use in by_owner[over] if use.name not in busy)
        by_owner[over].remove(use)
        cleared.append(use.name)
    return cleared


def _who_has_too_much(
    by_owner: Mapping[str, Sequence[FolderUse]],
    most_bytes: int,
    student_bytes: int,
    busy: Collection[str],
) -> str | None:
    """Name whoever has most, if that or all together is too much and something of it may go."""
    sizes = {owner: sum(use.n_bytes for use in uses) for owner, uses in by_owner.items()}
    is_too_much = sum(sizes.values()) > most_bytes
    may_give = [
        owner
        for owner, uses in by_owner.items()
        if (is_too_much or sizes[owner] > student_bytes)
        and any(use.name not in busy for use in uses)
    ]
    return max(may_give, key=lambda owner: sizes[owner], default=None)


def touch(one: Run | Experiment) -> None:
    """Note that somebody cares about it, so that it is not cleared away as old."""
    with suppress(OSError):
        os.utime(one.folder / (RECORD if isinstance(one, Run) else STATE))


def _read_run(folder: Path, run_id: str) -> Run:
    try:
        record, damage = _read_record(folder)
        setup = _likely_setup(folder, Setup.from_dict(record["setup"]))
    except UserError as error:
        return _unreadable(folder, run_id, error)
    kept = {name: record[name] for name in _KEPT} | {"status": RunState(record["status"])}
    kept |= {"name": _read_name(folder), "mark": _read_mark(folder)}
    return Run(id=run_id, setup=setup, folder=folder, record_damage=damage, **kept)


def _likely_setup(folder: Path, recorded: Setup) -> Setup:
    """Give the setup that the folder says, if it is the recorded one but for what comes later.

    That are the size of the vocabulary, once the run has a tokenizer, and a new number of steps.
    """
    with suppress(UserError):
        said = load_setup(folder)
        training = replace(recorded.training, steps=said.training.steps)
        if not changes(replace(recorded, training=training), said):
            return said
    return recorded


def _read_record(folder: Path) -> tuple[dict[str, Any], str]:
    """Read what the server knew of a run, or knew one change earlier where that is damaged.

    Returns:
        The record, and a sentence where it is the earlier one.
    """
    try:
        return _checked_record(folder / RECORD), ""
    except CheckpointError:
        with suppress(CheckpointError):
            return _checked_record(folder / RECORD_BEFORE), _EARLIER
        raise


_EARLIER = (
    f"The record of this run, {RECORD}, was damaged; what it said one change earlier is taken, so "
    f"its last step may be a later one."
)


def _checked_record(path: Path) -> dict[str, Any]:
    record = read_sealed(path, (*_KEPT, "setup"))
    record = {"text_owner": _likely_text_owner(record), "place": SERVER, "deed": ""} | record
    kinds = {**_KEPT, "setup": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(record.get(name), kind)]
    if not wrong and record["status"] not in list(RunState):
        wrong = ["status"]
    if not wrong and record["place"] not in (SERVER, BROWSER):
        wrong = ["place"]
    if not wrong and not record["owner"].isascii():
        wrong = ["owner"]
    if wrong:
        raise CheckpointError(
            f"The record of this run, {path.name}, is damaged: what it says as {wrong[0]!r} is "
            f"missing or wrong; delete the run, or bring the file back from a copy."
        )
    return record


def _unreadable(folder: Path, run_id: str, error: UserError) -> Run:
    """Give a run that can only be listed with the reason, and deleted by whose it seems to be."""
    owners = [_owner_in(folder / name) for name in (RECORD, RECORD_BEFORE)]
    return Run(
        id=run_id,
        setup=Setup(),
        owner=next(filter(None, owners), ""),
        folder=folder,
        created=folder.stat().st_mtime,
        status=RunState.FAILED,
        message=f"This run cannot be read: {error}",
        is_readable=False,
    )


def _owner_in(path: Path) -> str:
    """Say whose a run is by a damaged record; empty where that cannot be said."""
    with suppress(UserError):
        owner = read_json(path).get("owner")
        return owner if isinstance(owner, str) and _OWNER.fullmatch(owner) else ""
    return ""


def _likely_text_owner(record: Mapping[str, Any]) -> str:
    """Guess whose text it is, where an older record does not say: of a copy nobody can tell."""
    return "" if record.get("parent") else str(record.get("owner", ""))


def _use(folder: Path) -> FolderUse:
    records = [path for path in (folder / RECORD, folder / STATE) if path.is_file()]
    return FolderUse(
        name=folder.name,
        n_bytes=sum(path.stat().st_size for path in _files(folder)),
        touched=max(path.stat().st_mtime for path in (records or [folder])),
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _is_ours_alone(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True  # elsewhere, temporary folders are a user's own
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
