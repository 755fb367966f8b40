"""The next token, stage by stage, against loops over the definitions and against `generate`."""

from dataclasses import replace
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.next_token import MOST_ADDED, UNDECIDED, entropy
from tiny_llama.analyses.subject import Subject
from tiny_llama.errors import ConfigError, TextError, TrainingError
from tiny_llama.generation import generate, next_probabilities, sampling_stages
from tiny_llama.model import TinyLlama
from tiny_llama.sample_config import SampleConfig

TEXT = "Once there was a kind duck named Gus. Gus lived on a"
USUAL = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
NAMES = ["softmax", "temperature", "top_k", "top_p", "min_p"]


@pytest.fixture(scope="module")
def tales():
    return Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / "tales-llama")


def ask(subject, text=TEXT, added=(), seed=0, **settings):
    values = {**USUAL, **settings}
    return ANALYSES["next_token"].run(subject, text=text, added=list(added), seed=seed, **values)


def by_hand(logits, *, temperature, top_k, top_p, min_p):
    """Do each stage by a loop over the tokens, from the likeliest down: probability by token."""

    def normal(weights):
        total = sum(weights.values())
        return {token: weight / total for token, weight in weights.items()}

    order = sorted(range(len(logits)), key=lambda token: -logits[token])
    top = logits[order[0]]
    yield normal({token: exp(logits[token] - top) for token in order})
    now = normal({token: exp((logits[token] - top) / temperature) for token in order})
    yield now
    if 0 < top_k < len(logits):
        now = normal({token: now[token] for token in order[:top_k]})
    yield now
    kept, reached = {}, 0.0
    for token, share in now.items():
        if kept and reached >= top_p:
            break
        kept[token] = share
        reached += share
    now = normal(kept)
    yield now
    likeliest = max(now.values())
    yield normal({token: share for token, share in now.items() if share >= min_p * likeliest})


SETTINGS = [
    {},
    {"temperature": 1.5, "top_k": 7},
    {"temperature": 2.0, "top_p": 0.8},
    {"temperature": 1.2, "min_p": 0.05},
    {"temperature": 1.8, "top_k": 20, "top_p": 0.9, "min_p": 0.02},
    {"temperature": 0.3, "top_k": 1, "top_p": 0.1, "min_p": 1.0},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_each_stage_is_its_definition(tales, settings):
    settings = USUAL | settings
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))
    with torch.no_grad():
        logits = tales.model(ids[None])[0, -1]
    stages = list(sampling_stages(logits, SampleConfig(**settings)))
    assert [stage.name for stage in stages] == NAMES
    found = ask(tales, **settings)
    assert found["stages"] == NAMES
    earlier = None
    for number, (stage, wanted) in enumerate(
        zip(stages, by_hand(logits.double().tolist(), **settings), strict=True)
    ):
        whole = [wanted.get(token, 0.0) for token in range(len(logits))]
        np.testing.assert_allclose(stage.probabilities, whole, rtol=1e-4, atol=1e-7)
        assert set(np.flatnonzero(stage.kept)) == set(wanted)
        shown = found["ids"]
        np.testing.assert_allclose(
            found["probabilities"][number], np.array(whole)[shown], rtol=1e-4, atol=1e-7
        )
        assert list(found["kept"][number]) == [token in wanted for token in shown]
        assert found["n_kept"][number] == len(wanted)
        gone = set(earlier or wanted) - set(wanted)
        assert found["cut"][number] == pytest.approx(
            sum((earlier or {})[token] for token in gone), abs=1e-6
        )
        nats = -sum(share * log(share) for share in wanted.values() if share > 0)
        assert found["entropies"][number] == pytest.approx(nats, rel=1e-3, abs=1e-5)
        earlier = wanted


def test_the_last_stage_is_what_is_drawn_from():
    draw = torch.Generator().manual_seed(1)
    for _ in range(20):
        logits = 3 * torch.randn(30, generator=draw)
        config = SampleConfig(temperature=1.1, top_k=12, top_p=0.9, min_p=0.05)
        *_, last = sampling_stages(logits, config)
        assert torch.equal(last.probabilities, next_probabilities(logits, config))
        assert torch.equal(last.kept, last.probabilities > 0)


def test_at_temperature_zero_the_likeliest_is_certain(tales):
    found = ask(tales, temperature=0.0)
    assert list(found["n_kept"]) == [tales.model.config.vocab_size, 1, 1, 1, 1]
    assert found["probabilities"][1:, 0].tolist() == [1, 1, 1, 1]
    assert found["drawn"] == found["likeliest"] == found["ids"][0]
    assert found["cut"][1] == pytest.approx(1 - found["probabilities"][0, 0], abs=1e-5)


