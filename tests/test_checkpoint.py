import json
from dataclasses import replace
from itertools import islice

import pytest
import torch
from damaging import edit, make_older

from tiny_llama.checkpoint import (
    MODEL,
    load_model,
    load_snapshot,
    new_trainer,
    prepare_corpus,
    resume_trainer,
    start_folder,
)
from tiny_llama.corpora import own_text
from tiny_llama.errors import CheckpointError, ConfigError, UserError
from tiny_llama.menu import TRAINING_CHOICES
from tiny_llama.metrics import METRICS, add_metrics, read_metrics, trim_metrics
from tiny_llama.recording import Recorder
from tiny_llama.setup import OWN_TEXT, SETUP, Setup, load_setup, snapshot_steps
from tiny_llama.train_config import TrainConfig

TEXT = own_text("the cat sat on the mat and the dog ran to the log. " * 60)
TRAINING = TrainConfig(steps=20, batch_size=4, sample_tokens=5, evaluate_every=5, n_snapshots=4)


@pytest.fixture
def setup(small):
    return Setup(model=replace(small, dropout=0.1), training=TRAINING, corpus=OWN_TEXT)


def record(folder, setup, n_reports):
    """Train in a folder and stop after some reports, as a crash would without the last line."""
    run = new_trainer(setup, prepare_corpus(setup, TEXT))
    start_folder(folder, setup, run, TEXT)
    recorder = Recorder(folder, run)
    for report in islice(run, n_reports):
        recorder.keep(report)
    recorder.checkpoint()
    return run


@pytest.mark.parametrize("tokenizer", ["characters", "bytes", "sentencepiece"])
@pytest.mark.parametrize("optimizer", TRAINING_CHOICES["optimizer"])
def test_a_run_resumed_from_its_folder_goes_on_bit_for_bit(tmp_path, setup, optimizer, tokenizer):
    training = replace(TRAINING, optimizer=optimizer)
    setup = replace(setup, training=training, tokenizer=tokenizer)
    whole = {
        r.step: (r.loss, r.held_out, r.sample)
        for r in new_trainer(setup, prepare_corpus(setup, TEXT))
    }
    record(tmp_path, setup, 12)
    again = resume_trainer(tmp_path)
    assert again.next_step == 12
    assert {r.step: (r.loss, r.held_out, r.sample) for r in again} == {
        step: whole[step] for step in range(12, 21)
    }


def test_a_loaded_model_says_what_the_trained_one_says(tmp_path, setup):
    run = record(tmp_path, setup, 9)
    found = load_model(tmp_path)
    tokens = torch.from_numpy(found.tokenizer.encode("the cat sat"))[None]
    assert torch.equal(found.model.eval()(tokens), run.model.eval()(tokens))
    assert found.setup.training == TRAINING
    assert found.next_step == 9


def test_snapshots_are_kept_and_read_back(tmp_path, setup):
    run = record(tmp_path, setup, 21)
    assert snapshot_steps(tmp_path) == [0, 1, 6, 20]
    last = load_snapshot(tmp_path, 20).state_dict()
    for path, weight in run.model.state_dict().items():
        torch.testing.assert_close(last[path], weight, rtol=1e-3, atol=1e-4)


def test_metrics_are_one_row_a_report(tmp_path, setup):
    record(tmp_path, setup, 21)
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(21))
    assert {"step", "n_tokens", "loss", "learning_rate", "gradient_norm", "seconds"} <= set(rows[3])
    assert {"held_out_loss", "perplexity", "bits_per_byte"} <= set(rows[5])


def test_a_torn_last_line_costs_that_line_only(tmp_path, setup):
    record(tmp_path, setup, 6)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 6, "lo')
    assert [row["step"] for row in read_metrics(tmp_path)] == list(range(6))
    trim_metrics(tmp_path, 4)
    assert [row["step"] for row in read_metrics(tmp_path)] == list(range(4))


def test_weights_alone_make_a_model_but_no_resumed_run(tmp_path, setup):
    run = record(tmp_path, setup, 9)
    large = (tmp_path / MODEL).stat().st_size
    Recorder(tmp_path, run).checkpoint(with_memory=False)
    assert (tmp_path / MODEL).stat().st_size < large / 2
    assert load_model(tmp_path).next_step == 9
    with pytest.raises(CheckpointError, match="memory"):
        resume_trainer(tmp_path)


