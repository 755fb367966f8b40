"""The family tree's data: complete, sourced, in time order; what filters leave, what is saved."""

import csv
import io
import json
from zipfile import ZipFile

import pytest

from explorer import content
from explorer.family import export
from explorer.family.axis import axis_of, places_of
from explorer.family.card import edge_words
from explorer.family.diff import compare
from explorer.family.facts import NOT_READ, facts_of
from explorer.family.filtering import (
    FIRST_YEAR,
    LAST_YEAR,
    MAKER_TITLES,
    OPENNESS,
    Filter,
    counted,
)
from explorer.family.listing import entry_words
from explorer.family.time_line import LANES, lane_of, node_words, time_line_of
from explorer.family.tree import KINDS, MAKERS, RELATIONS, ROOT, Tree, family_tree
from explorer.family.unverified import FEATURES, unverified

TREE = family_tree()
NODES = list(TREE.nodes.values())
EVERY_NODE = pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)


def names(tree: Tree) -> set[str]:
    return set(tree.nodes)


def test_the_tree_has_all_its_nodes_and_edges():
    assert (len(TREE.nodes), len(TREE.edges)) == (92, 146)
    assert [sum(node.kind == kind for node in NODES) for kind in KINDS] == [19, 63, 10]
    assert ROOT in TREE.nodes


def test_every_edge_joins_two_nodes_by_a_relation_that_is_explained():
    assert {edge.relation for edge in TREE.edges} == set(RELATIONS)
    meanings = content.facts("family_tree")["meta"]["relations"]
    assert set(meanings) == set(RELATIONS)
    assert all({edge.parent, edge.child} <= names(TREE) for edge in TREE.edges)
    assert all(edge.evidence and edge.confidence in content.CONFIDENCE for edge in TREE.edges)


def test_a_node_finds_its_parents_and_children():
    up = [(node.id, edge.parent) for node in NODES for edge in TREE.parents_of(node.id)]
    down = [(edge.child, node.id) for node in NODES for edge in TREE.children_of(node.id)]
    told = [(edge["to"], edge["from"]) for edge in content.facts("family_tree")["edges"]]
    assert sorted(up) == sorted(down) == sorted(told)
    assert {name for pair in told for name in pair} == names(TREE), "no node stands alone"


@EVERY_NODE
def test_every_fact_has_a_source_and_a_word_for_how_far_it_can_be_trusted(node):
    assert node.source.strip()
    assert node.confidence in content.CONFIDENCE
    said = content.cited(node.source, node.confidence, node.unverified_fields)
    assert content.escaped(node.source) in said
    assert content.CONFIDENCE[node.confidence] in said
    assert node.unverified_fields or node.confidence != "partly-verified"


@EVERY_NODE
def test_every_field_that_was_not_read_in_the_source_is_marked_where_it_is_shown(node):
    marked = {fact.field for fact in facts_of(node) if NOT_READ in fact.mark}
    marked |= {row.feature for row in compare(TREE, node) if row.unverified}
    doubtful = set(unverified(node))
    shown = {fact.field for fact in facts_of(node)}
    shown |= {row.feature for row in compare(TREE, node)}
    if node.confidence != "from-memory":
        assert doubtful <= shown
    assert marked == doubtful & shown
    assert bool(marked) == bool(node.unverified_fields or node.confidence == "from-memory")


@EVERY_NODE
def test_every_field_of_the_table_is_on_the_card(node):
    row = next(row for row in content.facts("family_tree")["nodes"] if row["id"] == node.id)
    facts = {fact.field: fact.value for fact in facts_of(node)}
    others = {"id", "name", "description", "architecture", "config_ids", "source", "confidence"}
    notes = {"date_note", "training_tokens_note", "params_measured_note", "unverified_fields"}
    for field, value in row.items():
        if value in (None, [], {}) or field in others | notes:
            continue
        assert facts[field]
        assert facts[field] != "not known"
    for field, of in (
        ("date_note", "release_date"),
        ("training_tokens_note", "training_tokens"),
        ("params_measured_note", "params_measured"),
    ):
        if row.get(field):
            assert content.escaped(row[field]) in facts[of]
    assert set(row["architecture"] or {}) <= set(FEATURES)


