"""The Home page through the app's own entry: every view, what the link sets, and the one button."""

import json
import re
from dataclasses import replace

import pytest
from conftest import PAGES, go_back, open_page, prose

from explorer import content, controls, session
from explorer.engine.limits import limits
from explorer.home import doors, meaning, papers, views
from explorer.home.headline import ORDERS
from explorer.home.results import SORTS
from explorer.home.tables import duels, tables
from explorer.home.training_facts import AGAINST, COSTS, MIX
from tiny_llama.setup import TINY, Setup, changes

pytestmark = pytest.mark.usefixtures("app_engine")


def words(app):
    """Give every word of Markdown and caption on the page."""
    return "\n".join([*prose(app), *(each.value for each in app.header)])


def pictures(app):
    """List the alternative texts of the charts."""
    return [each.proto.alt for each in app.get("plotly_chart")]


def rows_of(app):
    """List the rows of the chart of results, from top to bottom."""
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    return spec["layout"]["yaxis"]["categoryarray"][::-1]


def is_well(app):
    return not app.exception and not app.error


@pytest.mark.parametrize("view", [view.name for view in views.VIEWS])
def test_every_view_opens_and_every_picture_has_its_words(view):
    app = open_page("home", view=view)
    assert is_well(app)
    assert all(len(alt) > 40 for alt in pictures(app))
    assert "Source: " in words(app) or "How sure" in words(app) or view in ("research", "glossary")


def test_the_card_and_its_sources_are_on_the_first_view():
    said = words(open_page("home"))
    for row in content.facts("model_card")["card"]:
        for key in ("field", "value", "note", "source"):
            assert content.escaped(row[key]) in said


def test_the_first_view_has_a_recorded_training_and_where_to_begin():
    app = open_page("home")
    (replay,) = [each for each in app.get("bidi_component") if each.key == "replay"]
    assert "Recorded: tales-llama" in json.loads(replay.proto.json)["alt"]
    assert app.button(key="train_now").proto.type == "primary"
    assert app.button(key="take_tour")


def test_every_other_page_has_a_card_with_a_picture_and_a_link():
    assert set(doors.doors()) == set(PAGES) - {"home"}
    app = open_page("home")
    links = [each.proto.label for each in app.get("page_link")]
    for name, entry in doors.doors().items():
        assert f"**{entry.title}**" in links
        assert entry.help in words(app)
        assert (doors.PICTURES / f"{name}.svg").read_text().startswith("<svg")
    assert {file.stem for file in doors.PICTURES.iterdir()} == set(doors.doors())


def test_why_it_matters_shows_every_claim_with_its_source_and_how_sure_it_is():
    said = words(open_page("home", view="meaning"))
    facts = content.facts("model_card")
    for section in ("description", "why", "milestones", "innovations"):
        for row in facts[section]:
            assert content.escaped(row["text"]) in said
            assert content.escaped(row["source"]) in said
    for row in facts["open"]:
        assert row["state"] in said
    assert "from memory" in said


def test_a_teacher_reads_three_claims_and_sees_one_picture_before_anything_is_unfolded():
    app = open_page("home", view="meaning")
    (box,) = [each for each in app.expander if each.label == "Milestones and key innovations"]
    assert not box.proto.expanded
    inside = prose(box)
    for row in meaning.aloud():
        assert not any(content.escaped(row["text"]) in each for each in inside)
    claims = [row for rows in meaning.folded().values() for row in rows]
    for row in claims:
        assert any(content.escaped(row["text"]) in each for each in inside)
    assert len(meaning.aloud()) == 3
    assert len(pictures(app)) == 1
    assert rows_of(app) == [entry.label for entry in meaning.by_score()]


def test_the_headline_is_sorted_as_the_link_says():
    app = open_page("home")
    by = {"gap": lambda d: -d.gap, "score": lambda d: -d.llama, "test": lambda d: d.test.lower()}
    for order in reversed(ORDERS):
        assert rows_of(go_back(app, order=order)) == [
            duel.test for duel in sorted(duels(), key=by[order])
        ]


def test_every_table_is_drawn_told_in_words_and_cited():
    app = open_page("home", view="results")
    for name, table in tables().items():
        app.selectbox(key="table").set_value(name).run()
        assert is_well(app)
        assert set(rows_of(app)) == {entry.label for entry in table.entries}
        said = words(app)
        assert content.home(f"table_{name}") in said
        assert content.escaped(table.entries[0].source) in said
        frame = app.dataframe[0].value
        assert list(frame.columns[1:]) == list(table.measures.values())
        gaps = [score is None for entry in table.entries for score in entry.scores.values()]
        assert int(frame.isna().sum().sum()) == sum(gaps)


def test_results_are_sorted_as_the_link_says():
    app = open_page("home", view="results", table="mmlu", measure="STEM")
    first = {"score": "PaLM 540B", "size": "PaLM 540B", "name": "Chinchilla 70B"}
    last = {"score": "PaLM 8B", "size": "LLaMA 7B", "name": "PaLM 8B"}
    for sort in SORTS:
        rows = rows_of(go_back(app, view="results", table="mmlu", measure="STEM", sort=sort))
        assert (rows[0], rows[-1]) == (first[sort], last[sort])


def test_what_is_chosen_stands_in_the_link_and_the_usual_does_not():
    app = open_page("home", view="results")
    assert not {"table", "measure", "sort", "families"} & set(app.query_params)
    app.selectbox(key="table").set_value("maths").run()
    app.selectbox(key="measure").set_value("MATH").run()
    app.selectbox(key="sort").set_value("size").run()
    assert {key: app.query_params[key] for key in ("table", "measure", "sort")} == {
        "table": "maths",
        "measure": "MATH",
        "sort": "size",
    }
    assert rows_of(app)[0] == "PaLM 540B" or rows_of(app)[0] == "Minerva 540B"
    app.selectbox(key="table").set_value("common_sense").run()
    assert "measure" not in app.query_params
    assert is_well(app)


