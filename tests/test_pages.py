"""Every page through the app's own entry, without a browser."""

import json
import re
import time
from dataclasses import replace

import pytest
from conftest import PAGES, QUICK, open_page, until, walk

from explorer import content, controls, run_actions, session
from explorer.engine.limits import MOST_LENT_PARAMETERS, limits
from explorer.engine.run import Mark
from explorer.engine.run_state import RunState
from explorer.engine.server.pretrained import pretrained_run
from explorer.train.live_run import AXES, CURVES
from tiny_llama.cost import count_parameters
from tiny_llama.errors import TextError, UserError
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.miniatures import MINIATURES
from tiny_llama.presets import find_preset
from tiny_llama.setup import OWN_TEXT, Setup, changes

TINY = QUICK | {"n_layers": "1", "d_model": "16", "n_heads": "2", "context": "16"}


pytestmark = pytest.mark.usefixtures("app_engine")


WRITE_ON = "FormSubmitter:prompt-Write on"


def train(app):
    app.button(key="train").click().run()
    assert not app.exception
    return app


def wait_until_over(app, seconds=60):
    run_id = app.query_params["run"]
    end = time.monotonic() + seconds
    while (run := session.engine().poll(run_id)).is_live:
        assert time.monotonic() < end, run.status
        time.sleep(0.05)
    app.run()
    assert not app.exception
    return run


def chart_data(app):
    """Give what the live chart was sent."""
    charts = [each for each in app.get("bidi_component") if each.key == "run_chart"]
    return json.loads(charts[0].proto.json)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_nothing_trained(name):
    app = open_page(name)
    assert app.title[0].value


def test_a_student_trains_and_reads_what_the_model_writes():
    app = train(open_page("train", steps="10", **TINY))
    run = wait_until_over(app)
    assert run.status == "finished", run.message
    numbers = chart_data(app)["numbers"]
    shown = {label: value for label, value, *_ in numbers}
    assert float(shown["Training loss"]) == pytest.approx(run.last("loss"), abs=1e-3)
    assert [code.value for code in app.code] == [run.samples[0][1], run.samples[-1][1]]


def test_the_form_says_how_its_model_differs_from_the_one_it_is_named_after():
    app = open_page("train", norm="layernorm", n_kv_heads="2")
    captions = [each.value.replace("\\", "") for each in app.caption]
    assert "tiny-llama with Norm: layernorm, Key/value heads: 2." in captions
    assert not [each for each in open_page("train").caption if each.value.startswith("tiny")]


LINKS = {"norm": "layernorm", "position": "alibi", "n_heads": "8", "n_kv_heads": "2"}
LINKS |= {"optimizer": "muon", "learning_rate": "0.01", "seed": "7", "qk_norm": "head"}


def test_a_link_sets_what_it_names_and_nothing_else():
    words = LINKS | QUICK | {"steps": "1", "n_layers": "1"}
    run = wait_until_over(train(open_page("train", **words)))
    assert run.status == "finished", run.message
    assert changes(Setup().with_values(words), run.setup) == {}


def test_before_anything_is_trained_a_recorded_run_is_shown_and_says_so():
    app = open_page("train")
    run = pretrained_run()
    assert "Recorded" in app.info[0].value
    assert [code.value for code in app.code] == [run.samples[0][1], run.samples[-1][1]]
    assert not {"run_pause", "run_stop"} & {button.key for button in app.button}


@pytest.mark.parametrize(
    ("name", "word"), [("norm", "<script>"), ("d_model", "x"), ("steps", "-5")]
)
def test_nonsense_in_a_link_falls_back_to_the_usual_and_is_said_once(name, word):
    app = open_page("train", **{name: word})
    assert app.button(key="train")
    (said,) = [each.value for each in app.toast]
    assert content.escaped(name) in said
    assert content.escaped(word) in said
    assert not app.run().toast


def test_a_real_models_preset_is_no_preset_to_train():
    app = open_page("train", preset="llama-1-65b")
    assert "llama\\-1\\-65b" in app.toast[0].value
    assert app.selectbox(key="preset").value == "tiny-llama"


@pytest.mark.parametrize("link", [{}, {"preset": "tiny-gpt3", "norm": "layernorm"}, LINKS])
def test_a_link_that_makes_sense_is_not_remarked_on(link):
    assert not open_page("train", **link).toast


