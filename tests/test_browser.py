"""The app in a real browser, as students meet it."""

import csv
import re
import zipfile

import pytest
from app_in_browser import LONG, TINY, choose, findings, link, settle
from conftest import until
from playwright.sync_api import expect
from test_setup import UNUSUAL
from transformers import AutoModelForCausalLM

from tiny_llama.checkpoint import load_model
from tiny_llama.cost import count_parameters
from tiny_llama.setup import Setup, changes, load_setup

pytestmark = pytest.mark.slow
RECORDED = "trained by this project's own script"


def test_a_student_trains_from_a_link_reads_what_it_writes_and_reloads(server, come):
    student = come(link(**TINY, position="learned", steps=600, seed=3))
    student.see_text(RECORDED)
    student.train()
    student.see_text("Written before training")
    student.see("Finished", since=600)
    rows, loss = server.rows(student.run_id), server.loss(student.run_id, 600)
    expect(student.tile("Training loss")).to_have_text(loss)
    first = student.reading("Home")
    assert first == pytest.approx(rows[1]["loss"], abs=1e-3)
    assert float(loss) < first - 1
    assert student.number("Held-out loss") < first - 1

    expect(student.samples).to_have_text([rows[0]["sample"], rows[600]["sample"]])
    student.earlier_sample()
    student.see_text("Written after step 500")
    expect(student.samples).to_have_text([rows[0]["sample"], rows[500]["sample"]])

    address, numbers = student.page.url, student.numbers.inner_text()
    assert student.query.items() >= {"position": "learned", "steps": "600", "seed": "3"}.items()
    student.page.reload()
    student.see("Finished", since=600)
    expect(student.numbers).to_have_text(numbers, use_inner_text=True)
    expect(student.samples).to_have_text([rows[0]["sample"], rows[600]["sample"]])
    student.press("More")
    expect(student.button_in_menu("Delete for good")).to_be_visible()
    assert student.page.url == address


def test_a_paused_run_does_one_step_at_a_press_and_goes_on_even_after_a_stop(server, come):
    student = come(link(**LONG))
    student.train()
    student.press("Pause")
    step = student.see("Paused")
    student.press("One step")
    student.see_text(f"Paused: step {step + 1:,} of 50,000")
    student.press("One step")
    student.see_text(f"Paused: step {step + 2:,} of 50,000")
    loss = server.loss(student.run_id, step + 2)
    expect(student.tile("Training loss")).to_have_text(loss)

    student.press("Go on")
    student.see("Training", since=step + 3)
    student.press("Stop")
    stopped = student.see("Stopped")
    assert len(server.rows(student.run_id)) == stopped + 1

    student.press("Go on")
    student.see("Training", since=stopped + 1)
    student.press("Stop")
    student.see("Stopped", since=stopped + 1)
    assert len(server.rows(student.run_id)) > stopped + 1


STEERING = ("Pause", "Go on", "One step", "Stop", "Restart", "Restart with changes")


def test_a_stranger_with_the_link_may_look_fork_and_overlay_but_not_steer(server, come):
    owner = come(link(**LONG, seed=5))
    owner.train()
    owner.press("Pause")
    step = owner.see("Paused")
    until(lambda: server.has_row(owner.run_id, 0))  # the look at the untrained model goes on

    stranger = come(f"/train?run={owner.run_id}")
    stranger.see_text(f"Paused: step {step:,} of 50,000")
    stranger.press("More")
    expect(stranger.button_in_menu("Fork")).to_be_visible()
    for name in STEERING:
        expect(stranger.button(name)).to_have_count(0)
    expect(stranger.button_in_menu("Delete for good")).to_have_count(0)

    stranger.button_in_menu("Fork").click()
    stranger.see("Training", since=step + 1)
    assert stranger.run_id != owner.run_id
    stranger.press("Stop")
    stranger.see("Stopped")
    rows, source = server.rows(stranger.run_id), server.rows(owner.run_id)
    assert len(source) == step + 1
    assert rows[: step + 1] == source

    stranger.open(f"/train?run={owner.run_id}")
    expect(stranger.legend.filter(has_text="Run 1, training")).to_be_visible()
    stranger.press("Lay over mine")
    stranger.see_link(overlay=owner.run_id)
    stranger.look_at("Run 1, tales")
    expect(stranger.legend.filter(has_text=f"Run {owner.run_id}, training")).to_be_visible()
    assert stranger.query["overlay"] == owner.run_id
    expect(stranger.legend.get_by_text("Training", exact=True)).to_be_visible()
    owner.see_text(f"Paused: step {step:,} of 50,000")


