import subprocess
import sys
from dataclasses import replace
from itertools import islice
from math import exp, log

import numpy as np
import pytest
import torch
from conftest import EVERY_CHOICE

from tiny_llama import optimizers, training
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, own_text
from tiny_llama.data import IGNORED, all_windows, tokenize
from tiny_llama.errors import CheckpointError, TextError, TrainingError
from tiny_llama.menu import TRAINING_CHOICES
from tiny_llama.model import TinyLlama
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import Trainer, evaluate, make_optimizers, train

SONG = "the cat sat on the mat and the dog ran to the log. " * 60
SHORT = TrainConfig(steps=30, batch_size=8, warmup_steps=3, learning_rate=1e-2, sample_tokens=10)


@pytest.fixture
def corpus():
    return tokenize(own_text(SONG))


def trainer(config, corpus, training=SHORT):
    config = replace(config, vocab_size=corpus.tokenizer.vocab_size)
    return Trainer(TinyLlama(config, seed=training.seed), corpus, training)


@pytest.mark.parametrize(("slot", "choice"), EVERY_CHOICE)
def test_the_loss_falls_with_every_choice_of_the_menu(small, corpus, slot, choice):
    reports = list(trainer(replace(small, **{slot: choice}), corpus))
    assert reports[-1].held_out.loss < reports[0].held_out.loss - 0.3


@pytest.mark.parametrize("schedule", TRAINING_CHOICES["schedule"])
@pytest.mark.parametrize("optimizer", TRAINING_CHOICES["optimizer"])
def test_the_loss_falls_with_every_optimizer_and_schedule(small, corpus, optimizer, schedule):
    rate = 1.0 if optimizer == "sgd" else 1e-2
    training = replace(SHORT, optimizer=optimizer, schedule=schedule, learning_rate=rate)
    reports = list(trainer(small, corpus, training))
    assert reports[-1].held_out.loss < reports[0].held_out.loss - 0.3


def test_a_run_reports_itself_before_the_first_step_and_after_every_one(small, corpus):
    reports = list(trainer(small, corpus))
    assert [report.step for report in reports] == list(range(31))
    first, last = reports[0], reports[-1]
    assert first.loss is None
    assert first.gradient_norm is None
    assert first.held_out.loss == pytest.approx(log(corpus.tokenizer.vocab_size), abs=0.1)
    assert last.n_tokens == 30 * 8 * small.context
    assert last.sample.startswith(corpus.prompt)
    assert last.tokens_per_second > 0
    assert all(report.gradient_norm > 0 for report in reports[1:])


def test_looks_samples_and_snapshots_come_when_they_are_due(small, corpus):
    training = replace(SHORT, evaluate_every=10, sample_every=15, n_snapshots=5)
    reports = list(trainer(small, corpus, training))
    assert [r.step for r in reports if r.held_out] == [0, 10, 20, 30]
    assert [r.step for r in reports if r.sample] == [0, 15, 30]
    assert [r.step for r in reports if r.snapshot] == [0, 4, 13, 30]


def test_snapshots_stay_as_they_were(small, corpus):
    run = trainer(small, corpus, replace(SHORT, n_snapshots=9))
    first = next(run).snapshot
    untrained = TinyLlama(run.model.config).state_dict()
    list(run)
    assert all(torch.equal(weight, untrained[path]) for path, weight in first.items())


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_same_seed_gives_the_same_numbers(small, corpus, dropout):
    def losses(seed):
        run = trainer(replace(small, dropout=dropout), corpus, replace(SHORT, seed=seed))
        return [(report.loss, report.gradient_norm, report.sample) for report in run]

    assert losses(1) == losses(1) != losses(2)


def test_runs_that_take_turns_do_not_disturb_each_other(small, corpus):
    config = replace(small, dropout=0.3)
    alone = [report.loss for report in trainer(config, corpus)]
    one, other = trainer(config, corpus), trainer(config, corpus, replace(SHORT, seed=9))
    in_turns = [a.loss for a, _ in zip(one, other, strict=True)]
    assert in_turns == alone