@pytest.mark.parametrize(
    ("real", "names"),
    [("falcon", "Falcon"), ("zephyr", r"Mistral 7B, Zephyr\-7B"), ("vicuna", "")],
)
def test_a_miniature_is_named_after_its_model(real, names):
    link = controls.link_to(Setup(model=MINIATURES[real].config))
    captions = [each.value for each in open_page("train", **link).caption]
    named = [each for each in captions if "in small" in each]
    assert named == ([f"**{names} in small**"] if names else [])


def test_a_preset_sets_every_part_and_a_link_may_change_one_of_it():
    app = open_page("train", preset="tiny-gpt3", norm="rmsnorm", steps="1")
    config = session.engine().poll(train(app).query_params["run"]).setup.model
    assert (config.norm, config.position, config.attention) == ("rmsnorm", "learned", "alternating")
    assert config.tied_unembedding


def test_choosing_a_preset_by_hand_sets_every_part():
    app = open_page("train", norm="layernorm")
    app.selectbox(key="preset").set_value("small-llama").run()
    assert app.selectbox(key="norm").value == "rmsnorm"
    assert app.number_input(key="d_model").value == 96
    app.selectbox(key="preset").set_value("tiny-gpt3").run()
    assert app.selectbox(key="bias").value == "all"


def test_every_slot_of_the_menu_has_its_widget():
    app = open_page("train")
    keys = {box.key for box in app.selectbox}
    assert {*MENU, *CHOICES, *TRAINING_CHOICES, "preset", "corpus", "tokenizer"} <= keys


def test_choices_that_do_not_fit_are_explained_and_cannot_be_trained():
    app = open_page("train", d_model="72", n_heads="5")
    assert "d_model=72 must be a multiple of n_heads=5" in app.error[0].value
    assert app.button(key="cannot_train").disabled


@pytest.mark.parametrize(
    "text",
    ["", "x", "x" * 10_000_000, "a\0b " * 500],
    ids=["empty", "one", "10 MB", "NUL"],
)
def test_text_that_cannot_be_used_is_explained(text):
    app = open_page("train", corpus=OWN_TEXT)
    app.text_area(key="own_text").set_value(text).run()
    assert not app.exception
    if not app.error:
        assert "\0" in text
    else:
        assert app.error[0].value.endswith(".")


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script> " * 60, "שלום עולם, " * 200, "🦙 and 😀 " * 200]
)
def test_a_students_own_text_is_trained_on(text):
    app = open_page("train", corpus=OWN_TEXT, steps="2", **TINY)
    app.text_area(key="own_text").set_value(text).run()
    run = wait_until_over(train(app))
    assert run.status == "finished", run.message


def test_an_uploaded_file_that_is_no_text_is_refused():
    chosen = controls.Basics(
        preset="tiny-llama", corpus=OWN_TEXT, steps="1", own_text=bytes(range(256)) * 20
    )
    with pytest.raises(TextError):
        chosen.checked_text()


def test_a_run_that_the_server_does_not_know_is_said_to_be_gone():
    app = open_page("train", run="AAAAAAAA")
    assert "not on this server any more" in app.error[0].value
    assert not open_page("train", run="../../etc").exception


def test_a_run_that_blows_up_says_at_which_step():
    wild = {"optimizer": "sgd", "learning_rate": "900", "norm": "none", "gradient_clip": "0"}
    app = train(open_page("train", steps="3000", **wild, **TINY))
    run = wait_until_over(app)
    assert run.status == "failed"
    assert [error.value for error in app.error] == [content.escaped(run.message)]


def test_the_model_writes_on_from_a_students_words_otherwise_each_time():
    app = train(open_page("train", steps="5", **TINY))
    wait_until_over(app)
    written = []
    for _ in range(2):
        app.text_input(key="prompt_text").set_value("The cat")
        app.button(key=WRITE_ON).click().run()
        assert not app.exception
        assert app.code[-2].value == "The cat"
        written.append(app.code[-1].value)
    assert written[0] != written[1]


def test_characters_of_a_prompt_that_the_model_does_not_know_are_said():
    app = open_page("train", run="repeat-llama")
    app.text_input(key="prompt_text").set_value("<b>שלום</b>")
    app.button(key=WRITE_ON).click().run()
    assert app.code[-2].value == f"�b{7 * '�'}b�"
    assert "does not know some of these characters" in shown(app)


