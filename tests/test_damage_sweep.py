"""Files of a run folder are damaged at random places: nothing is ever silently something else."""

import random
import shutil
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from damaging import TEXT, flip, make_older, other_run, record

from explorer.engine.run import Run
from explorer.engine.run_state import RunState
from explorer.engine.store import fingerprint, read_history, read_runs, write_record
from tiny_llama.checkpoint import load_model, load_snapshot, read_checkpoint, resume_trainer
from tiny_llama.data import TokenizedText, all_windows
from tiny_llama.errors import UserError
from tiny_llama.metrics import METRICS, check_metrics, trim_metrics
from tiny_llama.setup import MODEL, snapshot_steps
from tiny_llama.training import evaluate

pytestmark = pytest.mark.slow
NAME = "run00000"
OWNER = fingerprint("me")


# What a folder says when it is asked for everything.


@dataclass
class Said:
    """An answer, and whatever was said besides; or a sentence instead of it."""

    answer: object = None
    words: str = ""


def ask(question):
    try:
        answer, words = question()
    except UserError as error:
        answer, words = None, str(error)
    assert words == "" or words.endswith("."), words
    assert "\n" not in words
    return Said(answer, words)


def evaluated(folder):
    found = load_model(folder)
    text = TokenizedText("text", TEXT.text()[:600], found.tokenizer)
    windows = all_windows(text.tokens, found.setup.model.context)
    return evaluate(found.model, windows, text).loss, found.note


def weights_of(folder, step):
    return load_snapshot(folder, step).embedding.weight.sum().item(), ""


def listed(folder):
    runs = list(read_runs(folder.parent))
    if not runs:
        return None, "No record at all."
    (run,) = runs
    if run.is_readable:
        read_history(run)
    return (run.owner, run.step, run.status, run.setup), run.warning


def gone_on(folder):
    checkpoint = read_checkpoint(folder)
    trainer = resume_trainer(folder, checkpoint)
    words = checkpoint.found.note + trim_metrics(folder, trainer.first_unreported)
    rows = check_metrics(folder).rows
    return ({report.step: (report.loss, report.held_out) for report in trainer}, rows), words


def ask_all(folder):
    """Ask all there is to ask; going on comes last, as it writes."""
    snapshots = {
        step: ask(lambda step=step: weights_of(folder, step)) for step in snapshot_steps(folder)
    }
    found = check_metrics(folder)
    return SimpleNamespace(
        evaluated=ask(lambda: evaluated(folder)),
        snapshots=snapshots,
        listed=ask(lambda: listed(folder)),
        rows=found.rows,
        damage=found.damage,
        gone_on=ask(lambda: gone_on(folder)),
    )


def check(found, whole, before):
    """Check what was said: without a word as by the undamaged run; with one, as it once said."""
    told = found.evaluated
    assert told.words or told.answer == whole.evaluated.answer
    for step, told in found.snapshots.items():
        assert told.words or told.answer == whole.snapshots[step].answer, step
    told = found.listed
    assert told.words or told.answer in (whole.listed.answer, before)
    assert all(row in whole.rows for row in found.rows) or found.damage
    if found.gone_on.answer is not None:
        steps, rows = found.gone_on.answer
        assert all(steps[step] == whole.steps[step] for step in steps)
        wanted, all_rows = whole.gone_on.answer
        assert found.gone_on.words or (steps.keys() == wanted.keys() and rows == all_rows)
    assert found.gone_on.answer is not None or found.gone_on.words


# Ways to damage it.


def flip_bits(rng, path, _shelf):
    for _ in range(rng.choice([1, 1, 1, 8])):
        if size := path.stat().st_size:
            flip(path, rng.randrange(size), rng.randrange(8))


def cut_off(rng, path, _shelf):
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size + 1)])


def scribble(rng, path, _shelf):
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content) + 1)
    content[at : at + 40] = rng.randbytes(rng.choice([1, 40, 400]))
    path.write_bytes(content)


def swap(rng, path, _shelf):
    other = rng.choice(files_of(path.parent))
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