@pytest.mark.parametrize("optimizer", TRAINING_CHOICES["optimizer"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(small, corpus, optimizer):
    config = replace(small, dropout=0.1)
    training = replace(SHORT, optimizer=optimizer)
    whole = list(trainer(config, corpus, training))
    first = trainer(config, corpus, training)
    reports = list(islice(first, 13))
    second = trainer(config, corpus, replace(training))
    second.model.load_state_dict(first.model.state_dict())
    second.restore({k: v.clone() for k, v in first.state().items()}, next_step=first.next_step)
    reports += list(second)
    assert [(r.step, r.loss, r.held_out, r.sample) for r in reports] == [
        (r.step, r.loss, r.held_out, r.sample) for r in whole
    ]


LOOKING = replace(SHORT, evaluate_every=5, sample_every=5, evaluate_texts=100)


def same(report):
    return report.step, report.loss, report.gradient_norm, report.held_out, report.sample


@pytest.mark.parametrize("n_pieces", [1, 2, 6, 7, 40, 60, 75])
def test_a_run_that_is_left_between_any_two_pieces_goes_on_bit_for_bit(small, corpus, n_pieces):
    whole = list(trainer(small, corpus, LOOKING))
    first, second = trainer(small, corpus, LOOKING), trainer(small, corpus, LOOKING)
    reports = [report for _ in range(n_pieces) if (report := first.advance()) is not None]
    second.model.load_state_dict(first.model.state_dict())
    state = {name: value.clone() for name, value in first.state().items()}
    second.restore(state, next_step=first.next_step)
    assert [same(each) for each in [*reports, *second]] == [same(each) for each in whole]


def test_a_step_is_one_piece_and_so_are_each_few_texts_and_each_token(small, corpus):
    run = trainer(small, corpus, replace(LOOKING, steps=5, evaluate_texts=70, sample_tokens=10))
    pieces = []
    while not run.is_done:
        pieces.append(run.advance())
    looking = 3 + 10  # 32, 32 and 6 texts, and ten tokens, before the report that ends them
    assert [piece is None for piece in pieces] == [True] * looking + [False] * 5 + [
        True
    ] * looking + [False]
    assert run.advance() is None


def test_many_held_out_texts_are_never_in_memory_at_once(small, corpus, monkeypatch):
    config = replace(small, vocab_size=corpus.tokenizer.vocab_size)
    run = trainer(config, corpus, replace(SHORT, evaluate_texts=1_000))
    as_usual, sizes, rows = run.evaluate(), [], []
    monkeypatch.setattr(training, "LOGITS_AT_ONCE", 10 * config.vocab_size)
    read, unembed = run.model.read, run.model.unembed
    monkeypatch.setattr(run.model, "read", lambda x: rows.append(len(x)) or read(x))
    monkeypatch.setattr(run.model, "unembed", lambda x: sizes.append(x.shape[1]) or unembed(x))
    found = run.evaluate()
    assert found.loss == pytest.approx(as_usual.loss, rel=1e-5)
    assert found.bits_per_byte == pytest.approx(as_usual.bits_per_byte, rel=1e-5)
    assert max(sizes) == 10
    assert max(rows) <= training.MOST_TEXTS
    assert sum(rows) == len(corpus.held_out(n_texts=1_000, context=16).inputs)


def test_large_models_read_few_texts_at_a_time():
    wide = ModelConfig(context=512, n_layers=8, d_model=128, n_heads=4)
    assert training.texts_at_once(ModelConfig()) >= 8
    assert training.texts_at_once(wide) == 1
    capped = ModelConfig(context=512, n_layers=1, d_model=32, n_heads=16, attention_softcap=9.0)
    assert training.texts_at_once(capped) < training.texts_at_once(
        replace(capped, attention_softcap=None)
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda groups: optimizers.AdamW(groups, lr=0.1, betas=(0.9, 0.95)),
            lambda groups: torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.95), fused=True),
        ),
        *(
            (
                lambda groups, m=momentum: optimizers.SGD(groups, lr=0.1, momentum=m),
                lambda groups, m=momentum: torch.optim.SGD(groups, lr=0.1, momentum=m, fused=True),
            )
            for momentum in (0.0, 0.9)
        ),
    ],
)
def test_our_optimizers_move_as_pytorchs_to_the_last_bit(ours, theirs):
    def moved(make):
        draw = torch.Generator().manual_seed(0)
        shapes = [(33, 17), (70_000,), (5,)]
        weights = [torch.randn(shape, generator=draw, requires_grad=True) for shape in shapes]
        optimizer = make(
            [
                {"params": weights[:2], "weight_decay": 0.1},
                {"params": weights[2:], "weight_decay": 0.0},
            ]
        )
        for step in range(5):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=draw)
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * (step + 1)
            optimizer.step()
            optimizer.zero_grad()
        return [
            *(weight.detach() for weight in weights),
            *(kept for weight in weights for kept in optimizer.state[weight].values()),
        ]

    one, other = moved(ours), moved(theirs)
    assert len(one) == len(other)
    assert all(map(torch.equal, one, other))


