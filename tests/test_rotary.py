"""What is asked about positions of trained models, each answer against a direct calculation."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.conventions import with_rows_interleaved
from tiny_llama.analyses.rotary_theory import STRETCHES, frequencies, turned
from tiny_llama.analyses.subject import Subject
from tiny_llama.analyses.token_scores import spread_of
from tiny_llama.checkpoint import start_folder
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA, own_text
from tiny_llama.data import tokenize
from tiny_llama.errors import ConfigError, TextError, TrainingError
from tiny_llama.model import TinyLlama
from tiny_llama.parts.positions.alibi import head_slopes
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.tap import record
from tiny_llama.training import Trainer

PRETRAINED = Path(tiny_llama.__file__).parent / "pretrained"
TEXT = "Once there was a kind duck named Gus."
STORY = "Once there was a kind duck named Mibula. Mibula lived on a hill. Mibula loved to run."
OTHERS = ("tales-learned", "tales-sinusoidal", "tales-alibi", "tales-no-positions")


@pytest.fixture(scope="module")
def tales():
    return Subject.load(PRETRAINED / "tales-llama")


@pytest.fixture(scope="module")
def others():
    return {name: Subject.load(PRETRAINED / name) for name in OTHERS}


def untrained(tales, **changes):
    """Build a model of the tales' vocabulary that has learned nothing."""
    config = replace(tales.model.config, n_layers=2, context=32, **changes)
    return replace(tales, model=TinyLlama(config, seed=1).eval())


def as_read(subject, layer, *names):
    ids = torch.from_numpy(subject.tokenizer.encode(TEXT))[None]
    path = f"blocks.{layer}.attention."
    with torch.no_grad(), record(subject.model, *(path + name for name in names)) as seen:
        subject.model(ids)
    return [seen[path + name][0] for name in names]


# A head's queries and keys.


@pytest.mark.parametrize("n_kv_heads", [4, 2, 1])
def test_a_head_is_turned_as_the_theory_says(tales, n_kv_heads):
    subject = untrained(tales, n_kv_heads=n_kv_heads)
    found = ANALYSES["turned_head"].run(subject, text=TEXT, layer=1, head=3)
    query, key = as_read(subject, 1, "query", "key")
    n = len(found["tokens"])
    np.testing.assert_array_equal(found["query"], query[3, :n])
    np.testing.assert_array_equal(found["key"], key[n_kv_heads - 1, :n])
    turns = frequencies(16, 10_000)
    for name in ("query", "key"):
        wanted = turned(found[name], np.arange(n), turns)
        np.testing.assert_allclose(found[f"rotated_{name}"], wanted, atol=1e-5)
    np.testing.assert_allclose(found["frequencies"], turns)


def test_pairs_add_up_to_the_scores_and_their_shares_to_one(tales):
    found = ANALYSES["pair_shares"].run(tales, text=TEXT, layer=1, head=2)
    (scores,) = as_read(tales, 1, "scores")
    n = len(found["tokens"])
    for distance in range(n):
        mean = scores[2].diagonal(-distance).mean()
        assert found["by_distance"][:, distance].sum() == pytest.approx(float(mean), abs=1e-4)
    assert found["shares"].sum() == pytest.approx(1)
    assert found["differences"].sum() == pytest.approx(1)


@pytest.mark.parametrize("window", [None, 5])
def test_shares_of_pairs_are_those_of_a_loop(tales, window):
    changes = {"attention": "sliding", "window": window} if window else {}
    subject = untrained(tales, **changes)
    found = ANALYSES["pair_shares"].run(subject, text=TEXT, layer=0, head=1)
    q, k = found["rotated_query"].astype(float), found["rotated_key"].astype(float)
    sizes, covariances, variance, fifth = np.zeros(8), np.zeros(8), 0.0, []
    for t in range(len(q)):
        first = max(0, t - window + 1) if window else 0
        added = np.array(
            [
                [(q[t, i] * k[s, i] + q[t, i + 8] * k[s, i + 8]) / 4 for i in range(8)]
                for s in range(first, t + 1)
            ]
        )
        sizes += abs(added).sum(0)
        score = added.sum(1)
        covariances += ((score - score.mean())[:, None] * (added - added.mean(0))).sum(0)
        variance += ((score - score.mean()) ** 2).sum()
        if t >= 4:
            fifth.append(added[t - 4 - first])
    np.testing.assert_allclose(found["shares"], sizes / sizes.sum(), rtol=1e-5)
    np.testing.assert_allclose(found["differences"], covariances / variance, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["by_distance"][:, 4], np.mean(fifth, 0), rtol=1e-4, atol=1e-6)
    sizes = np.abs(fifth).mean(0)
    np.testing.assert_allclose(found["sizes_by_distance"][:, 4], sizes, rtol=1e-4, atol=1e-6)
    assert found["by_distance"].shape[1] == (window or len(q))