def test_characters_of_a_prompt_that_the_model_reads_in_bytes_are_said():
    for words, said in (("The cat.", ""), ("The käse 🦙", "“ä”, “🦙” have no pieces")):
        app = open_page("train", run="tales-llama")
        app.text_input(key="prompt_text").set_value(words)
        app.button(key=WRITE_ON).click().run()
        assert not app.error
        assert ("byte by byte" in shown(app)) == bool(said)
        assert said in shown(app)


def test_an_empty_prompt_is_answered_with_a_sentence():
    app = train(open_page("train", steps="5", **TINY))
    wait_until_over(app)
    app.button(key=WRITE_ON).click().run()
    assert "prompt" in app.error[-1].value


def press(app, key):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def shown(app):
    """Give every word of Markdown and caption on the page."""
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def open_as(owner, **link):
    return open_page("train", owner=owner, **link)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_names_the_model_that_it_looks_at(name):
    app = open_page(name)
    said = "\n".join(element.value for element in app.markdown)
    assert "3 layers × 64 wide" in said
    assert "shipped with the app" in said
    assert "step 4,000" in said
    assert f"held-out loss {pretrained_run().last('held_out_loss'):.3f}" in said


def test_switching_the_model_changes_what_every_page_looks_at():
    app = open_page("train")
    app.selectbox(key="model_choice").set_value("repeat-llama").run()
    assert app.query_params["run"] == "repeat-llama"
    assert "repeat-llama" in app.info[0].value
    walk(app, "home")
    assert app.selectbox(key="model_choice").value == "repeat-llama"
    assert app.query_params["run"] == "repeat-llama"


def test_a_students_own_runs_are_in_the_bar_and_stay_there_on_another_page():
    app = train(open_as("numbers", steps="3", **TINY))
    wait_until_over(app)
    run = wait_until_over(train(app))
    assert app.selectbox(key="model_choice").value == run.id
    names = app.selectbox(key="model_choice").options
    assert [name[:12] for name in names[:2]] == ["Run 2, tales", "Run 1, tales"]
    assert all("layers 1" in name for name in names[:2])
    walk(app, "home")
    said = "\n".join(element.value for element in app.markdown)
    assert "your own run" in said
    assert "finished, step 3" in said


def test_earlier_runs_are_laid_over_with_a_line_that_says_what_changed():
    app = train(open_as("changes", steps="3", **TINY))
    first = wait_until_over(app)
    app.selectbox(key="norm").set_value("layernorm").run()
    assert "Beside Run 1: Norm: rmsnorm → layernorm" in shown(app).replace("\\", "")
    second = wait_until_over(train(app))
    runs = {line["run"] for line in chart_data(app)["lines"]}
    assert runs == {first.id, second.id}
    said = shown(app).replace("\\", "")
    assert "**Run 2** beside Run 1: Norm: rmsnorm → layernorm" in said
    losses = [f"{run.last('held_out_loss'):.3f}" for run in (second, first)]
    assert f"held-out loss {losses[0]} against Run 1's {losses[1]} after step 3" in said
    assert "changed at once" not in said
    app.toggle(key="earlier").set_value(False).run()
    assert {line["run"] for line in chart_data(app)["lines"]} == {second.id}


@pytest.mark.parametrize("curve", list(CURVES))
@pytest.mark.parametrize("axis", list(AXES))
def test_every_curve_is_drawn_against_every_axis(curve, axis):
    app = open_page("train", run="repeat-llama", curve=curve, axis=axis)
    data = chart_data(app)
    assert (data["yTitle"], data["xTitle"]) == (CURVES[curve].axis, AXES[axis])
    run, line = pretrained_run("repeat-llama"), data["lines"][0]
    series = run.series[CURVES[curve].lines[0][0]]
    assert len(line["values"]) == len(series.values) > 0
    ends = {"Steps": 2000, "Tokens": 2000 * 16 * 64, "Seconds": series.seconds[-1]}
    found = sum(line["dx"]) if "dx" in line else line["x"][-1]
    assert found == pytest.approx(ends[axis], rel=1e-5)