def take_another(rng, path, shelf):
    """Take the other run's; but not its log, which is whole, and nothing is computed from it."""
    copies = [each for each in (shelf / "other").rglob("*") if each.name == path.name]
    if copies and path.name != METRICS:
        shutil.copy(rng.choice(copies), path)


def remove(_rng, path, _shelf):
    path.unlink()


def add_foreign(rng, path, _shelf):
    name = rng.choice([".DS_Store", "notes.safetensors", "00000003.safetensors", "a.new", "x.json"])
    path.with_name(name).write_bytes(rng.randbytes(rng.choice([0, 9, 3000])))


def shuffle_lines(rng, path, _shelf):
    log = path.with_name(METRICS)
    if log.is_file():
        lines = log.read_bytes().splitlines(keepends=True)
        odd = [b"7\n", b"null\n", b"[" * 9000 + b"\n", b"{}\n", b'{"step": "x"}\n', *lines[-2:]]
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(odd))
        del lines[rng.randrange(len(lines))]
        log.write_bytes(b"".join(lines))


WAYS = [flip_bits, flip_bits, flip_bits, cut_off, scribble, swap, take_another, remove]
WAYS += [add_foreign, shuffle_lines]


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Keep a run as the app does, with what it says undamaged; and another one like it."""
    shelf = tmp_path_factory.mktemp("shelf")
    folder = shelf / "runs" / NAME
    record(folder)
    setup = load_model(folder).setup
    run = Run(id=NAME, setup=setup, owner=OWNER, folder=folder, status=RunState.PAUSED)
    for run.step in (5, 12):
        write_record(run)
    other_run(shelf / "other")
    copy = shelf / "whole" / NAME
    shutil.copytree(folder, copy)
    from_before = shelf / "from before" / NAME
    shutil.copytree(folder, from_before)
    (from_before / MODEL).unlink()
    whole = ask_all(copy)
    whole.steps = ask(lambda: gone_on(from_before)).answer[0]
    before = (OWNER, 12, RunState.PAUSED, run.setup)
    return SimpleNamespace(folder=folder, shelf=shelf, whole=whole, before=before)


def test_an_undamaged_folder_says_nothing_besides(shelf):
    whole = shelf.whole
    told = [whole.evaluated, whole.listed, whole.gone_on, *whole.snapshots.values()]
    assert [each.words for each in told] == [""] * len(told)
    assert whole.damage == ""
    assert set(whole.gone_on.answer[0]) == set(range(13, 21))


def damaged_at_random(seed, shelf, tmp_path, prepare):
    """Yield copies of the run, each damaged in one or two places, with what was done to it."""
    rng = random.Random(seed)
    for n in range(40):
        folder = tmp_path / str(n) / NAME
        shutil.copytree(shelf.folder, folder)
        prepare(folder)
        done = []
        for _ in range(rng.choice([1, 1, 2])):
            way, path = rng.choice(WAYS), rng.choice(files_of(folder))
            way(rng, path, shelf.shelf)
            done.append(f"{way.__name__} {path.relative_to(folder)}")
        yield folder, f"seed {seed}, damage {n}: {', '.join(done)}"
        shutil.rmtree(folder.parent)


@pytest.mark.parametrize("seed", range(8))
def test_no_random_damage_passes_for_a_result(shelf, tmp_path, seed):
    for folder, what in damaged_at_random(seed, shelf, tmp_path, lambda _folder: None):
        try:
            check(ask_all(folder), shelf.whole, shelf.before)
        except Exception as error:
            error.add_note(what)
            raise


@pytest.mark.parametrize("seed", range(100, 103))
def test_random_damage_of_an_older_folder_ends_in_sentences_at_worst(shelf, tmp_path, seed):
    """Believe a flipped bit of a weight, which cannot be seen without a digest."""
    for folder, what in damaged_at_random(seed, shelf, tmp_path, make_older):
        try:
            ask_all(folder)
        except Exception as error:
            error.add_note(what)
            raise