def test_decay_lets_every_query_meet_every_key_at_every_distance(tales):
    found = ANALYSES["decay"].run(tales, text=TEXT, layer=1, head=2)
    head = ANALYSES["turned_head"].run(tales, text=TEXT, layer=1, head=2)
    turns = frequencies(16, 10_000)
    for distance in (0, 7, 200):
        ahead = turned(head["query"][:, None], np.array([distance]), turns)[:, 0]
        scores = ahead @ head["key"].T / 4
        assert found["means"][distance] == pytest.approx(scores.mean(), abs=1e-4)
        assert found["spreads"][distance] == pytest.approx(scores.std(), rel=1e-4)
    (scores,) = as_read(tales, 1, "scores")
    assert found["happened"][7] == pytest.approx(float(scores[2].diagonal(-7).mean()), abs=1e-4)
    assert np.isnan(found["happened"][len(head["query"]) :]).all()
    assert len(found["means"]) == 512


# Two tokens at any places.


@pytest.mark.parametrize("name", ["tales-llama", *OTHERS])
def test_scores_of_two_tokens_are_those_of_the_equations_of_each_scheme(tales, others, name):
    subject = tales if name == "tales-llama" else others[name]
    found = ANALYSES["token_scores"].run(subject, query="fox", key="the", head=2, n_places=20)
    model = subject.model
    scheme = model.config.position
    block = model.blocks[0]
    rows = {"q": slice(32, 48), "k": slice(64 + 32, 64 + 48)}
    weights = {each: block.attention.to_qkv.weight[at].detach() for each, at in rows.items()}
    fox, the = (int(subject.tokenizer.encode(word)[-1]) for word in ("fox", "the"))

    def vector(token, place, which):
        x = model.embedding.weight[token].detach()
        if scheme == "learned":
            x = x + model.position.table[place].detach()
        if scheme == "sinusoidal":
            angle = place / 10_000 ** (torch.arange(0, 64, 2) / 64)
            x = x + torch.stack([angle.sin(), angle.cos()], -1).flatten()
        x = x / (x.pow(2).mean() + 1e-5).sqrt() * block.attention_norm.weight.detach()
        made = (weights[which] @ x).numpy()
        if scheme == "rope":
            made = turned(made[None], np.array([place]), frequencies(16, 10_000))[0]
        return made

    for m, n in [(0, 0), (19, 3), (4, 17), (11, 10)]:
        wanted = vector(fox, m, "q") @ vector(the, n, "k") / 4
        if scheme == "alibi":
            wanted -= head_slopes(4)[2] * max(0, m - n)
        assert found["scores"][m, n] == pytest.approx(wanted, abs=2e-4)
    assert (found["query"], found["key"]) == (" fox", " the")


@pytest.mark.parametrize("name", ["tales-llama", *OTHERS])
def test_the_distance_decides_with_rope_and_alibi_and_not_where_positions_are_added(
    tales, others, name
):
    subject = tales if name == "tales-llama" else others[name]
    found = ANALYSES["token_scores"].run(subject, query="e", key="h", head=0, n_places=500)
    added = name in ("tales-learned", "tales-sinusoidal")
    assert (found["along"] > 0.1 * found["overall"] > 0.1) == added
    if not added:
        assert found["along"] < 1e-4
    assert len(found["scores"]) == (128 if name == "tales-learned" else 256)


def test_the_spread_along_diagonals_is_that_of_a_loop():
    scores = np.random.default_rng(0).normal(size=(6, 6))
    along = 0.0
    for distance in range(-5, 6):
        same = [scores[m, n] for m in range(6) for n in range(6) if m - n == distance]
        along = max(along, max(same) - min(same))
    assert spread_of(scores).along == pytest.approx(along)
    assert spread_of(scores).overall == pytest.approx(scores.max() - scores.min())


# Layouts.