def test_a_stranger_sees_a_run_and_may_copy_it_but_not_steer_it():
    mine = train(open_as("mine", steps="50000", **TINY))
    run_id = mine.query_params["run"]
    until(lambda: session.engine().poll(run_id).step > 5)
    other = open_as("other", run=run_id)
    keys = {button.key for button in other.button}
    assert not {"run_pause", "run_stop", "run_restart", "run_delete"} & keys
    press(other, "run_fork")
    copy_id = other.query_params["run"]
    assert copy_id != run_id
    assert session.engine().poll(copy_id).parent == run_id
    assert session.engine().is_owner(session.engine().poll(copy_id), "other")
    mine.run()
    press(mine, "run_stop")
    session.engine().delete(copy_id, owner="other")


def test_somebody_elses_run_can_be_laid_over_ones_own():
    theirs = wait_until_over(train(open_as("theirs", steps="3", **TINY)))
    app = press(open_as("me too", run=theirs.id), "run_overlay")
    assert app.query_params["overlay"] == theirs.id
    press(app, "run_overlay")  # and taken off again
    assert "overlay" not in app.query_params
    own = wait_until_over(train(open_as("me too", overlay=theirs.id, steps="3", **TINY)))
    app = open_as("me too", overlay=theirs.id, run=own.id)
    assert {line["run"] for line in chart_data(app)["lines"]} == {own.id, theirs.id}


def test_restarting_with_changes_stops_the_run_and_starts_the_changed_one():
    app = train(open_as("again", steps="50000", **TINY))
    before = app.query_params["run"]
    until(lambda: session.engine().poll(before).step > 5)
    app.run()
    assert app.button(key="run_restart").label == "Restart"
    app.number_input(key="seed").set_value(5).run()
    assert app.button(key="run_restart").label == "**Restart with changes**"
    press(app, "run_restart")
    after = session.engine().poll(app.query_params["run"])
    assert session.engine().poll(before).status == "stopped"
    assert (after.setup.training.seed, after.parent) == (5, before)
    until(lambda: after.status == "running")
    app.run()
    press(app, "run_stop")


@pytest.mark.parametrize("preset", ["tiny-gpt3", "tiny-llama"])
def test_all_parts_are_one_models_at_a_press_and_sizes_stay(preset):
    app = open_page("train", norm="none", bias="qkv", n_kv_heads="1", d_model="32", n_layers="2")
    press(app, f"all_as_{preset}")
    wanted = replace(find_preset(preset).config, d_model=32, n_layers=2)
    run = wait_until_over(train(app_with(app, steps=1)))
    assert not changes(Setup(model=wanted), replace(run.setup, training=Setup().training))


def app_with(app, **numbers):
    for name, number in numbers.items():
        app.number_input(key=name).set_value(number)
    return app.run()


def test_train_pressed_again_while_the_run_begins_is_the_same_run(app_engine, monkeypatch):
    monkeypatch.setattr(
        app_engine._dispatch, "launch", lambda run, **_: None
    )  # it stays at its start
    app = open_as("hasty", steps="3", **TINY)
    found = {train(app).query_params["run"] for _ in range(6)}
    assert len(session.engine().runs_of("hasty")) == len(found) == 1
    app.number_input(key="seed").set_value(1).run()
    train(app)
    assert len(session.engine().runs_of("hasty")) == 2
    for run in session.engine().runs_of("hasty"):
        session.engine().delete(run.id, owner="hasty")


def test_train_pressed_again_just_after_the_first_steps_is_the_same_run_and_later_another():
    app = train(open_as("impatient", steps="50000", **TINY))
    (run,) = session.engine().runs_of("impatient")
    until(lambda: session.engine().poll(run.id).step > 5)
    run.created = time.time()  # however slow this machine is
    assert train(app).query_params["run"] == run.id
    run.created -= run_actions.PRESSED_TWICE
    another = train(app).query_params["run"]
    assert another != run.id
    until(lambda: session.engine().poll(another).step > 5)
    session.engine().poll(another).created = time.time()
    press(app.run(), "run_restart")  # is no second press, however early
    assert len(session.engine().runs_of("impatient")) == 3
    for each in session.engine().runs_of("impatient"):
        session.engine().delete(each.id, owner="impatient")


def test_all_of_a_students_runs_are_stopped_at_a_press():
    app = train(open_as("many", steps="50000", **TINY))
    app.number_input(key="seed").set_value(1).run()
    train(app)
    own = session.engine().runs_of("many")
    until(lambda: all(session.engine().poll(run.id).step for run in own))
    app.run()
    press(app, "run_stop_all")
    until(lambda: {run.status for run in own} == {RunState.STOPPED})


