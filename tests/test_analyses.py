"""What can be asked of a trained model, each answer against a direct calculation."""

import gc
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EVERY_CHOICE, ODD_MODELS

import tiny_llama
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.cutting import cut
from tiny_llama.analyses.heads import look_at_patterns
from tiny_llama.analyses.places import norm_places
from tiny_llama.analyses.roles import ROLES
from tiny_llama.analyses.subject import Subject
from tiny_llama.config import ModelConfig
from tiny_llama.errors import CheckpointError, ConfigError, TextError, UserError
from tiny_llama.model import TinyLlama
from tiny_llama.parts.positions.alibi import head_slopes
from tiny_llama.tap import change, record
from tiny_llama.tokenizers import train_tokenizer

PRETRAINED = Path(tiny_llama.__file__).parent / "pretrained"
TEXT = "Once there was a kind duck named Gus."


@pytest.fixture(scope="module")
def tales():
    return Subject.load(PRETRAINED / "tales-llama")


@pytest.fixture(scope="module")
def repeat():
    return Subject.load(PRETRAINED / "repeat-llama")


@pytest.mark.parametrize("name", list(ANALYSES))
def test_every_view_is_where_the_table_says(name):
    assert callable(ANALYSES[name].load())


@pytest.mark.parametrize("text", ["", "x" * 5_000])
def test_a_text_is_read_up_to_the_context_and_an_empty_one_is_refused(tales, text):
    if text:
        found = ANALYSES["reading"].run(tales, text=text)
        assert len(found["tokens"]) == tales.model.config.context
        n_tokens = len(tales.tokenizer.encode(text))
        assert found["n_left_out"] == n_tokens - tales.model.config.context
    else:
        with pytest.raises(TextError):
            ANALYSES["reading"].run(tales, text=text)


@pytest.mark.parametrize(("name", "n"), [("tales-llama", 0), ("repeat-llama", 3)])
def test_a_reading_counts_what_the_tokenizer_does_not_know(name, n):
    found = ANALYSES["reading"].run(Subject.load(PRETRAINED / name), text="añb🦙Z"[: 2 + n])
    assert found["n_unknown"] == found["tokens"].count("�") == n


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("a duck\nand\ta cat", ""), ("a naïve 🦙", "ï🦙"), ("käse▁ öö", "ä▁öö"), ("🦙" * 100, None)],
)
def test_a_reading_lists_the_characters_that_it_spells_in_bytes(tales, text, spelled):
    found = ANALYSES["reading"].run(tales, text=text)
    whole = tales.tokenizer.decode(found["ids"]).rstrip("�")
    assert found["in_bytes"] == (whole if spelled is None else spelled)


def test_other_tokenizers_spell_nothing_in_bytes_for_want_of_a_piece(repeat):
    assert ANALYSES["reading"].run(repeat, text="añb🦙Z")["in_bytes"] == ""
    assert cut(train_tokenizer("bytes", "a"), "naïve 🦙")["in_bytes"] == ""


def test_a_reading_has_the_losses_ranks_and_entropies_of_the_models_expectations(tales):
    found = ANALYSES["reading"].run(tales, text=TEXT)
    ids = tales.tokenizer.encode(TEXT)
    np.testing.assert_array_equal(found["ids"], ids)
    with torch.no_grad():
        probabilities = tales.model(torch.from_numpy(ids)[None])[0].softmax(-1).double().numpy()
    for place, token in enumerate(ids[1:]):
        expected = probabilities[place]
        assert found["losses"][place] == pytest.approx(-np.log(expected[token]), rel=1e-3)
        assert found["ranks"][place] == 1 + sum(expected > expected[token])
        entropy = -sum(p * np.log(p) for p in expected if p > 0)
        assert found["entropies"][place] == pytest.approx(entropy, rel=1e-3, abs=1e-5)


def test_a_trace_is_what_record_sees(tales):
    found = ANALYSES["trace"].run(tales, text=TEXT, patterns=["blocks.1.residual", "logits"])
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))
    with torch.no_grad(), record(tales.model, "blocks.1.residual") as seen:
        logits = tales.model(ids[None])
    np.testing.assert_array_equal(found["blocks.1.residual"], seen["blocks.1.residual"][0])
    np.testing.assert_array_equal(found["logits"], logits[0])