def test_both_conventions_agree_and_mixing_them_up_does_harm(tales):
    found = ANALYSES["conventions"].run(tales, text=STORY, layer=1, head=2)
    assert found["difference"] < 1e-4
    assert found["score_difference"] < 1e-3
    np.testing.assert_allclose(found["half"][found["order"]], found["interleaved"], atol=1e-5)
    ids = torch.from_numpy(tales.tokenizer.encode(STORY))
    with torch.no_grad():
        loss = F.cross_entropy(tales.model(ids[None])[0, :-1], ids[1:])
    assert found["loss"] == pytest.approx(float(loss))
    assert found["mixed_loss"] > 2 * found["loss"]


@pytest.mark.parametrize("changes", [{}, {"n_kv_heads": 2, "bias": "qkv", "qk_norm": "head"}])
def test_rows_in_the_interleaved_order_are_the_same_queries_in_that_order(tales, changes):
    subject = untrained(tales, **changes)
    other = replace(subject, model=with_rows_interleaved(subject.model))
    order = np.arange(16).reshape(2, 8).T.ravel()
    for name in ("query", "key"):
        (plain,), (reordered,) = as_read(subject, 0, name), as_read(other, 0, name)
        torch.testing.assert_close(reordered, plain[..., order])
    (plain,), (same,) = as_read(subject, 0, "value"), as_read(other, 0, "value")
    torch.testing.assert_close(same, plain)


# Longer texts.


def test_the_loss_by_position_is_that_of_held_out_windows(tales):
    found = ANALYSES["loss_by_position"].run(tales)
    tokens = tokenize(CORPORA["tales"], tales.tokenizer)
    texts = tokens.held_out(n_texts=64, context=512)
    with torch.no_grad():
        logits = tales.model(texts.inputs)
    losses = -logits.log_softmax(-1).gather(-1, texts.targets[..., None])[..., 0].numpy()
    assert found["n_texts"] == 64
    assert found["length"] == 512
    assert list(found["starts"][:3]) == [1, 17, 33]
    for at in (0, 9, 31):
        means = losses[:, 16 * at : 16 * at + 16].mean(1)
        assert found["losses"][at] == pytest.approx(means.mean(), rel=1e-4)
        assert found["errors"][at] == pytest.approx(means.std(ddof=1) / 8, rel=1e-3)
    wanted = [losses[:, at : at + 128].mean() for at in (0, 128, 256, 384)]
    np.testing.assert_allclose(found["by_context"], wanted, rtol=1e-4)


def test_learned_positions_end_where_their_table_does(others):
    found = ANALYSES["loss_by_position"].run(others["tales-learned"])
    assert found["length"] == found["context"] == 128
    assert len(found["by_context"]) == 1


@pytest.fixture(scope="module")
def unstretched(tales):
    """Give the losses by position of the model as it is."""
    return ANALYSES["loss_by_position"].run(tales)["losses"]


@pytest.mark.parametrize("name", list(STRETCHES))
def test_a_stretched_copy_turns_by_the_new_frequencies_and_the_model_stays(
    tales, name, unstretched
):
    before = deepcopy(tales.model.state_dict())
    tables = tales.model.position.cos.clone()
    found = ANALYSES["loss_by_position"].run(tales, stretch=name, factor=4)
    assert not np.allclose(found["losses"], unstretched)
    assert torch.equal(tales.model.position.cos[: len(tables)], tables)
    assert all(torch.equal(value, before[path]) for path, value in tales.model.state_dict().items())


@pytest.mark.parametrize("name", list(STRETCHES))
def test_a_stretch_by_one_is_the_model_itself(tales, name, unstretched):
    found = ANALYSES["loss_by_position"].run(tales, stretch=name, factor=1)
    np.testing.assert_allclose(found["losses"], unstretched, rtol=1e-3)


def test_an_own_text_is_read_and_a_short_one_and_a_task_are_refused(tales, tmp_path):
    config = ModelConfig(context=8, n_layers=1, d_model=16)
    text = own_text(("The duck sat on the mat. " * 40).encode())
    setup = Setup(model=config, corpus=OWN_TEXT)
    corpus = tokenize(text)
    trainer = Trainer(
        TinyLlama(replace(config, vocab_size=corpus.tokenizer.vocab_size)), corpus, setup.training
    )
    start_folder(tmp_path / "own", setup, trainer, text)
    mine = Subject(
        model=trainer.model.eval(),
        tokenizer=corpus.tokenizer,
        setup=setup,
        step=0,
        folder=tmp_path / "own",
    )
    found = ANALYSES["loss_by_position"].run(mine)
    assert found["length"] == 32
    assert found["bin"] == 1
    long = replace(config, context=600, vocab_size=corpus.tokenizer.vocab_size)
    with pytest.raises(TextError, match="too few"):
        ANALYSES["loss_by_position"].run(replace(mine, model=TinyLlama(long).eval()))
    repeat = Subject.load(PRETRAINED / "repeat-llama")
    with pytest.raises(TextError, match="task repeat"):
        ANALYSES["loss_by_position"].run(repeat)


