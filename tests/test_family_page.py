"""The Family tree page: the card, the filters, the list, and links that open all of them."""

import json

import pytest
from conftest import open_page

from explorer import content, controls
from explorer.family.filtering import Filter, counted
from explorer.family.page import VIEWS
from explorer.family.tree import ROOT, family_tree
from explorer.settings import describe
from tiny_llama.miniatures import MINIATURES
from tiny_llama.setup import Setup, changes

pytestmark = pytest.mark.usefixtures("app_engine")

TREE = family_tree()
HANDFUL = ["llama-1", "gpt-j", "rope", "dpo", "deepseek-v2", "llama-cpp", "gopher", "opt"]
PRESSED = "walk down llama-2 successor"


def said(app):
    return "\n".join(each.value for each in (*app.markdown, *app.caption))


def drawn(app):
    return [
        json.loads(each.proto.json)
        for each in app.get("bidi_component")
        if "relations" in (each.proto.json or "")
    ]


def word(app, key):
    """Read what the link says; the tests' app gives a list for what it was opened with."""
    found = app.query_params[key]
    return found if isinstance(found, str) else found[0]


def card_of(app):
    return next(each.value for each in app.header if each.proto.anchor == "card")


def test_the_page_opens_with_the_whole_tree_and_the_card_of_llama():
    app = open_page("family_tree")
    assert "92 of 92 entries, 146 of 146 links" in said(app)
    assert card_of(app) == "LLaMA"
    saved = {each.proto.label for each in app.get("download_button")}
    assert saved == {"All data as CSV (zip)", "All data as JSON"}
    assert not {"node", "view", "lanes", "years", "find", "relation"} & set(app.query_params)


@pytest.mark.parametrize(
    ("node", "view"), [*((node, "tree") for node in HANDFUL), ("gpt-j", "list"), ("rope", "list")]
)
def test_a_link_opens_the_card_of_a_node_with_source_and_confidence(node, view):
    app = open_page("family_tree", node=node, view=view)
    entry, text = TREE.nodes[node], said(app)
    assert card_of(app) == content.escaped(entry.name)
    assert content.escaped(entry.description) in text
    assert content.cited(entry.source, entry.confidence, entry.unverified_fields) in text
    assert content.CONFIDENCE[entry.confidence] in text
    assert text.count("not verified") >= len(entry.unverified_fields)
    for edge in (*TREE.parents_of(node), *TREE.children_of(node)):
        assert content.escaped(edge.evidence) in text


def test_the_card_of_a_model_says_what_differs_from_llama():
    text = said(open_page("family_tree", node="gpt-j")).replace("\\", "")
    assert "Differs from LLaMA in: norm (LayerNorm)" in text
    assert ":material/swap_horiz: differs" in text
    assert ":material/contrast: differs in part" in text
    assert "402 billion :material/help: not verified" in text
    assert "6,053,381,344" in text, "what the project's page prints stays on screen"


def test_a_number_that_is_not_stated_is_told_from_the_parent_beside_the_verdict():
    text = said(open_page("family_tree", node="r1-distill-llama")).replace("\\", "")
    assert "| RoPE (theta 10000) | :material/contrast: differs in part: **RoPE** |" in text
    assert "**Positions:** RoPE's theta 500,000 (8B), from its parent Llama 3.1;" in text
    text = said(open_page("family_tree", node="olmo")).replace("\\", "")
    assert ":material/rule: same as far as stated: RoPE; *theta not stated*" in text


def test_the_card_of_llama_names_its_sizes_and_how_open_it_was():
    text = said(open_page("family_tree")).replace("\\", "")
    assert "7B: 6,738,415,616; 13B: 13,015,864,320" in text
    assert "llama-1-7b" not in text
    assert "granted access case by case" in text


def test_an_entry_without_an_architecture_says_so():
    assert "none to compare; this entry is research" in said(open_page("family_tree", node="rope"))


def test_what_was_not_disclosed_is_said_in_words():
    text = said(open_page("family_tree", node="gopher"))
    assert "Not disclosed: biases, tied embeddings" in text.replace("\\", "")
    assert ":material/help: not disclosed" in text


def test_parents_and_children_are_buttons_that_walk_there():
    app = open_page("family_tree")
    app.button(key=PRESSED).click().run()
    assert not app.exception
    assert card_of(app) == "Llama 2"
    assert word(app, "node") == "llama-2"
    app.button(key="walk up llama-1 successor").click().run()
    assert card_of(app) == "LLaMA"
    assert "node" not in app.query_params


def test_a_node_that_is_not_in_the_tree_is_one_sentence_and_shows_llama():
    app = open_page("family_tree", node="<b>gpt-9</b>" + 100 * "x")
    (told,) = app.toast
    assert "which cannot be chosen here" in told.value
    assert "<b>" not in told.value.replace("\\<b\\>", "")
    assert len(told.value) < 200
    assert card_of(app) == "LLaMA"


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        ({"relation": "distilled-from"}, Filter.of(relations=["distilled-from"])),
        ({"openness": "closed,paper"}, Filter.of(openness=["closed", "paper"])),
        ({"maker": "meta,mistral"}, Filter.of(makers=["meta", "mistral"])),
        ({"years": "2017-2019"}, Filter.of(years=(2017, 2019))),
        ({"find": "qwen"}, Filter.of(words="qwen")),
        (
            {"find": "llama", "years": "2023-2023", "maker": "universities"},
            Filter.of(words="llama", years=(2023, 2023), makers=["universities"]),
        ),
    ],
)
def test_filters_out_of_a_link_show_what_fits_and_stay_in_the_link(link, asked):
    app = open_page("family_tree", **link)
    shown = asked.apply(TREE)
    assert counted(shown, TREE) in said(app)
    (data,) = drawn(app)
    assert [node["id"] for node in data["nodes"]] != []
    assert {node["id"] for node in data["nodes"]} == set(shown.nodes)
    assert {key: word(app, key) for key in link} == link
    app.run()
    assert counted(shown, TREE) in said(app)