def test_models_can_be_left_out_and_the_link_keeps_it():
    app = open_page("home", view="results")
    app.get("button_group")[-1].set_value(["LLaMA", "GPT-3"]).run()
    kept = {"GPT-3 175B", "LLaMA 7B", "LLaMA 13B", "LLaMA 33B", "LLaMA 65B"}
    assert set(rows_of(app)) == kept
    assert app.query_params["families"] == "LLaMA,GPT-3"
    again = open_page("home", view="results", families=app.query_params["families"])
    assert set(rows_of(again)) == kept


def test_a_filter_that_leaves_nothing_is_answered_with_a_sentence():
    app = open_page("home", view="results", table="trivia_qa", families="GPT-3")
    assert "choose others" in app.info[0].value
    assert not app.get("plotly_chart")


NONSENSE = (
    {"view": "nothing", "order": "x"},
    {"view": "results", "table": "<b>", "measure": "x", "sort": "y", "families": "z"},
    {"view": "training", "mix": "x", "against": "x", "cost": "x"},
    {"view": "research", "paper": "../x"},
    {"view": "glance", "paper": "zzz"},
)


def test_nonsense_in_a_link_falls_back_to_the_usual_and_leaves_the_link():
    app = open_page("home")
    for link in NONSENSE:
        assert is_well(go_back(app, **link))
        assert not set(app.query_params) - {"view"}


def test_a_paper_in_the_link_stays_there_whatever_is_shown():
    app = open_page("home", paper="rope")
    assert app.query_params["paper"] == "rope"
    assert "arXiv:" not in words(app)
    app.segmented_control(key="view").set_value("research").run()
    assert content.home("paper_rope") in words(app)


def test_every_choice_of_how_it_was_trained_has_its_chart():
    app = open_page("home", view="training")
    axes = {"mix": MIX, "against": AGAINST, "cost": COSTS}
    for word, name, choice in [(w, n, c) for w, table in axes.items() for n, c in table.items()]:
        assert is_well(go_back(app, view="training", **{word: name}))
        assert any(choice.axis in alt for alt in pictures(app))


@pytest.mark.parametrize("name", ["transformer", "sentencepiece"])
def test_a_paper_opens_out_of_a_link_with_all_that_is_known_of_it(name):
    app = open_page("home", view="research", paper=name)
    row, said = papers.paper(name), words(app)
    assert row["key_equation_latex"] in said
    assert content.home(f"paper_{name}") in said
    assert content.escaped(row["title"]) in said
    assert f"arXiv:{row['arxiv']}" in said
    assert content.escaped(row["source"]) in said
    assert row["confidence"].replace("-", " ") in said
    assert said.count("arXiv:") == 1  # no other paper is open


def test_every_paper_is_a_card_with_the_whole_of_its_key_equation():
    app = open_page("home", view="research")
    for name, card in papers.CARDS.items():
        assert card.name in app.button(key=f"paper_{name}").label
        equation = papers.paper(name)["key_equation_latex"]
        assert papers.on_card(equation) in words(app)
        bare = papers.on_card(equation).removeprefix(r"\footnotesize\begin{gathered}")
        bare = bare.removesuffix(r"\end{gathered}").replace(r"\\", r",\qquad")
        assert bare.replace(r"\right),\qquad =", r"\right)=") == equation


@pytest.mark.parametrize("name", ["kaplan-scaling", "chinchilla"])
def test_a_paper_on_scaling_leads_to_the_count_that_its_label_names(name):
    app = open_page("home", view="research", paper=name)
    touch = papers.CARDS[name].touch
    assert touch.label in [each.proto.label for each in app.get("page_link")]
    there = open_page(touch.page, **touch.link)
    assert is_well(there)
    assert touch.link.items() <= dict(there.query_params).items()
    for row in ("6ND with all parameters", "Exact: 3 × forward"):
        assert row in words(there)
    assert ("20 tokens for each" in words(there)) == (name == "chinchilla")


def test_the_sum_over_the_whole_project_is_the_same_on_both_pages_that_tell_it():
    told = [
        re.search(r"would be about ([\d,]+) MWh", words(page))[1]
        for page in (
            open_page("home", view="training"),
            open_page("architecture", view="training"),
        )
    ]
    assert told == ["3,290", "3,290"]


def test_one_press_trains_what_the_train_page_would_train():
    app = open_page("home", owner="presses")
    app.button(key="train_now").click().run()
    assert is_well(app)
    assert app.title[0].value == "Train"
    run = session.engine().poll(app.query_params["run"])
    assert session.engine().is_owner(run, "presses")
    assert changes(run.setup, Setup()) == {}
    assert controls.link_to(run.setup) == {
        "preset": TINY[0]
    }  # no setting of the Train page differs
    session.engine().control(run.id, "stop", owner="presses")


def test_a_run_that_cannot_start_is_explained_in_one_sentence(app_engine, monkeypatch):
    few = replace(limits(), live_runs_a_student=0)
    monkeypatch.setattr(app_engine.admission, "limits", few)
    app = open_page("home", owner="refused")
    app.button(key="train_now").click().run()
    assert not app.exception
    assert app.title[0].value == "Tiny LLaMA Explorer"
    assert app.error[0].value.endswith(".")