def test_a_run_goes_on_while_the_student_is_on_another_page(come):
    student = come(link(**LONG))
    student.train()
    run_id = student.run_id
    expect(student.model).to_have_value(re.compile("^Run 1, tales"))
    student.go_to("Home")
    expect(student.model).to_have_value(re.compile("^Run 1, tales"))
    expect(student.bar).to_contain_text(re.compile(r"Training, step [1-9]"))
    left_at = student.model_step()
    student.go_to("Train")
    student.see("Training", since=left_at + 1)
    assert student.run_id == run_id
    expect(student.model).to_have_value(re.compile("^Run 1, tales"))


def test_a_widget_shows_what_is_chosen_however_late_it_is_drawn(come):
    before = come("/tokens")
    before.rest()

    def hold_back(route):
        before.page.wait_for_timeout(2_000)
        route.continue_()

    before.context.route("**/ButtonGroup*.js", hold_back)
    student = come("/architecture?preset=tiny-llama", beside=before)
    settle(student)
    before.page.wait_for_timeout(1_000)  # by now the browser has said whose tab it is
    settle(student)
    expect(student.page.get_by_role("radio", checked=True).first).to_be_visible()
    before.context.unroute_all(behavior="wait")


def test_two_tabs_of_a_student_steer_the_same_run(come):
    one = come(link(**LONG))
    one.train()
    other = come(f"/train?run={one.run_id}", beside=one)
    other.press("Pause")
    step = other.see("Paused")
    one.see_text(f"Paused: step {step:,} of 50,000")
    one.press("Go on")
    one.see("Training", since=step + 1)
    other.see("Training", since=step + 1)
    one.press("Stop")
    stopped = one.see("Stopped")
    other.see("Stopped", since=stopped)


def test_a_link_with_every_setting_starts_exactly_that_setup_and_still_names_it_all(server, come):
    words = UNUSUAL | {"steps": "7", "tokenizer": "sentencepiece"}
    student = come(link(**words))
    wanted = Setup().with_values(words)
    student.train()
    student.see("Finished", since=7)
    noted = Setup.from_dict(server.record(student.run_id)["setup"])
    trained = load_setup(server.runs / student.run_id)
    assert not changes(wanted, noted)
    assert not changes(wanted, trained)
    del words["tokenizer"]  # which is the usual one
    assert student.query == words | {"run": student.run_id}


def test_a_changed_setting_restarts_the_run_and_the_old_one_stays_to_compare(server, come):
    student = come(link(**LONG))
    student.train()
    old = student.run_id
    expect(student.button("Restart")).to_be_visible()
    student.choose("Positions", "alibi")
    student.see_text("Beside Run 1: Positions: rope → alibi.")
    student.press("Restart with changes")
    expect(student.page).not_to_have_url(re.compile(old))
    student.see_text("Beside Run 2: the same settings.")
    student.see("Training", since=1)
    assert student.run_id != old
    assert load_setup(server.runs / student.run_id).model.position == "alibi"
    expect(student.legend.filter(has_text="Run 1, training")).to_be_visible()
    student.see_text("Run 2 beside Run 1: Positions: rope → alibi")

    student.press("Stop")
    student.see("Stopped")
    student.look_at("Run 1, tales")
    expect(student.button("Restart with changes")).to_be_visible()
    student.see("Stopped")
    student.pick("Take its settings")
    expect(student.button("Restart")).to_be_visible()
    expect(student.widget("Positions")).to_have_value("rope")
    expect(student.page).not_to_have_url(re.compile("position="))