def test_training_loads_no_compiler():
    script = """
import sys
from dataclasses import replace
from tiny_llama.checkpoint import new_trainer
from tiny_llama.measuring import measure
from tiny_llama.config import ModelConfig
from tiny_llama.setup import Setup
from tiny_llama.train_config import TrainConfig
model = ModelConfig(context=32, n_layers=1, d_model=8, n_heads=1)
few = TrainConfig(steps=2, batch_size=1, evaluate_texts=1, sample_tokens=1)
for optimizer in ("adamw", "sgd", "muon"):
    setup = Setup(model=model, training=replace(few, optimizer=optimizer), corpus="copy")
    run = new_trainer(setup)
    list(run)
    measure(run)
print("torch._dynamo" in sys.modules)
"""
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == "False"


def test_the_memory_of_another_run_is_refused(small, corpus):
    first = trainer(small, corpus)
    list(islice(first, 5))
    other = trainer(replace(small, d_model=8), corpus)
    with pytest.raises(CheckpointError, match="does not fit"):
        other.restore(first.state(), next_step=5)
    with pytest.raises(CheckpointError, match="does not fit"):
        trainer(small, corpus).restore({}, next_step=5)


def test_a_run_that_blows_up_ends_with_step_and_likely_cause(small, corpus):
    wild = replace(SHORT, learning_rate=900.0, optimizer="sgd", gradient_clip=0.0, warmup_steps=0)
    run = trainer(replace(small, norm="none"), corpus, wild)
    with pytest.raises(TrainingError, match=r"step \d+.*learning rate") as caught:
        list(run)
    assert f"step {run.next_step}" in str(caught.value)


def test_clipping_shortens_long_gradients_only(small, corpus):
    plain = replace(SHORT, gradient_clip=0.01, optimizer="sgd", weight_decay=0.0)
    run = trainer(small, corpus, plain)
    list(islice(run, 2))
    # After one step SGD's memory is the gradient itself, as it was clipped.
    lengths = torch.stack([memory.norm() for memory in run.state().values()]).norm()
    assert lengths == pytest.approx(0.01, rel=1e-3)


def test_only_matrices_are_decayed(small):
    model = TinyLlama(replace(small, bias="all"))
    groups = make_optimizers(model, TrainConfig(weight_decay=0.3))[0].param_groups
    for group in groups:
        assert {p.dim() > 1 for p in group["params"]} == {group["weight_decay"] > 0}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_muon_moves_the_matrices_inside_the_blocks_and_adamw_the_rest(small):
    model = TinyLlama(small)
    muon, adamw = make_optimizers(model, TrainConfig(optimizer="muon"))
    by_muon = {id(p) for group in muon.param_groups for p in group["params"]}
    by_adamw = {id(p) for group in adamw.param_groups for p in group["params"]}
    inside = {id(p) for p in model.blocks.parameters() if p.dim() > 1}
    assert by_muon == inside
    assert by_adamw == {id(p) for p in model.parameters()} - inside


