"""What differs from LLaMA, told by meaning: for single values, for a dozen models, for all."""

from dataclasses import replace

import pytest

from explorer.family.diff import (
    AS_STATED,
    DIFFERS,
    IN_PART,
    NOT_KNOWN,
    SAME,
    VERDICTS,
    choices_of,
    compare,
    in_one_line,
)
from explorer.family.numbers import BELOW, BY_RULE, NUMBERS, exact_rows, numbers_of, size_name
from explorer.family.tree import ROOT, Tree, family_tree
from explorer.family.unverified import FEATURES
from tiny_llama.miniatures import MINIATURES

TREE = family_tree()
LLAMA = TREE.nodes[ROOT]
WITH_PARTS = [node for node in TREE.nodes.values() if node.architecture is not None]

OTHER_WORDS = {"vocab_size": DIFFERS, "tokenizer": DIFFERS}
GPT = {"norm": DIFFERS, "position": DIFFERS, "ffn": DIFFERS, "biases": DIFFERS, **OTHER_WORDS}
GPT |= {"tied_embeddings": DIFFERS}
EXPECTED = {
    "llama-2": {"ffn": IN_PART, "attention": IN_PART, "context_window": DIFFERS},
    "llama-3": {
        "position": IN_PART,
        "ffn": IN_PART,
        "attention": DIFFERS,
        "context_window": DIFFERS,
        **OTHER_WORDS,
    },
    "mistral-7b": {
        "ffn": IN_PART,
        "attention": DIFFERS,
        "tokenizer": IN_PART,
        "context_window": DIFFERS,
    },
    "gemma": {
        "ffn": DIFFERS,
        "attention": IN_PART,
        "tied_embeddings": DIFFERS,
        "vocab_size": DIFFERS,
        "tokenizer": IN_PART,
        "context_window": DIFFERS,
    },
    "gemma-2": {
        "norm_placement": IN_PART,
        "ffn": DIFFERS,
        "attention": DIFFERS,
        "tied_embeddings": DIFFERS,
        "vocab_size": DIFFERS,
        "tokenizer": IN_PART,
        "context_window": DIFFERS,
    },
    "qwen3": {
        "position": IN_PART,
        "ffn": IN_PART,
        "attention": DIFFERS,
        "tied_embeddings": IN_PART,
        "context_window": DIFFERS,
        **OTHER_WORDS,
    },
    "olmo": {
        "norm": DIFFERS,
        "position": AS_STATED,
        "ffn": AS_STATED,
        "tied_embeddings": IN_PART,
        **OTHER_WORDS,
    },
    "opt": GPT | {"norm_placement": IN_PART},
    "gpt-3": GPT | {"attention": IN_PART},
    "gpt-j": {
        "norm": DIFFERS,
        "norm_placement": IN_PART,
        "position": IN_PART,
        "ffn": DIFFERS,
        "biases": IN_PART,
        **OTHER_WORDS,
    },
    "bloom": GPT,
    "falcon": {
        "norm": DIFFERS,
        "norm_placement": IN_PART,
        "position": AS_STATED,
        "ffn": DIFFERS,
        "attention": DIFFERS,
        "tied_embeddings": DIFFERS,
        **OTHER_WORDS,
    },
    "mixtral": {
        "position": IN_PART,
        "ffn": IN_PART,
        "attention": DIFFERS,
        "tokenizer": IN_PART,
        "context_window": DIFFERS,
    },
    "deepseek-v2": {
        "position": IN_PART,
        "ffn": IN_PART,
        "attention": DIFFERS,
        "context_window": DIFFERS,
        **OTHER_WORDS,
    },
    "gopher": {
        "position": DIFFERS,
        "ffn": DIFFERS,
        "biases": NOT_KNOWN,
        "tied_embeddings": NOT_KNOWN,
        "tokenizer": IN_PART,
    },
    "alpaca": {},
    "wizardlm": {"ffn": IN_PART, "attention": AS_STATED},
    "zephyr": {
        "ffn": IN_PART,
        "attention": DIFFERS,
        "tokenizer": IN_PART,
        "context_window": DIFFERS,
    },
    "r1-distill-llama": {
        "position": IN_PART,
        "ffn": IN_PART,
        "attention": DIFFERS,
        "context_window": DIFFERS,
        **OTHER_WORDS,
    },
    "llama-1": {},
}


def changed(**parts):
    """Give LLaMA with other parts, and without the exact numbers that it has."""
    architecture = {**LLAMA.architecture, **parts}
    return replace(LLAMA, architecture=architecture, config_ids=(), params_measured={})


def row_of(name, feature):
    return next(row for row in compare(TREE, TREE.nodes[name]) if row.feature == feature)


def verdict(feature, value):
    rows = compare(TREE, changed(**{feature: value}))
    return next(row.verdict for row in rows if row.feature == feature)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_model_differs_from_llama_in_what_its_sources_say(name):
    rows = compare(TREE, TREE.nodes[name])
    assert {row.feature: row.verdict for row in rows if row.verdict != SAME} == EXPECTED[name]


