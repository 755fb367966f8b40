"""A second model beside the current one: by the link, and in every view that takes two."""

import base64
import json
import re
from importlib import import_module

import numpy as np
import pytest
from conftest import PAGES, QUICK, ROOT, open_page, trained, training, until, walk

from explorer import session
from explorer.engine.server.pretrained import pretrained_run
from explorer.settings import what_it_has
from tiny_llama.setup import Setup

pytestmark = pytest.mark.usefixtures("app_engine")
ONE, OTHER = "tales-llama", "tales-gpt3"
INSIDE = [name for name in PAGES if (ROOT / "explorer" / "inside" / name).is_dir()]
VIEWS = [(page, view) for page in INSIDE for view in import_module(f"explorer.inside.{page}").VIEWS]
TWO = [(page, view.name) for page, view in VIEWS if view.takes_two]
TINY = QUICK | {"steps": "1", "n_layers": "1", "n_heads": "2", "d_model": "16", "context": "32"}


def sent(app):
    """Give what the components of a page were sent, by their keys."""
    found = app.get("bidi_component")
    return {each.key: json.loads(each.proto.json) for each in found if each.proto.json}


def names(app):
    """List the names over the halves of a view."""
    found = re.findall(r"<b>(.*?)</b>", "".join(each.proto.body for each in app.get("html")))
    return [name for name in found if name.startswith(("tales-", "repeat-", "Run "))]


def said(app):
    kinds = (app.caption, app.warning, app.error)
    return "\n".join(each.value for kind in kinds for each in kind)


@pytest.fixture(scope="module")
def odd_runs(engine):
    """Give an id for each odd model, trained for a step."""
    odd = {
        "small": {},
        "no attention": {"attention": "none"},
        "no feed-forward": {"feed_forward": "none"},
        "bytes": {"tokenizer": "bytes"},
    }
    return trained(engine, {name: Setup().with_values(TINY | odd[name]) for name in odd})


def test_all_heads_of_both_models_stand_side_by_side():
    app = open_page("attention", beside=OTHER)
    assert names(app) == [ONE, OTHER]
    grids = [sent(app)[key] for key in ("heads", "heads_beside")]
    alone = [sent(open_page("attention", run=run))["heads"] for run in (ONE, OTHER)]
    assert [grid["layers"] for grid in grids] == [grid["layers"] for grid in alone]
    assert [grid["isHalf"] for grid in [*grids, *alone]] == [True, True, False, False]


def test_one_head_of_both_models_is_drawn_for_the_same_text_and_place():
    place = {"view": "head", "layer": "1", "head": "2", "text": "The cat sat"}
    app = open_page("attention", beside=OTHER, **place)
    both = [sent(app)[key] for key in ("reading", "reading_beside")]
    alone = sent(open_page("attention", run=OTHER, **place))["reading"]
    assert both[1]["patterns"] == alone["patterns"] != both[0]["patterns"]
    assert both[0]["tokens"] == both[1]["tokens"]
    assert [each["chosen"] for each in both] == [2, 2]


def test_the_last_head_of_a_smaller_model_stands_for_one_that_it_lacks(odd_runs):
    app = open_page("attention", view="head", beside=odd_runs["small"], layer="2", head="3")
    (place,) = [head for head in sent(app)["reading_beside"]["heads"] if head["head"] == 1]
    assert place["layer"] == 0
    assert "(n_layers=1, n_heads=2), so its layer 0, head 1 stands here" in said(app)
    assert sent(app)["reading"]["heads"][3]["layer"] == 2


@pytest.mark.parametrize("view", ["heads", "head"])
def test_a_model_without_attention_says_so_in_its_half_and_the_first_stays(view, odd_runs):
    app = open_page("attention", view=view, beside=odd_runs["no attention"])
    (error,) = app.error
    assert "has no attention to look at" in error.value
    assert {"heads": "heads", "head": "reading"}[view] in sent(app)
    assert any("Formula" in each.label for each in app.expander)


def test_models_of_different_tokenizers_read_the_same_text_each_in_its_own_tokens(odd_runs):
    app = open_page("attention", view="head", beside=odd_runs["bytes"], text="The cat sat")
    both = [sent(app)[key]["tokens"] for key in ("reading", "reading_beside")]
    assert len(both[1]) == len("The cat sat") > len(both[0])
    assert "tokens of its own tokenizer" in said(app)
    assert "tokens of its own tokenizer" not in said(open_page("attention", beside=OTHER))