def own_text_app(owner, text, **words):
    app = open_as(owner, corpus=OWN_TEXT, steps="3", **TINY, **words)
    return app.text_area(key="own_text").set_value(text).run()


def test_another_own_text_is_another_setting_and_is_named_by_its_first_words():
    app = own_text_app("author", "Call me Ishmael. Some years ago, never mind how long. " * 40)
    first = wait_until_over(train(app))
    assert "Beside Run 1: the same settings." in shown(app).replace("\\", "")
    app.text_area(key="own_text").set_value("It was the best of times, it was. " * 60).run()
    said = "Text to learn from: “Call me Ishmael. Some ye…” → “It was the best of times…”"
    assert f"Beside Run 1: {said}." in shown(app).replace("\\", "")
    assert app.button(key="run_restart").label == "**Restart with changes**"
    second = wait_until_over(train(app))
    assert [line["run"] for line in chart_data(app)["lines"]] == [second.id] * 2
    app.checkbox(key=f"lay_{first.id}").check().run()
    assert {line["run"] for line in chart_data(app)["lines"]} == {first.id, second.id}
    assert "another text, so the losses cannot be compared" in shown(app)
    options = app.selectbox(key="model_choice").options
    assert options[0].startswith("Run 2, “It was the best of times…”")
    stranger = open_as("no author", run=first.id)
    assert "Ishmael" not in "".join(stranger.selectbox(key="model_choice").options)


def test_who_can_read_an_own_text_and_that_a_small_one_is_learned_by_heart_is_said():
    app = own_text_app("warned", "A small text of one's own. " * 60)
    assert "only you can read it" in shown(app)
    assert "learned by heart" not in shown(app)  # 3 steps read little
    app_with(app, steps=5_000)
    assert "The text is read some 98 times" in shown(app)
    assert "learned by heart" in shown(app)


@pytest.mark.parametrize("page", ["train", "tokens"])
def test_who_comes_by_a_link_without_its_text_reads_why_and_what_to_do(page):
    app = open_page(page, corpus=OWN_TEXT)
    assert "a link never brings one along" in shown(app)
    app.text_area(key="own_text").set_value("A small text of one's own. " * 60).run()
    assert "a link never brings one along" not in shown(app)


CHINESE = " ".join(chr(0x4E00 + number % 800) * 2 for number in range(1200))


def test_a_text_whose_characters_have_no_pieces_is_read_by_characters_at_a_press():
    app = own_text_app("scribe", CHINESE)
    assert re.search(r"\d\d% of your text's characters have no piece of their own", shown(app))
    app.button(key="read_characters").click().run()
    assert app.query_params["tokenizer"] == "characters"
    assert app.selectbox(key="tokenizer").value == "characters"
    assert "no piece of their own" not in shown(app)
    assert app.text_area(key="own_text").value == CHINESE
    run = wait_until_over(train(app))
    assert (run.status, run.setup.tokenizer) == ("finished", "characters")


def test_a_text_of_letters_that_have_pieces_is_not_warned_of():
    app = own_text_app("reader", "Жили-были старик со старухой у самого синего моря. " * 40)
    assert "no piece of their own" not in shown(app)


def test_a_run_is_taken_off_and_laid_under_again_by_its_tick():
    app = train(open_as("ticks", steps="3", **TINY))
    first = wait_until_over(app)
    app.number_input(key="seed").set_value(1).run()
    second = wait_until_over(train(app))
    app.checkbox(key=f"lay_{first.id}").uncheck().run()
    assert {line["run"] for line in chart_data(app)["lines"]} == {second.id}
    assert app.query_params["without"] == first.id
    app.checkbox(key=f"lay_{first.id}").check().run()
    assert {line["run"] for line in chart_data(app)["lines"]} == {first.id, second.id}
    assert app.query_params["overlay"] == first.id


def test_runs_on_another_tokenizer_are_not_laid_under_by_themselves():
    app = train(open_as("cutter", steps="3", **TINY))
    wait_until_over(app)
    app.selectbox(key="tokenizer").set_value("bytes").run()
    second = wait_until_over(train(app))
    assert {line["run"] for line in chart_data(app)["lines"]} == {second.id}