def test_a_changed_activation_is_passed_on_and_the_model_is_itself_again_after(tales):
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))[None]
    before = tales.model(ids)
    with change(tales.model, {"blocks.2.residual": torch.zeros_like}):
        assert tales.model(ids).abs().max() == 0
    torch.testing.assert_close(tales.model(ids), before)
    with pytest.raises(KeyError), change(tales.model, {"blocks.9.residual": torch.zeros_like}):
        pass


def test_a_snapshot_is_the_model_as_it_was(repeat):
    assert repeat.step == repeat.snapshot_steps[-1] == 2000
    untrained = repeat.at(0)
    losses = [
        ANALYSES["reading"].run(each, text="\nabcdefgh\nabcdefgh")["losses"][9:].mean()
        for each in (untrained, repeat)
    ]
    assert losses[0] > np.log(repeat.model.config.vocab_size) - 0.7
    assert losses[1] < 0.1


def test_small_maps_show_the_most_of_each_cell(tales):
    text = TEXT * 9
    found = ANALYSES["heads"].run(tales, text=text)
    n, cell = len(found["ids"]), found["cell"]
    assert 64 < n <= 128
    assert cell == 2
    last = (n - 1) // 2
    trace = ANALYSES["trace"].run(tales, text=text, patterns=["blocks.*.attention.pattern"])
    for layer in range(tales.model.config.n_layers):
        pattern = trace[f"blocks.{layer}.attention.pattern"]
        for row, column in ((0, 0), (last, last), (30, 7)):
            cut = pattern[:, row * 2 : row * 2 + 2, column * 2 : column * 2 + 2]
            np.testing.assert_allclose(
                found["maps"][layer, :, row, column] / 255, cut.max((1, 2)), atol=0.5 / 255 + 1e-6
            )


def test_a_model_without_attention_says_so():
    subject = Subject.load(PRETRAINED / "tales-llama")
    config = replace(subject.model.config, attention="none")
    subject = replace(subject, model=TinyLlama(config).eval())
    with pytest.raises(ConfigError, match="attention='none'"):
        ANALYSES["heads"].run(subject, text=TEXT)


# Every choice.

SHORT = "Once there was"
HOW = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
IN_LAYER = {"text": SHORT, "layer": 1}
IN_HEAD = {"text": SHORT, "layer": 0, "head": 1}
QUESTIONS = {
    "trace": {"text": SHORT, "patterns": ["*"]},
    "reading": {"text": SHORT},
    "heads": {"text": SHORT},
    "layer": {**IN_LAYER, "first": 0, "most": 8},
    "stages": {**IN_HEAD, "reader": 3},
    "ablate": {"text": SHORT, "heads": [[0, 1]], "by": "mean"},
    "write_without": {"text": SHORT, "heads": [[0, 1]], "by": "zero", "n_tokens": 2},
    "importance": {"text": SHORT, "by": "zero"},
    "history": {**IN_LAYER, "first": 0, "most": 8},
    "next_token": {"text": SHORT, "added": [], "seed": 0, **HOW},
    "write_on": {"text": SHORT, "added": [1], "seed": 0, **HOW},
    "samples": {"text": SHORT, "seeds": [1], "n_tokens": 3, **HOW},
    "kv_cache": {"text": SHORT},
    "cache_speed": {"turn": 0},
    "logit_lens": {"text": SHORT},
    "surprise": {"text": SHORT},
    "turned_head": IN_HEAD,
    "pair_shares": IN_HEAD,
    "decay": IN_HEAD,
    "token_scores": {"query": "a", "key": "b", "head": 1, "n_places": 8},
    "conventions": IN_HEAD,
    "loss_by_position": {"stretch": "yarn", "factor": 2.0},
    "norms": {"text": SHORT, "place": 0, "token": 2, "factor": 10.0, "shift": 1.0},
    "stream": {"text": SHORT},
    "placement": {"text": SHORT, "std": 0.08, "scaled": False},
    "units": {**IN_LAYER, "what": "hidden", "unit": None, "token": 2},
    "openings": IN_LAYER,
}
"""For each view of a model, values to ask it with."""
SLOW = {
    "cache_speed": ("feed_forward", "block"),
    "loss_by_position": ("position", "rope_fraction", "rope_theta_local", "nope_every"),
    "placement": ("norm", "norm_placement", "block", "n_experts"),
}
"""Views that take a second or so, and the settings that they are asked about."""
ROTARY = ("turned_head", "pair_shares", "decay", "conventions")
REFUSED = {
    ("feed_forward", "moe_swiglu"): dict.fromkeys(("units", "openings"), "8 experts"),
    ("feed_forward", "none"): dict.fromkeys(("units", "openings"), "no feed-forward"),
    ("block", "parallel"): {"placement": "block='parallel'"},
    ("norm", "none"): {"placement": "norm='none'"},
    ("rope_fraction", 0.5): dict.fromkeys(ROTARY, "first 2 of the 4"),
    ("nope_every", 1): dict.fromkeys(ROTARY, "Nothing turns in layer 0"),
    **{
        ("position", name): dict.fromkeys((*ROTARY, "loss_by_position"), "Nothing turns")
        for name in ("learned", "sinusoidal", "alibi", "none")
    },
}
NEEDS_HEADS = (*ROTARY, "heads", "layer", "stages", "ablate", "write_without", "importance")
NEEDS_HEADS += ("kv_cache", "token_scores", "history")
REFUSED["attention", "none"] = dict.fromkeys(NEEDS_HEADS, "attention='none'")
CHANGES = [*EVERY_CHOICE, *(item for changes in ODD_MODELS for item in changes.items())]
CHANGES += [("rope_fraction", 0.5), ("rope_theta_local", 50.0), ("attention_softcap", 5.0)]


