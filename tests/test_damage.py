"""Damage in a run folder is named, and never passes for a result."""

import shutil
from dataclasses import replace

import pytest
import torch
from damaging import RUN, edit, flip, make_older, other_run, record, rewrite
from safetensors import safe_open
from safetensors.torch import save

from tiny_llama.checkpoint import load_model, load_snapshot, read_checkpoint, resume_trainer
from tiny_llama.errors import UserError
from tiny_llama.metrics import METRICS, check_metrics, read_metrics, trim_metrics
from tiny_llama.setup import BEFORE, MODEL, SETUP, snapshot_path, snapshot_steps
from tiny_llama.tensor_files import load_tensors, read_about, save_tensors
from tiny_llama.tokenizers.characters import CharacterTokenizer
from tiny_llama.training import memory_shapes


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Record a run with two checkpoints and snapshots, and another one of the same shape."""
    shelf = tmp_path_factory.mktemp("shelf")
    record(shelf / "run")
    other_run(shelf / "other")
    return shelf


@pytest.fixture
def run(shelf, tmp_path):
    """Give a copy to damage."""
    shutil.copytree(shelf / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def losses(shelf, tmp_path_factory):
    """Compute what the undamaged run goes on to."""
    copy = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(shelf / "run", copy)
    return goes_on(copy)


def goes_on(folder):
    return {report.step: (report.loss, report.held_out) for report in resume_trainer(folder)}


def swap(one, other):
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def header_end(path):
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def tensor_places(path):
    """Find where the first bytes of some tensors lie in a file, and of its header."""
    head, size = header_end(path), path.stat().st_size
    text = path.read_bytes()[:head].decode("latin-1")  # the length in front is no text
    words = ("next_step", "digest", "exp_avg_sq", "embedding", "learning_rate", "F32", "data_off")
    inside = [text.index(word) for word in words if word in text]
    return [3, *inside, head + 1, (head + size) // 2, size - 1]


def test_a_flipped_bit_in_a_checkpoint_gives_way_to_the_one_before(shelf, run, losses):
    for at in tensor_places(shelf / "run" / MODEL):
        shutil.copy(shelf / "run" / MODEL, run / MODEL)
        flip(run / MODEL, at)
        checkpoint = read_checkpoint(run)
        assert not checkpoint.is_last
        assert "last checkpoint was damaged (model.safetensors)" in checkpoint.found.note
        assert checkpoint.found.next_step == 9
    again = goes_on(run)
    assert {step: again[step] for step in losses} == losses


def test_the_checkpoint_before_stays_until_there_is_a_whole_one_again(run):
    flip(run / MODEL, -1)
    resume_trainer(run)
    assert not (run / MODEL).exists()
    assert read_checkpoint(run).found.next_step == 9


def test_where_no_checkpoint_is_whole_the_last_one_is_named(run):
    for name in (MODEL, BEFORE):
        flip(run / name, -1)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        resume_trainer(run)


def test_a_checkpoint_of_another_run_is_none_of_this_one(shelf, run, losses):
    shutil.copy(shelf / "other" / MODEL, run / MODEL)
    assert not read_checkpoint(run).is_last
    shutil.copy(shelf / "other" / BEFORE, run / BEFORE)
    with pytest.raises(UserError, match=r"learning_rate: 0\.001 → 0\.006"):
        read_checkpoint(run)


@pytest.mark.parametrize("damage", ["flipped", "edited", "missing", "of another run"])
def test_a_damaged_setup_gives_way_to_the_one_that_the_checkpoint_has(shelf, run, losses, damage):
    if damage == "flipped":
        flip(run / SETUP, 60)
    elif damage == "edited":
        edit(run / SETUP, rope_theta=500.0)
    elif damage == "missing":
        (run / SETUP).unlink()
    else:
        shutil.copy(shelf / "other" / SETUP, run / SETUP)
        with pytest.raises(UserError, match=r"are not those that model\.safetensors was trained"):
            resume_trainer(run)
        return
    assert "setup.json was damaged" in load_model(run).note
    assert goes_on(run) == losses
    assert load_model(run).note == ""


def test_a_number_of_steps_may_be_another_than_the_checkpoint_was_trained_with(run):
    resume_trainer(run, steps=30)
    assert read_checkpoint(run).is_last
    assert resume_trainer(run).config.steps == 30


@pytest.mark.parametrize("name", ["tokenizer.json", "text.txt"])
def test_another_tokenizer_or_text_is_noticed(shelf, run, name):
    path = run / name
    flip(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match=f"{name}.* damaged|{name} is not JSON|tokenizer"):
        resume_trainer(run)
    path.write_text("another text " * 300)
    with pytest.raises(UserError, match=name):
        resume_trainer(run)


def test_a_run_of_another_tokenizer_of_the_same_size_is_noticed(shelf, run):
    letters = load_model(run).tokenizer.characters[1:]
    CharacterTokenizer("".join(sorted(letters.replace("t", "x")))).save(run)
    with pytest.raises(UserError, match="tokenizer is not the one"):
        load_model(run)


def test_sentence_piece_has_the_digest_of_its_model_beside_it(tmp_path):
    record(tmp_path, replace(RUN, tokenizer="sentencepiece"), reports=(1,))
    flip(tmp_path / "tokenizer.model", 2000)
    with pytest.raises(UserError, match=r"tokenizer\.model"):
        load_model(tmp_path)


def test_a_damaged_or_misplaced_snapshot_is_named(shelf, run):
    steps = snapshot_steps(run)
    assert len(steps) > 2
    one, other = (snapshot_path(run, step) for step in steps[:2])
    swap(one, other)
    for step in steps[:2]:
        with pytest.raises(UserError, match="another step than its name says"):
            load_snapshot(run, step)
    swap(one, other)
    shutil.copy(snapshot_path(shelf / "other", steps[0]), one)
    with pytest.raises(UserError, match="settings"):
        load_snapshot(run, steps[0])
    flip(other, header_end(other) + 5)
    with pytest.raises(UserError, match=other.name):
        load_snapshot(run, steps[1])
    load_snapshot(run, steps[2])


def test_foreign_files_among_the_snapshots_are_passed_over(run):
    steps = snapshot_steps(run)
    for name in (
        ".DS_Store",
        "notes.safetensors",
        "1.safetensors",
        "²²²²²²²².safetensors",
        "99.tmp",
    ):
        (run / "snapshots" / name).write_bytes(b"foreign")
    assert snapshot_steps(run) == steps


# Folders from before there were digests: what can be seen is seen.


def test_an_older_folder_goes_on_as_before(run, losses):
    make_older(run)
    assert goes_on(run) == losses
    assert read_about(run / BEFORE) == {"next_step": "9"}


def _rename(tensors):
    tensors["embedding.wait"] = tensors.pop("embedding.weight")


def _rename_memory(tensors):
    tensors["optimizer.0.embedding.weight.exp_bvg"] = tensors.pop(
        "optimizer.0.embedding.weight.exp_avg"
    )


def _widen(tensors):
    tensors["embedding.weight"] = tensors["embedding.weight"].double()


def _widen_memory(tensors):
    name = "optimizer.0.embedding.weight.exp_avg"
    tensors[name] = tensors[name].half()


def _count_on(tensors):
    tensors["optimizer.0.embedding.weight.step"] += 1


def _nothing(_tensors):
    pass


@pytest.mark.parametrize(
    ("change", "said", "word"),
    [
        (_rename, {}, r"embedding\.weight is missing"),
        (_rename_memory, {}, r"embedding\.weight\.exp_avg is missing"),
        (_widen, {}, "are float64 and must be float32"),
        (_widen_memory, {}, "are float16 and must be float32"),
        (_count_on, {}, "its optimizer has counted"),
        (_nothing, {"next_step": "10"}, "its optimizer has counted"),
        (_nothing, {"next_step": "100"}, "says that step '100' is next, of 20"),
        (_nothing, {"next_step": "twelve"}, "says that step 'twelve' is next"),
    ],
)
def test_an_older_checkpoint_that_cannot_be_right_gives_way(run, losses, change, said, word):
    make_older(run)
    rewrite(run / MODEL, change, **said)
    assert not read_checkpoint(run).is_last
    again = goes_on(run)
    assert {step: again[step] for step in losses} == losses
    (run / BEFORE).unlink()
    rewrite_again = run / MODEL
    save_tensors(rewrite_again, {}, {"next_step": "3"})
    with pytest.raises(UserError, match=MODEL):
        read_checkpoint(run)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize("feed_forward", ["swiglu", "moe_swiglu"])
def test_the_shapes_of_an_optimizers_memory_are_those_that_it_has(
    tmp_path, optimizer, feed_forward
):
    training = replace(RUN.training, optimizer=optimizer)
    setup = replace(RUN, training=training, model=replace(RUN.model, feed_forward=feed_forward))
    trainer = record(tmp_path, setup, reports=(3,))
    found = {name: tuple(value.shape) for name, value in trainer.state().items()}
    assert found == memory_shapes(trainer.model.config, training)


# The log.


def test_a_flipped_bit_in_the_log_costs_its_row_and_is_said(run):
    whole = read_metrics(run)
    content = (run / METRICS).read_bytes()
    for at in (3, content.index(b"loss"), content.index(b"check"), len(content) // 2):
        (run / METRICS).write_bytes(content)
        flip(run / METRICS, at)
        found = check_metrics(run)
        assert "damaged and left out" in found.damage
        assert len(found.rows) in (len(whole) - 1, len(whole) - 2)
        assert all(row in whole for row in found.rows)


@pytest.mark.parametrize(
    "line",
    [
        b"7",
        b"null",
        b"[]",
        b'"step"',
        b"{}",
        b'{"step": "7"}',
        b'{"step": true}',
        b'{"step": -1}',
        b'{"step": 1e3}',
        b'{"step": 7, "loss": "low"}',
        b'{"step": 7, "loss": NaN}',
        b'{"step": 7, "loss": true}',
        b'{"step": 7, "loss": 1e99}',
        b'{"step": 7, "sample": 5}',
        b'{"step": 7, "sample": "\\ud800"}',
        b'{"stap": 7, "loss": 1.0}',
        b'{"step": 7, "lass": 1.0}',
        b'{"step": ' + b"9" * 5000 + b"}",
        b'{"step": 7, "loss": ' + b"9" * 4000 + b"}",
        b"[" * 100_000,
        b'{"step": ' + b'{"a": ' * 50_000,
        b"\xff\xfe",
        b"",
    ],
)
@pytest.mark.parametrize("place", ["inside", "at the end"])
def test_what_is_json_but_no_row_is_left_out_and_said(run, line, place):
    rows = read_metrics(run)
    lines = (run / METRICS).read_bytes().splitlines(keepends=True)
    at = 3 if place == "inside" else len(lines)
    (run / METRICS).write_bytes(b"".join([*lines[:at], line + b"\n", *lines[at:]]))
    found = check_metrics(run)
    assert found.rows == rows
    assert found.damage == f"In metrics.jsonl, line {at + 1} is damaged and left out."


def test_rows_that_are_missing_or_doubled_are_said(run):
    lines = (run / METRICS).read_bytes().splitlines(keepends=True)
    for kept, damage in (
        ([*lines[:5], *lines[7:]], "rows are missing: 2."),
        ([*lines, *lines[-3:]], "lines 14, 15, 16 are damaged and left out."),
        (lines[:9], ""),  # as a crash may leave it
    ):
        (run / METRICS).write_bytes(b"".join(kept))
        assert check_metrics(run).damage.removeprefix("In metrics.jsonl, ") == damage
    assert "In metrics.jsonl, the rows of 4 of 12 steps so far are" in trim_metrics(run, 13)
    assert [row["step"] for row in read_metrics(run)] == list(range(9))


def test_a_log_that_is_whole_says_nothing(run):
    assert check_metrics(run).damage == ""
    assert trim_metrics(run, 13) == ""
    assert trim_metrics(run, 9) == ""
    assert check_metrics(run).damage == ""


# Tensors in files.


def test_tensors_of_all_kinds_come_back_and_each_bit_of_them_counts(tmp_path):
    path = tmp_path / "some.safetensors"
    tensors = {
        "wide": torch.randn(3, 5).t(),
        "half": torch.randn(4).half(),
        "one": torch.tensor(2.0),
        "none": torch.zeros(0, 3),
    }
    save_tensors(path, tensors, {"step": "7", "words": 'ö "quoted"'})
    found, about = load_tensors(path)
    assert about == {"step": "7", "words": 'ö "quoted"'}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    content, silent = path.read_bytes(), 0
    for at in range(len(content)):
        path.write_bytes(content)
        flip(path, at, at % 8)
        try:
            again, said = load_tensors(path)
        except UserError:
            continue
        silent += 1
        assert said == about
        assert all(torch.equal(again[name], tensors[name]) for name in tensors)
    assert silent < 10  # spaces behind the header


def test_tensors_are_written_as_the_library_writes_them(tmp_path):
    tensors = {
        "b": torch.randn(3, 4),
        "a": torch.randn(2).half(),
        "z": torch.tensor(3),
        "é": torch.randn(()).double(),
        "none": torch.zeros(0, 3),
        "turned": torch.randn(4, 3).T,
    }
    save_tensors(tmp_path / "ours", tensors, {"who": "José"})
    with safe_open(tmp_path / "ours", framework="pt") as file:
        said = file.metadata()
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    assert (tmp_path / "ours").read_bytes() == save(whole, said)