def specs(app):
    return [json.loads(each.proto.spec) for each in app.get("plotly_chart")]


def test_next_tokens_of_both_stand_on_one_scale_after_the_same_text():
    link = {"text": "Once there was a kind", "written": "l2.h5"}
    app = open_page("generation", beside=OTHER, **link)
    assert names(app) == [ONE, OTHER]
    both = specs(app)
    ranges = [spec["layout"]["xaxis"]["range"] for spec in both]
    assert ranges[0] == ranges[1]
    alone = specs(open_page("generation", run=OTHER, **link))
    assert both[1]["data"][0]["x"] == alone[0]["data"][0]["x"] != both[0]["data"][0]["x"]
    app.button(key="add_likeliest").click().run()
    assert not app.exception
    assert specs(app)[1]["data"][0]["x"] != both[1]["data"][0]["x"]


def test_a_model_of_another_tokenizer_goes_on_from_the_written_text_too(odd_runs, engine):
    link = {"text": "Once there was a", "written": "l2.h5"}
    app = open_page("generation", beside=odd_runs["bytes"], **link)
    assert not app.error
    assert not app.exception
    asked = {"text": link["text"], "added": [2, 5], "seed": 0, "temperature": 0.8}
    filters = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
    written = "".join(engine.analyse(ONE, "next_token", **asked, **filters)["after"])
    whole = asked | {"text": link["text"] + written, "added": []}
    found = engine.analyse(odd_runs["bytes"], "next_token", **whole, **filters)
    drawn = specs(app)[1]["data"][0]["x"]
    shown = np.frombuffer(base64.b64decode(drawn["bdata"]), drawn["dtype"])
    np.testing.assert_array_equal(shown, found["probabilities"][0].round(5))


def test_both_write_on_by_the_same_seeds_and_settings():
    link = {"view": "samples", "sample_seed": "5", "n_samples": "2", "temperature": "0.5"}
    app = open_page("generation", beside=OTHER, **link)
    written = [each.value for each in app.code][:4]
    alone = [
        [each.value for each in open_page("generation", run=run, **link).code][:2]
        for run in (ONE, OTHER)
    ]
    assert written == [*alone[0], *alone[1]]
    assert written[:2] != written[2:]
    ranges = [spec["layout"]["yaxis"]["range"] for spec in specs(app)]
    assert ranges[0] == ranges[1]


def test_the_losses_of_both_are_coloured_by_one_scale_and_drawn_to_one_height():
    app = open_page("generation", view="surprise", beside=OTHER, text="The duck sat. The cat")
    boxes = [each.proto.body for each in app.get("html") if "<b style" in each.proto.body]
    alone = [
        [each.proto.body for each in page.get("html") if "<b style" in each.proto.body]
        for page in (
            open_page("generation", view="surprise", run=run, text="The duck sat. The cat")
            for run in (ONE, OTHER)
        )
    ]
    cells = [re.findall(r"<b style.*?</b>", each) for each in (*boxes, *alone[0], *alone[1])]
    assert cells[:2] == cells[2:]
    ranges = [spec["layout"]["yaxis"]["range"] for spec in specs(app)]
    assert ranges[0] == ranges[1]


def test_beyond_the_context_two_models_are_two_lines_of_one_chart(monkeypatch):
    monkeypatch.setattr("explorer.inside.rotary.longer.EARLY_SECONDS", 600)
    app = open_page("rotary", view="longer", beside=OTHER)
    (spec,) = specs(app)
    assert [line["name"] for line in spec["data"]] == [
        "tales-llama (this model)",
        "tales-gpt3 (beside it)",
    ]
    app.button_group(key="schemes").set_value(["alibi", "rope"]).run()
    lines = [line["name"] for line in specs(app)[0]["data"]]
    assert lines[2:] == ["ALiBi"]  # tales-llama is drawn already