def test_dates_are_told_as_far_as_they_are_known():
    assert TREE.nodes[ROOT].date == "24 February 2023"
    assert TREE.nodes["bloom"].date == "July 2022"
    assert TREE.nodes["bloom"].has_only_month
    assert not TREE.nodes[ROOT].has_only_month


def test_search_finds_names_organisations_and_ids_in_any_letters():
    assert [node.id for node in TREE.search("MIXTRAL")] == ["mixtral"]
    assert {node.id for node in TREE.search("deepseek ")} >= {"deepseek-v2", "r1-distill-llama"}
    assert [node.id for node in TREE.search("llama2-c")] == ["llama2-c"]
    assert TREE.search("<b>") == []


def test_time_never_runs_back_but_for_a_later_version():
    axis, places = axis_of(NODES), places_of(TREE)
    for edge in TREE.edges:
        parent, child = TREE.nodes[edge.parent], TREE.nodes[edge.child]
        if edge.later_version:
            assert parent.place > child.place
        else:
            assert parent.month <= child.month
            assert axis.at(places[edge.parent]) < axis.at(places[edge.child])


def test_nodes_stand_within_their_own_year_and_near_their_date():
    axis, places = axis_of(NODES), places_of(TREE)
    ticks = dict(axis.ticks)
    assert next(iter(ticks)) == FIRST_YEAR
    assert list(ticks)[-1] == LAST_YEAR + 1
    for node in NODES:
        assert ticks[node.year] <= axis.at(places[node.id]) <= ticks[node.year + 1]
        assert 0 <= places[node.id] - node.place < 1 / 24
    assert list(ticks.values()) == sorted(ticks.values())
    assert (axis.at(FIRST_YEAR), axis.at(LAST_YEAR + 1)) == (0, 1)


@pytest.mark.parametrize("lanes", list(LANES))
def test_what_is_drawn_is_what_is_shown(lanes):
    data = time_line_of(TREE, lanes=lanes, chosen=ROOT)
    assert {node["id"] for node in data["nodes"]} == names(TREE)
    assert [node["at"] for node in data["nodes"]] == sorted(node["at"] for node in data["nodes"])
    assert {(one, other) for one, other, *_ in data["edges"]} == {
        (edge.parent, edge.child) for edge in TREE.edges
    }
    assert sum(later for *_, later in data["edges"]) == 4
    assert {node["lane"] for node in data["nodes"]} == set(range(len(data["lanes"])))
    assert "92 entries and 146 links" in data["alt"]
    json.dumps(data)


def test_a_node_is_told_in_one_line():
    assert node_words(TREE, TREE.nodes["llama-2"]) == (
        "Llama 2, Meta, July 2023, open weight; 2 parents, 11 children"
    )
    assert node_words(TREE, TREE.nodes["rope"]).startswith(
        "RoPE (RoFormer), Zhuiyi Technology, April 2021, research; 0 parents"
    )


def test_a_node_is_in_the_lane_of_whoever_is_named_first():
    assert lane_of(TREE.nodes["alibi"], "organisation") == "universities"
    assert lane_of(TREE.nodes["chinchilla"], "organisation") == "google"
    assert lane_of(TREE.nodes["llama-cpp"], "organisation") == "others"
    assert {maker for node in NODES for maker in node.makers} == set(MAKER_TITLES)
    assert set(MAKERS) < set(MAKER_TITLES)


def test_edges_are_told_from_the_later_to_the_earlier():
    def said(parent, child):
        found = [e for e in TREE.children_of(parent) if e.child == child]
        return [edge_words(edge, TREE).replace("\\", "") for edge in found]

    assert said("llama-1", "alpaca")[0].startswith("Alpaca is fine-tuned from LLaMA. Evidence: ")
    assert said("llama-1", "mistral-7b")[0].startswith(
        "Mistral 7B follows the architecture of LLaMA."
    )
    assert said("llama-1", "llama-2")[0].startswith("Llama 2 is the successor of LLaMA.")
    assert said("gpt-3", "alpaca")[0].startswith("Alpaca is distilled from GPT-3.")
    assert said("llama-1", "openllama")[0].startswith("OpenLLaMA reproduces LLaMA.")
    assert said("rope", "llama-1")[0].startswith("LLaMA uses research or work of RoPE")
    assert said("llama-1", "llama-cpp")[0].startswith("llama.cpp is software for LLaMA.")
    assert "(a later version of it)" in said("llama-2", "vicuna")[0]
    assert "from memory" in said("gpt-3", "gpt-j")[0]
    assert len(said("llama-3.1", "llama-3.2")) == 2