def test_two_settings_changed_at_once_are_warned_of():
    app = train(open_as("two", steps="3", **TINY))
    wait_until_over(app)
    app.selectbox(key="norm").set_value("layernorm").run()
    app.number_input(key="seed").set_value(1).run()
    wait_until_over(train(app))
    assert "2 settings changed at once" in shown(app)


def test_a_run_can_be_called_something_else_and_outcomes_are_a_table(app_engine):
    app = train(open_as("namer", steps="3", **TINY))
    first = wait_until_over(app)
    app.selectbox(key="norm").set_value("layernorm").run()
    second = wait_until_over(train(app))
    app.text_input(key=f"name_{second.id}").set_value("  The one with\n<b>mean</b> ")
    press(app, f"FormSubmitter:rename_{second.id}-Rename")
    named = app.selectbox(key="model_choice").options[0]
    assert named.startswith("The one with <b>mean</b>, tales")
    (table,) = [each.value for each in app.markdown if "Held-out loss |" in each.value]
    rows = [line.split(" | ") for line in table.replace("\\", "").splitlines()[2:]]
    assert [row[0] for row in rows] == ["| The one with <b>mean</b>", "| Run 1"]
    assert rows[0][2].startswith("LayerNorm, ")
    held_out = [f"{run.last('held_out_loss'):.3f}" for run in (second, first)]
    assert [row[4] for row in rows] == held_out
    with pytest.raises(UserError):
        app_engine.rename(first.id, "mine", owner="somebody else")


def three_runs(owner: str):
    """Train three runs that differ by their seeds; return the page and the runs."""
    app, runs = open_as(owner, steps="3", **TINY), []
    for seed in range(3):
        app.number_input(key="seed").set_value(seed).run()
        runs.append(wait_until_over(train(app)))
    return app, runs


def names_in_the_bar(app):
    """List what a student calls their runs, as the bar's box lists them."""
    options = app.selectbox(key="model_choice").options
    return [each.partition(",")[0] for each in options if "shipped" not in each]


def outcomes(app):
    """Read the names in the table of outcomes."""
    (table,) = [each.value for each in app.markdown if "Held-out loss |" in each.value]
    return [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]


def test_a_pinned_run_comes_first_in_every_list_and_stays_so(app_engine):
    app, (first, second, third) = three_runs("pinner")
    assert names_in_the_bar(app) == ["Run 3", "Run 2", "Run 1"]
    press(app, f"pin_{first.id}")
    for each in (app, open_as("pinner", run=third.id)):
        assert names_in_the_bar(each) == ["Run 1", "Run 3", "Run 2"]
        assert outcomes(each) == [":material/keep: Run 1", "Run 3", "Run 2"]
        ticks = [box.key for box in each.checkbox if box.key.startswith("lay_")]
        assert ticks == [f"lay_{first.id}", f"lay_{second.id}"]
    assert "Run 3** beside Run 2:" in shown(app)  # compared with the one before, as ever
    press(app, f"pin_{first.id}")
    assert names_in_the_bar(app) == ["Run 3", "Run 2", "Run 1"]
    with pytest.raises(UserError):
        app_engine.mark(first.id, Mark.PINNED, owner="somebody else")
    assert not first.mark


def test_a_hidden_run_is_in_no_list_nor_drawn_until_it_is_shown_again():
    app, (first, second, third) = three_runs("hider")
    app.checkbox(key=f"lay_{second.id}").uncheck().run()
    app.checkbox(key=f"lay_{second.id}").check().run()
    press(app, f"hide_{second.id}")
    for each in (app, open_as("hider", run=third.id)):
        assert names_in_the_bar(each) == ["Run 3", "Run 1"]
        assert outcomes(each) == ["Run 3", "Run 1"]
        assert {line["run"] for line in chart_data(each)["lines"]} == {first.id, third.id}
        assert "Hidden and left out: 1" in shown(each)
    linked = open_as("hider", run=second.id)
    assert "Run 2, hidden" in linked.selectbox(key="model_choice").options
    press(app, f"hide_{second.id}")
    assert names_in_the_bar(app) == ["Run 3", "Run 2", "Run 1"]


def test_who_looks_at_anothers_run_can_neither_pin_nor_hide_it():
    _, (first, *_) = three_runs("looked at")
    stranger = open_as("onlooker", run=first.id)
    keys = [button.key or "" for button in stranger.button]
    assert not [key for key in keys if key.startswith(("pin_", "hide_"))]