def test_back_and_forward_find_the_earlier_state_in_one_step(come):
    student = come("/train?norm=layernorm&feed_forward=gelu&steps=300")
    student.choose("Model", "tiny-gpt3")  # sets every part, and leaves the steps
    student.see_link(preset="tiny-gpt3", steps="300")
    assert student.query.keys() == {"preset", "steps"}
    student.choose("Positions", "alibi")
    student.see_link(position="alibi")

    student.page.go_back()
    expect(student.widget("Positions")).to_have_value("learned")
    assert student.query.keys() == {"preset", "steps"}
    student.page.go_back()
    expect(student.widget("Norm")).to_have_value("layernorm")
    expect(student.widget("Feed-forward")).to_have_value("gelu")
    expect(student.widget("Model")).to_have_value("tiny-llama")
    student.page.go_forward()
    expect(student.widget("Positions")).to_have_value("learned")
    expect(student.widget("Model")).to_have_value("tiny-gpt3")


def test_back_leads_through_pages_and_views_while_a_run_goes_on(come):
    student = come(link(**LONG))
    student.train()
    run_id = student.run_id
    student.choose("Positions", "alibi")
    student.see_link(position="alibi")
    student.bar.get_by_role("link", name="Attention", exact=True).click()
    choose(student, "In stages")
    student.see_link(view="stages", run=run_id)

    student.page.go_back()
    expect(student.page.get_by_role("radio", name="All heads", checked=True)).to_be_visible()
    student.page.go_back()
    expect(student.page.get_by_role("heading", name="Train", level=1)).to_be_visible()
    step = student.see("Training", since=1)
    expect(student.widget("Positions")).to_have_value("alibi")
    student.page.go_back()
    expect(student.widget("Positions")).to_have_value("rope")
    assert student.run_id == run_id
    student.see("Training", since=step + 1)


def test_a_zoom_stays_while_the_run_goes_on(come):
    student = come(link(**LONG))
    student.train()
    student.see_all()
    student.drag_over_chart(0.1, 0.3)
    reset = student.page.get_by_role("button", name="Reset zoom")
    expect(reset).to_be_visible()
    first, last = zoomed = student.view()
    assert 0 < first < last < 25_000
    shown = student.numbers.inner_text()
    step = student.see("Training")
    student.see("Training", since=step + 200)
    expect(student.numbers).not_to_have_text(shown, use_inner_text=True)
    assert student.view() == zoomed
    reset.click()
    student.see_all()


def test_what_is_downloaded_opens(come, tmp_path):
    student = come(link(**TINY, steps=30))
    student.train()
    student.see("Finished", since=30)

    student.press("More")
    folder = unpacked(student.download("Run folder (zip)", tmp_path))
    names = {path.name for path in folder.iterdir()}
    assert names >= {"setup.json", "model.safetensors", "metrics.jsonl"}
    found = load_model(folder)
    assert found.next_step == 31

    for_transformers = unpacked(student.download("For transformers (zip)", tmp_path))
    again = AutoModelForCausalLM.from_pretrained(for_transformers)
    assert again.num_parameters() == count_parameters(found.setup.model)

    with student.download("Metrics (CSV)", tmp_path).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["step"]) for row in rows] == list(range(31))
    assert float(rows[-1]["loss"]) == pytest.approx(student.number("Training loss"), abs=1e-3)


def unpacked(archive):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(archive.with_suffix(""))
    return archive.with_suffix("")


def test_a_run_that_is_deleted_is_gone_and_a_link_to_it_says_so(server, come):
    student = come(link(**TINY, steps=20))
    student.train()
    student.see("Finished", since=20)
    run_id = student.run_id
    student.pick("Delete for good")
    student.see_text(RECORDED)
    expect(student.page).not_to_have_url(re.compile("run="))
    expect(student.model).to_have_value("tales-llama, shipped")
    assert not (server.runs / run_id).exists()

    friend = come(f"/train?run={run_id}")
    friend.see_text("This link's run is not on this server any more; press Train to start one.")
    friend.train()


def test_text_of_a_student_is_shown_as_text(come):
    student = come(link(**TINY, corpus="own-text", steps=5))
    student.see_text("The text is too short")
    box = student.page.get_by_label("Paste a text")
    box.fill("<script>document.title='owned'</script><b>שלום 😀</b> " * 40)
    box.press("Control+Enter")
    student.train()
    student.see("Finished", since=5)
    assert "owned" not in student.page.title()
    expect(student.samples.first).to_contain_text(re.compile("[<>שלום😀]"))
    assert student.page.get_by_test_id("stMain").locator("script, b").count() == 0