def test_the_list_tells_parents_and_children_in_words():
    said = entry_words(TREE, TREE.nodes["zephyr"])
    assert said == (
        "26 October 2023, Hugging Face H4, open source. "
        "It is fine-tuned from Mistral 7B. "
        "It uses research or work of Direct Preference Optimization."
    )
    said = entry_words(TREE, TREE.nodes["llama-1"])
    assert "It gave its weights to Alpaca, Alpaca-LoRA, Vicuna, Koala, " in said
    assert "It was followed by Llama 2. " in said


# -- Filters --------------------------------------------------------------------------------------


def test_no_filter_shows_everything():
    assert Filter().is_open
    shown = Filter().apply(TREE)
    assert (list(shown.nodes), list(shown.edges)) == (list(TREE.nodes), list(TREE.edges))
    assert counted(shown, TREE) == ("92 of 92 entries, 146 of 146 links")


@pytest.mark.parametrize("relation", list(RELATIONS))
def test_a_relation_leaves_its_edges_and_what_they_join(relation):
    shown = Filter.of(relations=[relation]).apply(TREE)
    assert {edge.relation for edge in shown.edges} == {relation}
    assert len(shown.edges) == sum(edge.relation == relation for edge in TREE.edges)
    assert names(shown) == {end for edge in shown.edges for end in (edge.parent, edge.child)}


@pytest.mark.parametrize("openness", list(OPENNESS))
def test_an_openness_leaves_its_nodes_and_the_edges_between_them(openness):
    shown = Filter.of(openness=[openness]).apply(TREE)
    assert {node.access for node in shown.nodes.values()} == {OPENNESS[openness]}
    assert all({edge.parent, edge.child} <= names(shown) for edge in shown.edges)


def test_every_node_is_in_one_openness():
    shown = [Filter.of(openness=[name]).apply(TREE) for name in OPENNESS]
    assert sum(len(each.nodes) for each in shown) == len(TREE.nodes)


def test_organisations_years_and_words_narrow_one_another():
    assert "llama-1" in names(Filter.of(makers=["meta"]).apply(TREE))
    assert "palm" not in names(Filter.of(makers=["meta"]).apply(TREE))
    both = Filter.of(makers=["meta", "google"], years=(2022, 2022)).apply(TREE)
    assert names(both) == {"opt", "palm", "chinchilla"}
    assert names(Filter.of(makers=["meta"], words=" LIMA ").apply(TREE)) == {"lima"}
    assert not Filter.of(makers=["mistral"], years=(2015, 2016)).apply(TREE).nodes


def test_a_filtered_tree_can_be_drawn():
    shown = Filter.of(relations=["distilled-from"]).apply(TREE)
    data = time_line_of(shown, lanes="kind", chosen=ROOT)
    assert len(data["nodes"]) == 7
    assert data["lanes"] == ["Models"]
    assert data["ticks"][0][0] == 2020


# -- Taking it home -------------------------------------------------------------------------------


def test_the_tables_have_every_node_and_edge_and_say_what_the_facts_say():
    facts = content.facts("family_tree")
    with ZipFile(io.BytesIO(export.as_zip())) as archive:
        nodes, edges = (
            list(csv.DictReader(io.TextIOWrapper(archive.open(name), "utf-8")))
            for name in ("nodes.csv", "edges.csv")
        )
    assert (len(nodes), len(edges)) == (92, 146)
    assert [row["id"] for row in nodes] == [row["id"] for row in facts["nodes"]]
    llama = next(row for row in nodes if row["id"] == ROOT)
    assert llama["architecture.position"] == "RoPE (theta 10000)"
    assert llama["architecture.biases"] == "false"
    assert llama["sizes"] == "7B; 13B; 33B; 65B"
    assert "llama-1-65b=65285660672" in llama["params_measured"]
    assert [(row["from"], row["to"]) for row in edges] == [
        (row["from"], row["to"]) for row in facts["edges"]
    ]
    assert export.as_zip() == export.as_zip()
    assert json.loads(export.as_json()) == facts