def test_widgets_put_their_choices_into_the_link_and_one_button_clears_them():
    app = open_page("family_tree")
    app.button_group(key="relation").set_value(["successor", "reproduces"]).run()
    app.text_input(key="find").set_value("llama").run()
    app.slider(key="years").set_value((2022, 2024)).run()
    assert word(app, "relation") == "successor,reproduces"
    assert word(app, "find") == "llama"
    assert word(app, "years") == "2022-2024"
    asked = Filter.of(relations=["successor", "reproduces"], words="llama", years=(2022, 2024))
    assert counted(asked.apply(TREE), TREE) in said(app)
    next(each for each in app.button if each.label == "Clear all filters").click().run()
    assert "92 of 92 entries" in said(app)
    assert not {"relation", "find", "years"} & set(app.query_params)


@pytest.mark.parametrize(
    ("words", "view"),
    [("<script>alert(1)</script>", "tree"), ("$x$ `|` \\ **", "tree"), ("🦙" * 60, "list")],
)
def test_a_search_that_finds_nothing_says_so_and_offers_to_clear(view, words):
    app = open_page("family_tree", find=words, view=view)
    (info,) = app.info
    assert info.value.startswith("No entry fits all of these filters")
    assert "0 of 92 entries, 0 of 146 links" in said(app)
    assert "<script>" not in said(app)
    assert not drawn(app)
    next(each for each in app.button if each.label == "Clear all filters").click().run()
    assert "92 of 92 entries" in said(app)


@pytest.mark.parametrize("key", ["relation", "openness", "maker", "years", "lanes", "view"])
def test_rubbish_in_a_link_is_the_usual(key):
    app = open_page("family_tree", **{key: "<b>,1-2-3,\0"})
    assert "92 of 92 entries" in said(app)


def test_lanes_by_organisation_are_in_the_link():
    app = open_page("family_tree", lanes="organisation")
    (data,) = drawn(app)
    assert data["lanes"][0] == "Meta"
    app.button_group(key="lanes").set_value("kind").run()
    assert drawn(app)[0]["lanes"] == ["Research", "Models", "Software"]
    assert "lanes" not in app.query_params


def test_the_list_has_the_same_entries_in_time_order_and_opens_the_same_card():
    app = open_page("family_tree", view="list", years="2022-2023")
    shown = Filter.of(years=(2022, 2023)).apply(TREE)
    entries = [each.key for each in app.button if (each.key or "").startswith("entry ")]
    assert entries == [f"entry {name}" for name in shown.nodes]
    app.button(key="entry palm").click().run()
    assert card_of(app) == "PaLM"
    assert word(app, "node") == "palm"
    assert "It uses research or work of RoPE" not in said(app), "its parents are not in these years"


def test_an_open_card_stays_when_a_filter_hides_its_entry():
    for view in [each.name for each in VIEWS]:
        app = open_page("family_tree", node="gpt-2", maker="meta", view=view)
        assert card_of(app) == "GPT\\-2"


def links(app):
    return {each.proto.label: each.proto for each in app.get("page_link")}


def test_a_miniature_opens_the_train_page_with_its_choices_and_says_what_it_has():
    config = MINIATURES["gpt-3"].config
    app = open_page("family_tree", node="gpt-3")
    found = links(app)
    asked = controls.link_to(Setup(model=config))
    for label in ("Train its miniature", "See its architecture"):
        assert all(f"{name}={word}" in found[label].query_string for name, word in asked.items())
    changed = describe(changes(Setup(), Setup(model=config)))
    assert "Norm: rmsnorm → layernorm, Positions: rope → learned" in changed
    assert content.escaped(changed) in said(app)


def test_a_miniature_that_is_not_possible_says_why():
    assert MINIATURES["deepseek-v2"].config is None
    app = open_page("family_tree", node="deepseek-v2")
    assert "Train its miniature" not in links(app)
    assert content.escaped(MINIATURES["deepseek-v2"].why_not) in said(app)


def test_every_model_has_a_miniature_or_a_reason_why_not():
    assert {node.id for node in TREE.nodes.values() if node.kind == "model"} <= set(MINIATURES)
    for name, miniature in MINIATURES.items():
        assert name in TREE.nodes
        assert (miniature.config is None) == bool(miniature.why_not)


def test_the_exact_numbers_of_a_model_follow_its_card():
    app = open_page("family_tree", node="gpt-3")
    (table,) = app.dataframe
    shown = table.value
    rows = {row["name"]: row for row in content.facts("configs")["configs"]}
    assert list(shown["model"]) == [
        row["name"] for row in rows.values() if row["id"] in TREE.nodes["gpt-3"].config_ids
    ]
    for _, line in shown.iterrows():
        row = rows[line["model"]]
        assert line["parameters"] == f"{row['params_measured']:,}"
        assert (line["d_model"], line["layers"], line["hidden"]) == (
            row["dim"],
            row["n_layers"],
            row["ffn_hidden"],
        )
        assert line["source"] == row["source"]
        assert line["confidence"] in content.CONFIDENCE
        assert content.cited(row["source"], row["confidence"]) in said(app)


def test_the_root_of_the_tree_is_the_root_of_the_facts():
    assert content.facts("family_tree")["meta"]["root"] == ROOT