LIVE = (
    *(".slider[aria-label=Step]", ".st-key-samples pre", "[data-testid=stProgress]"),
    *(".st-key-run_pause", ".st-key-run_step", ".st-key-run_stop", ".st-key-run_restart"),
    *(".st-key-preset", ".st-key-corpus", ".st-key-steps", ".st-key-train"),
    *(f".st-key-{slot}" for slot in ("norm", "position", "attention", "feed_forward", "bias")),
)


def test_all_of_a_run_is_on_a_projectors_screen_while_it_trains(come):
    student = come(link(**LONG | {"sample_every": 5}))
    student.page.set_viewport_size({"width": 1280, "height": 720})
    student.train()
    expect(student.samples).to_have_count(2)
    for selector in LIVE:
        for each in student.page.locator(selector).all():
            box = each.bounding_box()
            assert box, selector
            assert box["y"] >= 0, selector
            assert box["x"] + box["width"] <= 1280, selector
            assert box["y"] + box["height"] <= 720, selector
    expect(student.page.locator(".st-key-sample_step")).to_be_visible()
    first, second = (each.bounding_box() for each in student.samples.all())
    assert first["y"] == second["y"]
    assert findings(student) == []  # with samples that are longer than their boxes


def test_a_part_of_the_block_is_pressed_and_one_press_restarts_with_it(server, come):
    student = come(link(**LONG))
    student.train()
    old = student.run_id
    student.press("All as GPT-3")
    expect(student.widget("Norm")).to_have_value("layernorm")
    student.choose("Positions", "alibi")
    student.press("Restart with changes")
    expect(student.page).not_to_have_url(re.compile(old))
    student.see("Training", since=1)
    model = load_setup(server.runs / student.run_id).model
    assert (model.norm, model.position, model.feed_forward) == ("layernorm", "alibi", "gelu")
    assert student.run_id != old
    student.see_text("settings changed at once")
    expect(student.legend.filter(has_text="Run 1, training")).to_be_visible()


def test_pause_and_go_on_keep_the_focus(come):
    student = come(link(**LONG))
    student.train()
    for name, then in (("Pause", "Paused"), ("Go on", "Training")):
        student.rest()
        student.button(name).focus()
        student.page.keyboard.press("Enter")
        student.see(then)
    expect(student.button("Pause")).to_be_focused()


def test_a_number_out_of_range_is_said_and_nothing_else_is_trained_for_it(come):
    student = come(link(**TINY))
    expect(student.button("Train")).to_be_visible()
    box = student.page.get_by_role("spinbutton", name="Steps")
    box.fill("0")
    box.press("Tab")
    student.see_text("A number with a red edge is out of its range")
    expect(student.button("Train")).to_have_count(0)
    box.fill("5")
    box.press("Tab")
    student.train()
    student.see("Finished", since=5)


def test_a_folded_choice_is_as_the_link_says_after_the_page_has_been_drawn_again(come):
    student = come("/train?curve=Accuracy&axis=Tokens&log=true")
    student.rest()
    student.choose("Norm", "layernorm")
    student.see_link(norm="layernorm")
    student.press("Curve")
    expect(student.page.get_by_role("combobox", name="Curve")).to_have_value("Accuracy")
    expect(student.page.get_by_role("radio", name="Tokens")).to_be_checked()
    expect(student.page.get_by_role("switch", name="Log scale")).to_be_checked()
    student.page.keyboard.press("Escape")
    student.press("Compare")
    expect(student.page.get_by_role("switch", name="Earlier runs")).to_be_checked()


def test_an_uploaded_text_is_used_as_long_as_the_uploader_shows_it(come):
    """Use the text though the server has taken it out of the uploader by then."""
    student = come(link(**TINY, corpus="own-text", steps=5))
    file = {"name": "ducks.txt", "mimeType": "text/plain", "buffer": b"The duck sat. " * 100}
    student.page.locator("input[type=file]").set_input_files(file)
    student.see_text("ducks.txt")
    expect(student.button("Train")).to_be_enabled()
    for _ in range(2):
        student.press("Train")
        student.see("Finished", since=5)
    student.see_text("ducks.txt")