def test_gate_and_up_has_another_beside_it_in_any_case_and_keeps_its_map_without(odd_runs):
    app = open_page("norm_and_swiglu", view="openings")
    assert app.selectbox(key="beside").value == ""
    assert "tales-gpt3 (" in app.get("plotly_chart")[1].proto.alt
    app = open_page("norm_and_swiglu", view="openings", beside="tales-alibi")
    assert "tales-alibi (" in app.get("plotly_chart")[1].proto.alt
    app = open_page("norm_and_swiglu", view="openings", beside=odd_runs["no feed-forward"])
    assert "has no feed\\-forward network" in app.error[0].value
    assert len(app.get("plotly_chart")) == 1
    assert any("Formula" in each.label for each in app.expander)


def test_a_second_model_that_trains_is_looked_at_as_it_stood_until_looked_at_again(engine):
    setup = Setup().with_values(TINY | {"steps": "50000", "n_snapshots": "0"})
    with training(engine, setup) as run_id:
        app = open_page("attention", view="head", beside=run_id)
        (step,) = sent(app)["reading_beside"]["steps"]
        until(lambda: engine.poll(run_id).step > step)
        app.selectbox(key="layer").set_value(1).run()
        assert sent(app)["reading_beside"]["steps"] == [step]
        next(each for each in app.button if each.label == "Look again").click().run()
        assert sent(app)["reading_beside"]["steps"][0] > step


def test_a_second_model_is_shown_after_the_step_that_is_chosen_if_it_has_kept_that():
    app = open_page("attention", view="head", run=ONE, beside="repeat-llama", at="0")
    assert sent(app)["reading_beside"]["steps"] == [0]
    app = open_page("attention", view="head", run=ONE, beside=OTHER, at="0")
    steps = [sent(app)[key]["steps"] for key in ("reading", "reading_beside")]
    assert steps == [[0], [pretrained_run(OTHER).step]]
    assert "tales-gpt3: 64 tokens · loss" in said(app).replace("\\", "")


def test_two_models_are_presented_without_what_has_no_room():
    app = open_page("attention", view="head", beside=OTHER, present="true")
    assert [sent(app)[key]["hasArcs"] for key in ("reading", "reading_beside")] == [False, False]
    alone = open_page("attention", view="head", present="true")
    assert sent(alone)["reading"]["hasArcs"]


def test_the_word_is_in_the_link_on_every_page_that_looks_inside():
    app = open_page("attention", view="head")
    assert "beside" not in app.query_params
    app.selectbox(key="beside").set_value(OTHER).run()
    assert app.query_params["beside"] == OTHER
    app = walk(app, "generation")
    assert app.query_params["beside"] == OTHER
    assert app.selectbox(key="beside").value == OTHER
    app.selectbox(key="beside").set_value("").run()
    assert "beside" not in app.query_params


def test_a_model_that_is_gone_is_told_in_a_sentence_and_the_first_is_shown():
    app = open_page("attention", beside="AAAAAAAA")
    assert [each.value for each in app.toast] == [
        "The link asks for beside “AAAAAAAA”, which cannot be chosen here; the page shows what can."
    ]
    assert list(sent(app)).count("heads") == 1
    assert not names(app)
    assert not app.error


def test_a_model_never_stands_beside_itself():
    app = open_page("attention", run=OTHER, beside=OTHER)
    assert not names(app)
    assert not app.toast
    assert OTHER not in app.selectbox(key="beside").options


@pytest.mark.parametrize(("page", "view"), TWO)
def test_without_a_second_model_nothing_more_is_asked(page, view, monkeypatch):
    asked = []
    analyse = session.engine().analyse
    monkeypatch.setattr(
        session.engine(),
        "analyse",
        lambda run, *rest, **values: asked.append(run) or analyse(run, *rest, **values),
    )
    open_page(page, view=view, run="repeat-llama", schemes="")
    assert set(asked) == {"repeat-llama"}


def test_what_a_model_has_is_what_the_other_has_not():
    llama, gpt3 = (pretrained_run(name).setup for name in (ONE, OTHER))
    assert what_it_has(llama, gpt3).startswith("RMSNorm, ")
    assert what_it_has(gpt3, llama).startswith("LayerNorm, ")
    assert what_it_has(llama, llama) == ""
    assert what_it_has(llama.with_settings({"seed": 7}), llama) == "seed 7"