def test_a_longer_run_is_remembered_and_a_done_one_says_so(tmp_path, setup):
    record(tmp_path, setup, 21)
    with pytest.raises(CheckpointError, match="has done its 20 steps"):
        resume_trainer(tmp_path)
    with pytest.raises(CheckpointError, match="has done its 20 steps"):
        resume_trainer(tmp_path, steps=5)
    assert load_setup(tmp_path).training.steps == 20
    assert resume_trainer(tmp_path, steps=30).next_step == 21
    assert load_setup(tmp_path).training.steps == 30


def test_sgd_without_momentum_needs_no_memory(tmp_path, setup):
    plain = replace(setup, training=replace(TRAINING, optimizer="sgd", beta1=0.0))
    record(tmp_path, plain, 5)
    assert resume_trainer(tmp_path).next_step == 5


def test_texts_with_rare_line_marks_are_whole_rows(tmp_path):
    rows = [{"step": i, "sample": f"a{mark}b"} for i, mark in enumerate("\u2028\u2029\x85\x0b\r")]
    add_metrics(tmp_path, rows)
    trim_metrics(tmp_path, 99)
    assert read_metrics(tmp_path) == rows


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path, setup):
    record(tmp_path, setup, 2)
    with pytest.raises(CheckpointError, match="already holds a run"):
        record(tmp_path, setup, 2)


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95 pickled", b"\xff" * 4000])
def test_a_damaged_model_is_answered_with_a_sentence(tmp_path, setup, content):
    record(tmp_path, setup, 3)
    (tmp_path / MODEL).write_bytes(content)
    with pytest.raises(CheckpointError, match=MODEL):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (SETUP, b"not json"),
        (SETUP, b"[1, 2]"),
        (SETUP, b"\xff\xfe\x00"),
        (SETUP, b"{}"),
        (SETUP, b"[" * 100_000),
        (SETUP, b'{"model": {"d_model": "64"}, "training": {}}'),
        (SETUP, b'{"model": {"d_model": 999999999999}, "training": {}}'),
        (SETUP, b'{"model": {}, "training": {}, "tokenizer": []}'),
        (SETUP, b'{"model": {}, "training": {}, "corpus": []}'),
        (SETUP, b'{"model": {}, "training": {}, "vocab_size": 0}'),
        (SETUP, b'{"model": {"oops": 1}, "training": {}}'),
        ("tokenizer.json", b"{}"),
    ],
)
def test_an_older_folder_that_is_damaged_is_answered_with_a_sentence(
    tmp_path, setup, name, content
):
    record(tmp_path, setup, 3)
    make_older(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_model(tmp_path)
    assert str(caught.value).endswith(".")


def test_a_checkpoint_cut_short_is_noticed(tmp_path, setup):
    record(tmp_path, setup, 3)
    whole = (tmp_path / MODEL).read_bytes()
    for cut in (1, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / MODEL).write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match=MODEL):
            load_model(tmp_path)


def test_weights_of_another_shape_are_named(tmp_path, setup):
    record(tmp_path, setup, 3)
    make_older(tmp_path)
    edit(tmp_path / SETUP, d_hidden=8)
    with pytest.raises(CheckpointError, match=r"feed_forward\.to_gate\.weight has the shape"):
        load_model(tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="holds no run"):
        load_model(tmp_path / "nowhere")


def test_a_disk_that_cannot_be_written_is_one_sentence(tmp_path, setup):
    (tmp_path / "file").write_text("in the way")
    run = new_trainer(setup, prepare_corpus(setup, TEXT))
    with pytest.raises(CheckpointError, match="cannot be written"):
        start_folder(tmp_path / "file" / "run", setup, run, TEXT)


def test_a_setup_survives_json(setup):
    assert Setup.from_dict(json.loads(json.dumps(setup.as_dict()))) == setup


def test_settings_are_changed_by_name_wherever_they_belong():
    changed = Setup().with_values({"norm": "layernorm", "steps": "7", "corpus": "copy"})
    assert changed.model.norm == "layernorm"
    assert changed.training.steps == 7
    assert changed.corpus == "copy"
    with pytest.raises(ConfigError, match="'nrom' is no setting"):
        Setup().with_values({"nrom": "layernorm"})
    with pytest.raises(ConfigError, match="tokenizer='words'"):
        Setup(tokenizer="words")