def test_the_likeliest_tokens_are_shown_in_order_with_their_logits(tales):
    found = ask(tales)
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))
    with torch.no_grad():
        logits = tales.model(ids[None])[0, -1].numpy()
    assert list(found["ids"]) == list(np.argsort(-logits)[:15])
    np.testing.assert_allclose(found["logits"], np.sort(logits)[::-1][:15], rtol=1e-5)
    assert found["tokens"] == [tales.tokenizer.token_text(token) for token in found["ids"]]
    assert found["before"] == tales.labels(ids)


@pytest.mark.parametrize("seed", [0, 3])
def test_drawing_one_by_one_writes_what_generate_writes(tales, seed):
    """Go on where the text outgrows the context, too."""
    settings = {"temperature": 3.0, "top_p": 0.95}
    prompt = tales.tokenizer.encode(TEXT)
    room = tales.model.config.context - len(prompt)
    config = SampleConfig(n_tokens=room + 15, seed=seed, **settings)
    wanted = [each.token for each in generate(tales.model, prompt, config)]
    for n in (0, 1, 2, 40, room, room + 1, room + 14):
        found = ask(tales, added=wanted[:n], seed=seed, **settings)
        assert found["drawn"] == wanted[n]
        assert found["n_tokens"] == len(prompt) + n
        assert found["after"] == [tales.tokenizer.token_text(token) for token in wanted[:n]]
    assert found["n_read"] < tales.model.config.context < found["n_tokens"]


def test_writing_on_stops_where_the_model_is_undecided(tales):
    values = {**USUAL, "temperature": 1.0}
    found = ANALYSES["write_on"].run(tales, text=TEXT, added=[], seed=5, **values)["drawn"]
    config = SampleConfig(n_tokens=len(found) + 1, seed=5, temperature=1.0)
    written = list(generate(tales.model, tales.tokenizer.encode(TEXT), config))
    assert found == [each.token for each in written[:-1]]
    entropies = [entropy(each.logits.softmax(-1)) for each in written]
    assert len(found) > 1
    assert all(nats < UNDECIDED for nats in entropies[1:-1])
    assert entropies[-1] >= UNDECIDED


@pytest.mark.parametrize("seed", range(4))
def test_writing_on_draws_as_generate_does_also_after_other_tokens(tales, seed):
    settings = {"temperature": 3.0, "top_k": 40}
    config = SampleConfig(n_tokens=80, seed=seed, **settings)
    prompt = tales.tokenizer.encode(TEXT)
    wanted = [each.token for each in generate(tales.model, prompt, config)]
    written = []
    for _ in range(12):
        values = {**USUAL, **settings, "added": written, "seed": seed}
        written += ANALYSES["write_on"].run(tales, text=TEXT, **values)["drawn"]
        assert written == wanted[: len(written)]


def test_no_more_is_written_on_than_can_be_added(tales):
    values = {**USUAL, "temperature": 0.0, "seed": 0}
    added = tales.tokenizer.encode("Gus sat. " * 60)[: MOST_ADDED - 1].tolist()
    found = ANALYSES["write_on"].run(tales, text=TEXT, added=added, **values)
    assert len(found["drawn"]) == 1
    added += found["drawn"]
    assert ANALYSES["write_on"].run(tales, text=TEXT, added=added, **values)["drawn"] == []


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"text": ""}, TextError),
        ({"added": [512]}, TextError),
        ({"added": [-1]}, TextError),
        ({"added": [1] * (MOST_ADDED + 1)}, TextError),
        ({"top_p": 2.0}, ConfigError),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(tales, values, error):
    with pytest.raises(error, match=r"\.$"):
        ask(tales, **values)


def test_a_model_that_has_overflowed_says_so(tales):
    model = TinyLlama(tales.model.config).eval()
    torch.nn.init.constant_(model.unembedding.weight, torch.nan)
    broken = replace(tales, model=model)
    text = {"text": "The duck"}
    for view, values in {
        "next_token": {"added": [], "seed": 0, **USUAL},
        "write_on": {"added": [], "seed": 0, **USUAL},
        "samples": {"seeds": [0], "n_tokens": 2, **USUAL},
        "logit_lens": {},
        "surprise": {},
    }.items():
        with pytest.raises(TrainingError, match="no finite numbers"):
            ANALYSES[view].run(broken, **text, **values)