# What cannot be asked.


@pytest.mark.parametrize("view", ["turned_head", "pair_shares", "decay", "conventions"])
def test_models_without_rope_or_attention_are_refused_in_a_sentence(tales, others, view):
    for subject in others.values():
        with pytest.raises(ConfigError, match="Nothing turns in this model"):
            ANALYSES[view].run(subject, text=TEXT, layer=0, head=0)
    with pytest.raises(ConfigError, match="no attention"):
        ANALYSES[view].run(untrained(tales, attention="none"), text=TEXT, layer=0, head=0)
    with pytest.raises(ConfigError, match="does not exist"):
        ANALYSES[view].run(tales, text=TEXT, layer=9, head=0)


@pytest.mark.parametrize("stretch", list(STRETCHES))
def test_what_does_not_turn_cannot_be_stretched(others, stretch):
    with pytest.raises(ConfigError, match="Nothing turns"):
        ANALYSES["loss_by_position"].run(others["tales-learned"], stretch=stretch, factor=4)


@pytest.mark.parametrize(("stretch", "factor"), [("magic", 4), ("ntk", 0.5), ("ntk", 1e9)])
def test_unknown_stretches_are_refused(tales, stretch, factor):
    with pytest.raises(ConfigError, match="cannot be done"):
        ANALYSES["loss_by_position"].run(tales, stretch=stretch, factor=factor)


def test_models_whose_weights_have_overflowed_are_refused(tales):
    broken = replace(tales, model=deepcopy(tales.model))
    with torch.no_grad():
        broken.model.blocks[0].attention.to_qkv.weight.fill_(torch.inf)
    for view in ("turned_head", "pair_shares", "decay", "conventions"):
        with pytest.raises(TrainingError):
            ANALYSES[view].run(broken, text=TEXT, layer=0, head=0)
    with pytest.raises(TrainingError):
        ANALYSES["token_scores"].run(broken, query="a", key="b", head=0, n_places=8)
    with pytest.raises(TrainingError):
        ANALYSES["loss_by_position"].run(broken)


def test_one_token_has_no_differences_but_can_be_turned(tales):
    assert len(ANALYSES["turned_head"].run(tales, text="a", layer=0, head=0)["query"]) == 1
    assert ANALYSES["decay"].run(tales, text="a", layer=0, head=0)["spreads"].max() < 1e-6
    for view in ("pair_shares", "conventions"):
        with pytest.raises(TextError):
            ANALYSES[view].run(tales, text="a", layer=0, head=0)


# The running RoPE.


def test_a_rope_tuned_as_it_was_has_the_very_same_tables(tales):
    rope = deepcopy(tales.model.position)
    before = {name: table.clone() for name, table in rope.named_buffers()}
    rope.retune(rope.frequencies().tolist())
    after = dict(rope.named_buffers())
    assert after.keys() == before.keys() == {"cos", "sin_of_first", "sin_of_second"}
    assert all(torch.equal(table, before[name]) for name, table in after.items())
    angle = torch.outer(torch.arange(len(rope.cos), dtype=torch.float64), rope.frequencies())
    assert torch.equal(rope.cos[:, :8], angle.cos().float())  # as it always was, bit by bit
    assert torch.equal(rope.sin_of_second[:, 8:16], angle.sin().float())


def test_a_retuned_rope_turns_by_its_new_frequencies_and_scales_the_scores(tales):
    rope = deepcopy(tales.model.position)
    q, k = torch.randn(2, 1, 4, 6, 16)
    turns = frequencies(16, 10_000) / 3
    rope.retune(turns.tolist(), score_scale=2.0)
    found_q, found_k = rope.rotate(q, k)
    wanted = turned(q.numpy(), np.arange(6), turns) @ turned(
        k.numpy(), np.arange(6), turns
    ).swapaxes(-1, -2)
    np.testing.assert_allclose((found_q @ found_k.mT).numpy(), 2 * wanted, atol=1e-4)
    longer = torch.randn(1, 4, 300, 16)  # past its tables, which are made anew
    found, _ = rope.rotate(longer, longer)
    wanted = 2**0.5 * turned(longer.numpy(), np.arange(300), turns)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4)