def test_every_view_of_a_model_has_a_question():
    assert QUESTIONS.keys() == {name for name, view in ANALYSES.items() if view.needs_model}


@pytest.mark.parametrize(("name", "value"), dict.fromkeys(CHANGES), ids=str)
def test_every_view_of_every_choice_answers_or_refuses_in_a_sentence(tales, name, value):
    fields = {"n_layers": 2, "d_model": 16, "n_heads": 4, "context": 8, name: value}
    config = replace(tales.model.config, **fields)
    subject = replace(tales, model=TinyLlama(config).eval(), step=0)
    refused = {"history": "no snapshots", **REFUSED.get((name, value), {})}
    place = next(iter(norm_places(config)))
    for view, asked in {**QUESTIONS, "norms": {**QUESTIONS["norms"], "place": place}}.items():
        if name not in SLOW.get(view, (name,)):
            continue
        if why := refused.get(view):
            with pytest.raises(UserError, match=why):
                ANALYSES[view].run(subject, **asked)
        else:
            assert ANALYSES[view].run(subject, **asked), view


# Stages.


@pytest.fixture
def grouped(tales):
    """Give an untrained model with every unusual choice of attention."""
    config = ModelConfig(
        vocab_size=tales.model.config.vocab_size,
        context=32,
        n_layers=2,
        d_model=24,
        n_heads=6,
        n_kv_heads=2,
        qk_norm="head",
        attention_softcap=5.0,
        attention="sliding",
        window=6,
        position="alibi",
        init_std=0.5,
        embedding_std=0.5,
    )
    return replace(tales, model=TinyLlama(config).eval(), step=0)


@pytest.mark.parametrize("name", ["tales-llama", "tales-gpt3", "tales-alibi", "grouped"])
@pytest.mark.parametrize(("layer", "head", "reader"), [(0, 0, 0), (1, 3, 20), (1, 1, 9)])
def test_the_stages_of_a_reading_follow_from_one_another_number_by_number(
    name, layer, head, reader, grouped
):
    subject = grouped if name == "grouped" else Subject.load(PRETRAINED / name)
    config = subject.model.config
    found = ANALYSES["stages"].run(subject, text=TEXT * 2, layer=layer, head=head, reader=reader)
    n = len(found["tokens"])
    slopes = head_slopes(config.n_heads)
    window = config.window_of(layer) or n
    row = []
    for s in range(n):
        dot = sum(
            a * b for a, b in zip(found["rotated_query"], found["rotated_keys"][s], strict=True)
        )
        assert found["products"][s] == pytest.approx(dot, rel=1e-4, abs=1e-4)
        score = dot / config.head_width**0.5
        assert found["scaled"][s] == pytest.approx(score, rel=1e-4, abs=1e-4)
        if config.attention_softcap:
            score = config.attention_softcap * np.tanh(score / config.attention_softcap)
        assert found["capped"][s] == pytest.approx(score, rel=1e-4, abs=1e-4)
        if config.position == "alibi":
            score -= slopes[head] * max(0, reader - s)
        assert found["biased"][s] == pytest.approx(score, rel=1e-4, abs=1e-4)
        row.append(score if reader - window < s <= reader else -np.inf)
    np.testing.assert_allclose(found["masked"], row, rtol=1e-4, atol=1e-4)
    weights = np.exp(np.array(row) - max(row))
    np.testing.assert_allclose(found["pattern"], weights / weights.sum(), rtol=1e-3, atol=1e-5)
    output = sum(found["pattern"][s] * found["values"][s] for s in range(n))
    np.testing.assert_allclose(found["output"], output, rtol=1e-3, atol=1e-5)