def test_taking_the_settings_of_a_run_sets_every_control():
    link = {"norm": "layernorm", "position": "alibi", "learning_rate": "0.02", "steps": "3"}
    run = wait_until_over(train(open_as("giver", **TINY, **link)))
    app = press(open_as("taker", run=run.id), "run_settings")
    again = wait_until_over(train(app))
    assert again.id != run.id
    assert changes(run.setup, again.setup) == {}


def test_an_own_text_comes_back_with_the_settings_of_its_run():
    text = "a text of one's own, over and over. " * 40
    app = open_as("writer", corpus=OWN_TEXT, steps="3", **TINY)
    app.text_area(key="own_text").set_value(text).run()
    run = wait_until_over(train(app))
    fresh = press(open_as("writer", run=run.id), "run_settings")
    assert fresh.text_area(key="own_text").value == text
    nosy = press(open_as("nosy", run=run.id), "run_settings")
    assert nosy.text_area(key="own_text").value == ""
    assert "another student's and stays theirs" in nosy.toast[0].value
    copy = wait_until_over(press(open_as("copier", run=run.id), "run_fork"))
    assert (copy.parent, session.engine().is_owner(copy, "copier")) == (run.id, True)
    copier = press(open_as("copier", run=copy.id), "run_settings")
    assert copier.text_area(key="own_text").value == ""
    assert "another student's and stays theirs" in copier.toast[0].value


def test_an_upload_is_taken_out_of_the_uploader_and_dropped_with_it():
    app = open_page("train", corpus=OWN_TEXT, steps="3", **TINY)
    text = "a text out of a file, over and over. " * 40
    app.file_uploader(key="uploaded_text").set_value(("a.txt", text.encode(), "text/plain")).run()
    assert not app.error
    run = wait_until_over(train(app))
    assert (run.folder / "text.txt").read_text() == text
    app.file_uploader(key="uploaded_text").set_value(None).run()
    assert "too short with 0 bytes" in app.error[0].value


def test_a_deleted_run_gives_way_to_a_pretrained_model():
    app = train(open_as("tidy", steps="3", **TINY))
    run = wait_until_over(app)
    press(app, "run_delete")
    assert session.engine().poll(run.id) is None
    assert "Recorded" in app.info[0].value
    assert "run" not in app.query_params


def test_what_was_predicted_stands_beside_what_was_measured():
    app = train(open_as("careful", steps="5", **TINY))
    run = wait_until_over(app)
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+ \| [^|]+) \|$", shown(app), flags=re.M))
    n_parameters = f"{count_parameters(run.setup.model):,}"
    assert rows["Parameters"] == f"{n_parameters} | {n_parameters}"
    for name in ("Weights, MB", "Optimizer, MB", "Activations of a step, MB"):
        predicted, measured = rows[name].split(" | ")
        assert predicted == measured


def test_a_run_that_moves_on_while_its_page_is_drawn_has_the_page_drawn_anew(monkeypatch):
    """Keep its buttons from staying as they were for a run that is still being prepared."""
    app = train(open_as("late", steps="3", **TINY))
    run = wait_until_over(app)
    run.status = RunState.STARTING
    draw = run_actions.buttons

    def draw_while_news_comes(run, wanted):
        draw(run, wanted)
        run.status = RunState.PAUSED

    monkeypatch.setattr(run_actions, "buttons", draw_while_news_comes)
    app.run()
    assert not app.button(key="run_stop").disabled
    assert app.button(key="run_step").label == "One step"
    run.status = RunState.FINISHED


def test_too_many_runs_of_one_student_are_refused_in_one_sentence(app_engine, monkeypatch):
    few = replace(limits(), live_runs_a_student=1)
    monkeypatch.setattr(app_engine.admission, "limits", few)
    app = train(open_as("greedy", steps="50000", **TINY))
    until(lambda: session.engine().poll(app.query_params["run"]).step > 1)
    app.number_input(key="seed").set_value(1).run()
    train(app)
    assert "1 run going, the most" in app.error[0].value
    press(app, "run_stop")


def test_the_train_page_explains_where_a_run_can_train():
    app = open_page("train")
    (places,) = [each for each in app.expander if each.label == "The server or this browser"]
    said = " ".join(each.value for each in places.markdown)
    assert "Safari since 16.4" in said
    assert f"more than {MOST_LENT_PARAMETERS:,} parameters" in said
