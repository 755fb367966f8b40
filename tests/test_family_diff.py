"""What differs from LLaMA, told by meaning: for single values, for a dozen models, for all."""

from dataclasses import replace

import pytest

from explorer.family.checked import FEATURES
from explorer.family.diff import (
    DIFFERS,
    IN_PART,
    NOT_KNOWN,
    SAME,
    VERDICTS,
    choices_of,
    compare,
    exact_rows,
    in_one_line,
)
from explorer.family.tree import ROOT, family_tree

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
    "olmo": {"norm": DIFFERS, "tied_embeddings": IN_PART, **OTHER_WORDS},
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
    "llama-1": {},
}


def changed(**parts):
    """LLaMA with other parts, and without the exact numbers that it has."""
    return replace(LLAMA, architecture={**LLAMA.architecture, **parts}, config_ids=())


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
        ("position", "RoPE", SAME),
        ("position", "RoPE (theta 10,000)", SAME),
        ("position", "RoPE (theta 1,000,000)", IN_PART),
        ("position", "RoPE (25 % of head dims)", IN_PART),
        ("position", "learned", DIFFERS),
        ("position", "ALiBi", DIFFERS),
        ("ffn", "SwiGLU", SAME),
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
    row = next(row for row in compare(TREE, TREE.nodes["kimi-k2"]) if row.feature == "position")
    assert row.instead == ("turns a separate part of each head",)


def test_exact_numbers_tell_what_the_words_leave_open():
    by_name = {row.feature: row for row in compare(TREE, TREE.nodes["smollm2"])}
    assert by_name["position"].node == "RoPE"
    assert by_name["position"].instead == ("RoPE's theta 100,000", "RoPE's theta 130,000")
    assert by_name["ffn"].instead == ("hidden layer 4 × d_model",)
    assert "exact configurations below" in by_name["position"].note


@pytest.mark.parametrize("name", ["llama-1", "tinyllama", "openllama", "tinystories-llama2c"])
def test_hidden_layers_by_llamas_rule_are_the_same_whatever_they_are_rounded_to(name):
    assert exact_rows(TREE.nodes[name])
    assert choices_of("ffn", TREE.nodes[name]) == {"SwiGLU"}


def test_what_no_source_says_is_said_to_be_open():
    line = in_one_line(compare(TREE, TREE.nodes["alpaca"]))
    assert line.startswith("The same architecture as LLaMA's in everything that the table tells.")
    assert "theta not stated" in line
    assert "Not disclosed: biases, tied embeddings." in in_one_line(
        compare(TREE, TREE.nodes["gopher"])
    )


def test_one_line_says_all_that_differs():
    assert in_one_line(compare(TREE, TREE.nodes["llama-2"])) == (
        "Differs from LLaMA in: feed-forward (in part: hidden layer 3.5 × d_model); "
        "attention (in part: grouped queries); context (4,096 tokens)."
    )