def test_only_a_position_that_turns_changes_the_products(tales):
    for name, turns in (("tales-llama", True), ("tales-learned", False)):
        subject = Subject.load(PRETRAINED / name)
        found = ANALYSES["stages"].run(subject, text=TEXT, layer=0, head=0, reader=9)
        same = np.allclose(found["unrotated"], found["products"])
        assert same != turns
        # A token does not turn against itself.
        assert found["unrotated"][9] == pytest.approx(found["products"][9], rel=1e-4)


# Ablation.


def without_columns(subject, layer, heads):
    """Copy the model with the columns of its output matrix that read these heads set to zero."""
    model = deepcopy(subject.model)
    e = model.config.head_width
    for head in heads:
        model.blocks[layer].attention.to_output.weight.data[:, head * e : (head + 1) * e] = 0
    return model


def losses_of(model, ids):
    with torch.no_grad():
        chances = model(ids[None])[0].log_softmax(-1)
    return [-float(chances[at, token]) for at, token in enumerate(ids[1:])]


@pytest.mark.parametrize("heads", [[], [0], [1, 3], [0, 1, 2, 3]])
def test_taking_heads_away_is_zeroing_what_their_outputs_are_multiplied_with(tales, heads):
    found = ANALYSES["ablate"].run(tales, text=TEXT, heads=[[1, head] for head in heads], by="zero")
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))
    model = without_columns(tales, 1, heads)
    np.testing.assert_allclose(
        found["losses"][0], losses_of(tales.model, ids), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(found["losses"][1], losses_of(model, ids), rtol=1e-3, atol=1e-5)
    with torch.no_grad():
        expected = model(ids[None])[0, -1].softmax(-1)
    np.testing.assert_allclose(found["probabilities"][1], expected, rtol=1e-3, atol=1e-6)
    # And the shared model is as it was.
    after = ANALYSES["reading"].run(tales, text=TEXT)["losses"]
    np.testing.assert_array_equal(found["losses"][0], after)


def test_a_head_replaced_by_its_mean_hands_the_same_over_everywhere(tales):
    ids = torch.from_numpy(tales.tokenizer.encode(TEXT))
    path = "blocks.2.attention.heads"
    with torch.no_grad(), record(tales.model, path) as seen:
        tales.model(ids[None])
    heads = seen[path].clone()
    heads[:, 1] = heads[:, 1].mean(1, keepdim=True)
    with torch.no_grad(), change(tales.model, {path: lambda _: heads}):
        expected = tales.model(ids[None])[0, -1].softmax(-1)
    found = ANALYSES["ablate"].run(tales, text=TEXT, heads=[[2, 1]], by="mean")
    np.testing.assert_allclose(found["probabilities"][1], expected, rtol=1e-4, atol=1e-6)


def test_without_its_heads_a_model_writes_what_the_zeroed_one_writes(tales):
    found = ANALYSES["write_without"].run(tales, text=TEXT, heads=[[0, 3]], by="zero", n_tokens=20)
    model = without_columns(tales, 0, [3])
    ids = list(tales.tokenizer.encode(TEXT))
    for _ in range(20):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert found["text"] == tales.tokenizer.decode(ids[-20:])


def test_importance_is_the_growth_of_the_loss_without_one_head(repeat):
    text = "\nqwertyuiop\nqwertyui"
    found = ANALYSES["importance"].run(repeat, text=text, by="zero")
    ids = torch.from_numpy(repeat.tokenizer.encode(text))
    counted = slice(11, None)  # the letters of the second line
    before = np.mean(losses_of(repeat.model, ids)[counted])
    assert found["loss"] == pytest.approx(before, rel=1e-3)
    for layer, head in ((0, 0), (1, 2)):
        after = np.mean(losses_of(without_columns(repeat, layer, [head]), ids)[counted])
        assert found["growth"][layer, head] == pytest.approx(after - before, rel=1e-3, abs=1e-5)
    # Induction needs the head that looks at the token before.
    assert found["growth"].argmax() == 0
    assert found["growth"][0, 0] > 3


@pytest.mark.parametrize(
    "wrong", [{"heads": [[9, 0]]}, {"heads": [[0, 4]]}, {"heads": [[0, -1]]}, {"by": "magic"}]
)
def test_heads_and_ways_that_do_not_exist_are_refused(tales, wrong):
    with pytest.raises(ConfigError, match="choose"):
        ANALYSES["ablate"].run(tales, text=TEXT, **({"heads": [[0, 0]], "by": "zero"} | wrong))


# History.


def test_the_induction_heads_of_the_repeat_model_appear_and_the_loss_falls_with_them(repeat):
    text = "\nqwertyuiopasdf\nqwertyuiopasdf"
    found = ANALYSES["history"].run(repeat, text=text, layer=1, first=0, most=40)
    assert found["steps"] == repeat.snapshot_steps
    induction = found["roles"][:, 1, :, list(ROLES).index("induction")].max(1)
    assert induction[0] < 0.1
    assert induction[-1] > 0.7
    assert found["losses"][0] > 3
    assert found["losses"][-1] < 0.05
    # Each moment is what that snapshot gives.
    at = found["steps"].index(219)
    then = ANALYSES["layer"].run(repeat.at(219), text=text, layer=1, first=0, most=40)
    np.testing.assert_array_equal(found["patterns"][at], then["patterns"])
    np.testing.assert_array_equal(found["roles"][at, 1], then["roles"])


def test_a_window_of_a_long_text_is_cut_out_of_the_whole(tales):
    whole = ANALYSES["layer"].run(tales, text=TEXT * 3, layer=2, first=0, most=100)
    part = ANALYSES["layer"].run(tales, text=TEXT * 3, layer=2, first=10, most=8)
    np.testing.assert_array_equal(part["patterns"], whole["patterns"][:, 10:18, 10:18])
    assert part["tokens"] == whole["tokens"][10:18]
    end = ANALYSES["layer"].run(tales, text=TEXT * 3, layer=2, first=999, most=8)
    assert end["first"] == len(whole["tokens"]) - 8


def test_a_run_without_snapshots_says_that_its_past_cannot_be_seen():
    subject = Subject.load(PRETRAINED / "tales-alibi")
    with pytest.raises(CheckpointError, match="n_snapshots"):
        ANALYSES["history"].run(subject, text=TEXT, layer=0, first=0, most=40)


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"context": 512, "n_heads": 4}, 512),
        ({"context": 512, "d_model": 512, "n_heads": 256}, 125),
        ({"context": 512, "vocab_size": 32_000, "d_model": 16}, 62),
    ],
)
def test_as_much_of_a_text_is_read_as_patterns_and_logits_have_memory_for(tales, settings, most):
    model = TinyLlama(replace(tales.model.config, n_layers=1, **settings)).eval()
    subject = replace(tales, model=model)
    assert subject.most_tokens == most
    assert len(subject.read("Once there was a duck. " * 100)) == most
    assert len(ANALYSES["reading"].run(subject, text="a" * 600)["ids"]) == most


def test_of_all_patterns_only_one_layers_is_in_memory(tales):
    ids, alive = tales.read("Once there was a duck."), []

    def look(layer, pattern):
        square = (len(ids), len(ids))
        found = [each for each in gc.get_objects() if type(each) is torch.Tensor]
        alive.append(sum(each.shape[-2:] == square and each.dim() == 4 for each in found))

    look_at_patterns(tales, ids, look)
    assert len(alive) == tales.model.config.n_layers
    assert len(set(alive)) == 1  # scores and pattern of the layer itself, however deep