def test_label_smoothing_raises_the_training_loss_but_is_no_part_of_the_held_out_one(small, corpus):
    plain, smooth = (
        list(islice(trainer(small, corpus, replace(SHORT, label_smoothing=s)), 20))
        for s in (0, 0.3)
    )
    assert smooth[0].held_out == plain[0].held_out
    assert smooth[-1].loss > plain[-1].loss


def test_held_out_numbers_agree_with_a_direct_calculation(small, corpus):
    run = trainer(small, corpus)
    list(islice(run, 10))
    batch = corpus.held_out(n_texts=SHORT.evaluate_texts, context=small.context)
    with torch.no_grad():
        log_probabilities = run.model.eval()(batch.inputs).log_softmax(-1)
    said = log_probabilities.gather(-1, batch.targets[..., None])
    found = run.evaluate()
    assert found.loss == pytest.approx(-float(said.mean()), rel=1e-5)
    assert found.perplexity == pytest.approx(exp(found.loss))
    text = "".join(corpus.tokenizer.decode(row) for row in batch.targets.numpy())
    bits = -float(said.sum()) / log(2)
    assert found.bits_per_byte == pytest.approx(bits / len(text.encode()), rel=1e-5)
    assert found.accuracy is None


@pytest.mark.parametrize("name", ["tales", "python-manual"])
def test_bits_per_byte_of_an_untrained_model_are_those_of_pure_chance(small, name):
    """Let chance cost log2(vocabulary) bits a token, whatever the tokenizer."""
    for tokenizer in ("characters", "bytes", "sentencepiece"):
        tokens = tokenize(CORPORA[name], tokenizer)
        found = trainer(replace(small, init_std=0.0), tokens).evaluate()
        batch = tokens.held_out(n_texts=SHORT.evaluate_texts, context=small.context)
        lengths = tokens.tokenizer.byte_lengths()[batch.targets.numpy()]
        chance = np.log2(tokens.tokenizer.vocab_size) / lengths.mean()
        assert found.bits_per_byte == pytest.approx(chance, rel=1e-4)


def test_training_never_sees_the_held_out_text(corpus):
    tokens, context = corpus.tokens, 16
    split = len(tokens) - len(tokens) // 10
    marked = torch.arange(len(tokens))
    corpus.tokens = marked
    seen = [corpus.batch(batch_size=64, context=context, seed=0, step=s) for s in range(1, 50)]
    assert max(int(batch.targets.max()) for batch in seen) == split - 1
    held_out = corpus.held_out(n_texts=20, context=context)
    assert int(held_out.inputs.min()) == split
    assert int(held_out.targets.max()) == len(tokens) - 1


def test_every_token_of_a_text_counts_once(corpus):
    batch = all_windows(torch.arange(40), 16)
    assert batch.inputs.shape == (3, 16)
    counted = batch.targets[batch.targets != IGNORED]
    assert counted.tolist() == list(range(1, 40))
    assert evaluate.__doc__


def test_a_text_that_is_too_short_for_the_context_is_refused(small, corpus):
    with pytest.raises(TextError, match=r"3,060 tokens, too few for context=2000"):
        trainer(replace(small, context=2000), corpus)


@pytest.mark.parametrize("name", ["copy", "repeat", "addition", "dyck"])
def test_a_task_reports_accuracy_on_its_answers_only(small, name):
    tokens = tokenize(CORPORA[name])
    run = trainer(replace(small, context=64), tokens, replace(SHORT, steps=2))
    found = list(run)[-1].held_out
    assert 0 <= found.accuracy <= 1
    batch = tokens.held_out(n_texts=8, context=64)
    answers = int((batch.targets != IGNORED).sum())
    assert 0 < answers < batch.targets.numel()


def test_a_context_too_short_for_a_task_is_refused(small):
    with pytest.raises(TextError, match="context=3 is too short for the task addition"):
        trainer(replace(small, context=3), tokenize(CORPORA["addition"]))


def test_train_is_the_same_as_a_trainer(small, corpus):
    config = replace(small, vocab_size=corpus.tokenizer.vocab_size)
    by_function = [r.loss for r in train(TinyLlama(config), corpus, SHORT)]
    assert by_function == [r.loss for r in trainer(small, corpus)]