@pytest.mark.parametrize("node", WITH_PARTS, ids=lambda node: node.id)
def test_every_architecture_is_understood_and_every_difference_has_words(node):
    rows = compare(TREE, node)
    assert [row.feature for row in rows] == list(FEATURES)
    line = in_one_line(rows)
    for row in rows:
        assert row.verdict in VERDICTS
        is_null = (node.architecture | {"context_window": node.context_window})[row.feature] is None
        assert (row.verdict == NOT_KNOWN) == is_null
        assert bool(row.instead) == (row.verdict in (IN_PART, DIFFERS))
        assert all(words in line for words in row.instead)
        assert (row.node == "not disclosed") == is_null


def test_all_models_can_be_compared_and_the_rest_cannot():
    assert sum(node.kind == "model" for node in WITH_PARTS) == 63
    assert compare(TREE, TREE.nodes["rope"]) == []


@pytest.mark.parametrize(
    ("feature", "value", "expected"),
    [
        ("position", "RoPE", AS_STATED),
        ("position", "RoPE (theta 10,000)", SAME),
        ("position", "RoPE (theta 1,000,000)", IN_PART),
        ("position", "RoPE (25 % of head dims)", IN_PART),
        ("position", "learned", DIFFERS),
        ("position", "ALiBi", DIFFERS),
        ("ffn", "SwiGLU", AS_STATED),
        ("ffn", "SwiGLU (11,008)", AS_STATED),
        ("ffn", "SwiGLU (8/3 d)", SAME),
        ("ffn", "SwiGLU (hidden 2/3 of 4d)", SAME),
        ("ffn", "SwiGLU (hidden 4d)", IN_PART),
        ("ffn", "MoE SwiGLU, 8 experts, top 2", IN_PART),
        ("ffn", "GeGLU", DIFFERS),
        ("attention", "MHA", SAME),
        ("attention", "MHA (7B, 13B); GQA 8 KV heads (70B)", IN_PART),
        ("attention", "MHA with QK-norm (32B: GQA)", IN_PART),
        ("attention", "GQA 8 KV heads", DIFFERS),
        ("attention", "MLA", DIFFERS),
        ("norm_placement", "pre", SAME),
        ("norm_placement", "pre and post", IN_PART),
        ("norm_placement", "pre (parallel block)", IN_PART),
        ("norm_placement", "post (on sub-layer output)", DIFFERS),
        ("norm", "RMSNorm", SAME),
        ("norm", "LayerNorm (no bias)", DIFFERS),
        ("biases", False, SAME),
        ("biases", True, DIFFERS),
        ("biases", "QKV only", IN_PART),
        ("biases", None, NOT_KNOWN),
        ("tied_embeddings", False, SAME),
        ("tied_embeddings", True, DIFFERS),
        ("tied_embeddings", "small sizes only", IN_PART),
        ("tokenizer", "LLaMA SentencePiece BPE", SAME),
        ("tokenizer", "same as LLaMA 1", SAME),
        ("tokenizer", "Llama 2", SAME),
        ("tokenizer", "Llama 3", DIFFERS),
        ("tokenizer", "byte-fallback BPE (SentencePiece)", IN_PART),
        ("vocab_size", 32_000, SAME),
        ("vocab_size", 32_016, DIFFERS),
    ],
)
def test_values_are_compared_by_meaning(feature, value, expected):
    assert verdict(feature, value) == expected


def test_latent_attention_turns_a_separate_part_of_each_head_even_where_it_is_not_said():
    row = row_of("kimi-k2", "position")
    assert row.instead == ("turns a separate part of each head",)


def test_exact_numbers_tell_what_the_words_leave_open():
    by_name = {row.feature: row for row in compare(TREE, TREE.nodes["smollm2"])}
    assert by_name["position"].node == "RoPE"
    assert by_name["position"].instead == (
        "RoPE's theta 100,000 (135M, 360M)",
        "RoPE's theta 130,000 (1.7B)",
    )
    assert by_name["ffn"].instead == ("hidden layer 4 × d_model (1.7B)",)
    assert by_name["position"].note == (
        "RoPE's theta 100,000 (135M, 360M), see the exact numbers below; "
        "RoPE's theta 130,000 (1.7B), see the exact numbers below"
    )


@pytest.mark.parametrize("name", ["llama-1", "tinyllama", "openllama", "tinystories-llama2c"])
def test_hidden_layers_by_llamas_rule_are_the_same_whatever_they_are_rounded_to(name):
    assert exact_rows(TREE.nodes[name])
    assert choices_of("ffn", TREE, TREE.nodes[name]) == {"SwiGLU", BY_RULE}


def test_what_no_source_says_is_said_to_be_open():
    line = in_one_line(compare(TREE, changed(position="RoPE", ffn="SwiGLU")))
    assert line == (
        "The same architecture as LLaMA's in everything that the table tells. "
        "Positions: theta not stated. Feed-forward: hidden / d_model not stated."
    )
    assert "Not disclosed: biases, tied embeddings." in in_one_line(
        compare(TREE, TREE.nodes["gopher"])
    )


@pytest.mark.parametrize("name", ["smollm3", "gpt-oss", "llama-4", "phi-3", "qwen1.5", "olmo"])
def test_a_theta_that_is_printed_nowhere_is_not_llamas(name):
    row = row_of(name, "position")
    assert row.missing == "theta not stated"
    assert row.verdict != SAME
    assert not [word for word in choices_of("position", TREE, TREE.nodes[name]) if "theta" in word]


@pytest.mark.parametrize("node", WITH_PARTS, ids=lambda node: node.id)
@pytest.mark.parametrize("feature", list(NUMBERS))
def test_every_number_has_an_origin_and_none_is_called_the_same_without_one(feature, node):
    numbers, row = numbers_of(feature, TREE, node), row_of(node.id, feature)
    assert set(numbers) in (set(), set(node.sizes))
    is_open = any(not number.choices for number in numbers.values())
    assert ("not stated" in row.missing) == is_open
    assert row.verdict != SAME or not is_open
    for number in numbers.values():
        assert number.choices or not number.origin
        assert number.origin in row.note


@pytest.mark.parametrize("node", WITH_PARTS, ids=lambda node: node.id)
def test_each_exact_number_that_counts_is_told_of_one_size(node):
    numbers = numbers_of("ffn", TREE, node)
    rows = [row for row in exact_rows(node) if numbers and row["moe"] is None]
    below = [size for size, each in numbers.items() if each.origin == BELOW]
    assert not below or len(below) == len(rows)
    assert len({size_name(node, row["id"]) for row in rows}) == len(rows)


PARTS_OF_MINIATURES = {
    "norm": ("norm",),
    "norm_placement": ("norm_placement", "block"),
    "position": ("position", "rope_theta", "rope_theta_local", "rope_fraction", "nope_every"),
    "ffn": ("feed_forward",),
    "attention": ("attention", "n_kv_heads", "qk_norm"),
    "biases": ("bias", "unembedding_bias"),
    "tied_embeddings": ("tied_unembedding",),
}


@pytest.mark.parametrize(
    "node",
    [node for node in WITH_PARTS if node.id in MINIATURES and MINIATURES[node.id].config],
    ids=lambda node: node.id,
)
def test_what_is_called_the_same_is_llamas_in_the_miniature_too(node):
    own, llama = MINIATURES[node.id].config, MINIATURES[ROOT].config
    same = {row.feature for row in compare(TREE, node) if row.verdict == SAME}
    for feature in same & set(PARTS_OF_MINIATURES):
        for name in PARTS_OF_MINIATURES[feature]:
            assert getattr(own, name) == getattr(llama, name), (feature, name)


def test_a_number_that_is_not_stated_comes_from_the_parent_that_was_tuned():
    theta = row_of("r1-distill-llama", "position")
    assert theta.instead == ("RoPE's theta 500,000",)
    assert theta.note == (
        "RoPE's theta 500,000 (8B), from its parent Llama 3.1; "
        "RoPE's theta 500,000 (70B), from its parents Llama 3.1 and Llama 3.3"
    )
    wide = row_of("zephyr", "ffn")
    assert wide.instead == ("hidden layer 3.5 × d_model",)
    assert wide.note == "hidden layer 3.5 × d_model, from its parent Mistral 7B"
    assert row_of("zephyr", "attention").note == (
        "its parent Mistral 7B has a window in some or all layers"
    )
    assert row_of("code-llama", "ffn").instead == ("hidden layer 3.5 × d_model (70B)",)
    assert row_of("llava", "position").note == "RoPE's theta 10,000, from its parent Vicuna"


def test_a_size_that_starts_from_another_model_takes_nothing_from_the_parent():
    row = row_of("r1-distill-qwen", "position")
    assert row.instead == ("RoPE's theta 1,000,000 (14B, 32B)",)
    assert row.missing == "theta not stated for 1.5B and 7B"


def test_parents_that_say_different_things_settle_nothing():
    one, other = TREE.nodes["llama-2"], TREE.nodes["code-llama"]
    edges = [replace(TREE.parents_of("zephyr")[0], parent=each.id) for each in (one, other)]
    tree = Tree(nodes=TREE.nodes, edges=edges)
    (row,) = [row for row in compare(tree, TREE.nodes["zephyr"]) if row.feature == "position"]
    assert (row.verdict, row.missing) == (AS_STATED, "theta not stated")


def test_a_width_is_told_of_the_sizes_that_have_it():
    row = row_of("llama-3.1", "ffn")
    assert row.instead == (
        "hidden layer 3.25 × d_model (405B)",
        "hidden layer 3.5 × d_model (8B, 70B)",
    )
    assert "(8B), as in Llama 3 8B of the same shape" in row.note
    row = row_of("llama-3.2", "ffn")
    assert row.instead == ("hidden layer 4 × d_model (1B)",)
    assert row.missing == "hidden / d_model not stated for 11B vision and 90B vision"


def test_one_line_says_all_that_differs():
    assert in_one_line(compare(TREE, TREE.nodes["llama-2"])) == (
        "Differs from LLaMA in: feed-forward (in part: hidden layer 3.5 × d_model (70B)); "
        "attention (in part: grouped queries); context (4,096 tokens)."
    )
