import json
import math
import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from explorer.components.live_chart import MOST_POINTS, OVERLAP, Line, moving_average, updates

FOLDER = Path(__file__).parent.parent / "explorer" / "components"


def line(n, name="loss", run="", smooth=False, value=float, scale=1, title=None, **how):
    x = [step * scale for step in range(1, n + 1)]
    values = [value(step) for step in range(1, n + 1)]
    return Line(name=name, title=title or name, run=run, smooth=smooth, x=x, values=values, **how)


def received(update):
    """Give the x and the values as the browser reads them."""
    x = np.cumsum(update["dx"]).tolist() if "dx" in update else update["x"]
    return x, update["values"]


def test_a_new_line_is_sent_in_full():
    [update] = updates([line(3)], {})
    assert (update["start"], update["end"]) == (0, 3)
    assert received(update) == ([1, 2, 3], [1.0, 2.0, 3.0])


def test_later_only_new_points_are_sent():
    sent = {}
    updates([line(10)], sent)
    [update] = updates([line(12)], sent)
    assert (update["start"], update["end"]) == (10, 12)
    assert received(update) == ([11, 12], [11.0, 12.0])


def test_the_points_of_the_last_calls_are_sent_again():
    sent = {}
    starts = [updates([line(n)], sent)[0]["start"] for n in range(10, 100, 10)]
    assert starts[: OVERLAP + 1] == [0] + [10] * OVERLAP
    assert starts[-1] == 90 - 10 * OVERLAP


@pytest.mark.parametrize("lost", range(OVERLAP))
def test_so_some_updates_in_a_row_may_be_lost(lost):
    sent = {}
    arrived = [updates([line(n)], sent)[0] for n in range(10, 210, 10)]
    del arrived[8 : 8 + lost]
    ends = [update["end"] for update in arrived]
    assert all(update["start"] <= end for update, end in zip(arrived[1:], ends, strict=False))


def test_with_nothing_new_nothing_is_sent_once_the_overlap_has_passed():
    sent = {}
    for _ in range(OVERLAP + 1):
        [update] = updates([line(50)], sent)
    assert update["values"] == []
    assert (update["start"], update["end"]) == (50, 50)


def test_another_run_is_sent_in_full_and_the_first_one_goes_on():
    sent = {}
    updates([line(50, run="a")], sent)
    new, old = updates([line(5, run="b"), line(51, run="a")], sent)
    assert (new["start"], new["end"]) == (0, 5)
    assert (old["start"], old["end"]) == (50, 51)


def test_a_line_that_comes_back_is_sent_in_full():
    sent = {}
    updates([line(50, "loss"), line(5, "held_out")], sent)
    updates([line(51, "loss")], sent)
    _, back = updates([line(52, "loss"), line(6, "held_out")], sent)
    assert back["start"] == 0


def test_a_line_that_became_shorter_is_sent_in_full():
    sent = {}
    updates([line(50)], sent)
    [update] = updates([line(20)], sent)
    assert (update["start"], update["end"]) == (0, 20)


def test_values_that_are_not_finite_leave_a_hole_and_the_message_is_strict_json():
    values = [1.0, math.nan, math.inf, -math.inf, 2.0]
    bad = Line(name="loss", title="Loss", x=np.arange(5), values=np.array(values))
    [update] = updates([bad], {})
    assert update["values"] == [1.0, None, None, None, 2.0]
    json.dumps(update, allow_nan=False)


def test_a_point_that_is_only_half_written_waits():
    half = Line(name="loss", title="Loss", x=[1, 2, 3], values=[5.0, 4.0])
    [update] = updates([half], {})
    assert (update["end"], received(update)) == (2, ([1, 2], [5.0, 4.0]))


def test_a_long_line_keeps_its_ends_and_its_spikes():
    n = 50_000
    values = np.sin(np.arange(n) / 700)
    values[[12_345, 33_333]] = [9.0, -9.0]
    values[40_000] = math.nan
    long = Line(name="loss", title="Loss", x=np.arange(1, n + 1), values=values)
    [update] = updates([long], {})
    steps, kept = received(update)
    drawn = dict(zip(steps, kept, strict=True))
    assert len(steps) <= MOST_POINTS
    assert (update["end"], steps[0], steps[-1]) == (n, 1, n)
    assert (drawn[12_346], drawn[33_334]) == (9.0, -9.0)
    assert None not in kept
    assert all(drawn[step] == pytest.approx(values[step - 1], abs=1e-4) for step in steps)


def test_after_a_long_line_new_points_are_sent_one_by_one():
    sent = {}
    updates([line(50_000)], sent)
    [update] = updates([line(50_003)], sent)
    assert received(update) == ([50_001, 50_002, 50_003], [50_001.0, 50_002.0, 50_003.0])


def test_after_a_long_absence_the_whole_line_is_smaller_than_what_is_new():
    sent = {}
    updates([line(100)], sent)
    [update] = updates([line(20_000)], sent)
    assert update["start"] == 0
    assert len(update["values"]) <= MOST_POINTS


def test_a_long_noisy_line_brings_the_average_of_all_its_points():
    long = line(10_000, smooth=True, value=lambda step: 2 + math.cos(step))
    [update] = updates([long], {})
    steps, _ = received(update)
    everything = moving_average(np.array(long.values))
    assert update["averages"] == pytest.approx([everything[step - 1] for step in steps], rel=1e-4)


def test_the_moving_average_starts_at_the_first_finite_value_and_steps_over_holes():
    average = moving_average(np.array([math.nan, 4.0, math.nan, 2.0]))
    assert math.isnan(average[0])
    assert average[1:].tolist() == pytest.approx([4, 4, 4 - 2 / (2 + 0.03 * 3)])


def test_whole_x_are_sent_as_distances():
    tokens = Line(name="loss", title="Loss", x=[99_000_000, 99_004_096], values=[2.0, 1.0])
    [update] = updates([tokens], {})
    assert update["dx"] == [99_000_000, 4096]
    assert "x" not in update


def test_fractional_x_are_rounded_and_never_fall():
    seconds = np.cumsum(np.full(20_000, 0.0123456789)) + 864_000
    [update] = updates([Line(name="loss", title="Loss", x=seconds[-100:], values=[1.0] * 100)], {})
    x, _ = received(update)
    assert x == pytest.approx(seconds[-100:], abs=0.1)
    assert x == sorted(x)
    assert max(len(str(place)) for place in x) <= len("864000.1")


def test_a_long_line_of_fractions_keeps_its_points_together():
    long = line(50_000, smooth=True, value=lambda step: 2 + math.cos(step), scale=0.25)
    [update] = updates([long], {})
    x, values = received(update)
    assert len(x) == len(values) == len(update["averages"]) <= MOST_POINTS
    assert values == pytest.approx([2 + math.cos(4 * place) for place in x], rel=1e-4)


def test_along_another_axis_a_line_is_sent_in_full_there_and_back():
    sent = {}
    updates([line(50)], sent, "Step")
    for axis, scale in (("Seconds", 0.5), ("Step", 1)):
        [update] = updates([line(50, scale=scale)], sent, axis)
        assert (update["start"], update["end"]) == (0, 50)
        [update] = updates([line(51, scale=scale)], sent, axis)
        assert (update["start"], update["end"]) == (50, 51)


def test_an_array_may_grow_while_its_line_is_kept():
    steps, values = array("l", range(10)), array("d", [1.5] * 10)
    kept = Line(name="loss", title="Loss", x=steps, values=values)
    sent = {}
    update = updates([kept], sent)
    steps.append(10)  # a BufferError, if anything still looked into the array
    values.append(1.5)
    [update] = updates([kept], sent)
    assert (update["start"], update["end"], update["dx"]) == (10, 11, [10])


def test_an_update_looks_at_new_points_only():
    class Counting(list):
        seen = 0

        def __getitem__(self, places):
            found = super().__getitem__(places)
            Counting.seen += len(found)
            return found

    x, values = Counting(range(3000)), Counting([1.5] * 3000)
    growing, sent = Line(name="loss", title="Loss", x=x, values=values), {}
    updates([growing], sent)
    Counting.seen = 0
    x.append(3000)
    values.append(1.5)
    updates([growing], sent)
    assert Counting.seen == 1 + 2  # the first of all, before which one may have come


@pytest.mark.parametrize(("scale", "most"), [(1, 1_500), (4096, 1_800), (0.0123, 2_500)])
def test_a_tick_is_small_and_a_long_run_bounded(scale, most):
    def noisy(n):
        return line(n, smooth=True, value=lambda step: 2 + math.cos(step) / 3, scale=scale)

    sent = {}
    [full] = updates([noisy(60_000)], sent)
    assert len(json.dumps(full)) < 125_000
    for n in range(60_020, 60_220, 20):  # 40 steps a second, two ticks a second
        [tick] = updates([noisy(n)], sent)
    assert len(json.dumps(tick)) < most


# A page as Streamlit runs it ----------------------------------------------------------------------


PAGE = """
import streamlit as st
from explorer.components.live_chart import Line, live_chart

n = st.session_state.setdefault("n", 10)
axis = st.session_state.setdefault("axis", "Step")
lines = [Line(name="loss", title="Training loss", x=range(n), values=[1.5] * n)]
live_chart(
    lines,
    key="chart",
    x_title=axis,
    y_title="Loss",
    alt="The loss by step",
    height=300,
    max_x=100,
    numbers=[("Loss", "1.5"), ("Speed", "9", "Tokens a second")],
)
"""


def chart(app):
    assert not app.exception
    [node] = app.get("bidi_component")
    return node.proto


@pytest.fixture
def app():
    return AppTest.from_string(PAGE, default_timeout=60).run()


def test_the_page_sends_files_by_address_and_the_words_as_data(app):
    sent = chart(app)
    assert sent.js_source_path.startswith("live_chart/live_chart.js")
    assert sent.css_source_path.startswith("live_chart/live_chart.css")
    data = json.loads(sent.json)
    assert (data["alt"], data["yTitle"], data["xTitle"]) == ("The loss by step", "Loss", "Step")
    assert (data["maxX"], data["logY"], data["height"]) == (100, False, 300)
    assert data["numbers"] == [["Loss", "1.5"], ["Speed", "9", "Tokens a second"]]


def test_a_rerun_sends_what_is_new_under_the_same_identity(app):
    before = chart(app).id
    app.session_state["n"] = 13
    after = chart(app.run())
    [update] = json.loads(after.json)["lines"]
    assert (update["start"], update["end"]) == (10, 13)
    assert after.id == before


def test_along_another_axis_everything_is_sent_under_the_same_identity(app):
    before = chart(app).id
    app.session_state["axis"] = "Tokens"
    after = chart(app.run())
    [update] = json.loads(after.json)["lines"]
    assert (update["start"], update["end"]) == (0, 10)
    assert after.id == before


def test_a_browser_that_misses_points_gets_all_of_them(app):
    request = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{chart(app).id}__events")
    request.json_trigger_value = json.dumps([{"event": "resync", "value": 1}])
    app.session_state["n"] = 13
    # AppTest has no public way to play the browser's part of a component.
    app._run(WidgetStates(widgets=[request]))
    [update] = json.loads(chart(app).json)["lines"]
    assert (update["start"], update["end"]) == (0, 13)


def test_the_chart_needs_no_pytorch():
    code = "import sys, explorer.components.live_chart; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# In a browser, without a server -------------------------------------------------------------------


HERE = "http://components"
HARNESS = """
async place => {
  const root = document.body.appendChild(document.createElement("div")).attachShadow({mode: "open"})
  root.innerHTML = `<div><div class="place" style="height: 28rem"></div></div>`
  const style = document.createElement("link")
  Object.assign(style, { rel: "stylesheet", href: `${place}.css` })
  root.firstChild.appendChild(style)
  await new Promise(done => style.addEventListener("load", done))
  const pen = CanvasRenderingContext2D.prototype
  const { fillText, setLineDash } = pen
  pen.fillText = function (text, ...place) { texts.add(text); fillText.call(this, text, ...place) }
  pen.setLineDash = function (dash) { dashes.add(dash.join()); setLineDash.call(this, dash) }
  Object.assign(window, { texts: new Set(), dashes: new Set(), asked: 0 })
  const { default: liveChart } = await import(`${place}.js`)
  const frame = () => new Promise(requestAnimationFrame)
  window.update = async data => {
    texts.clear()
    liveChart({ data, parentElement: root, setTriggerValue: () => { asked += 1 } })
    await frame()
    await frame()
  }
}
"""


class Browser:
    """A chart in a page of its own, and the updates that Python would send it."""

    def __init__(self, page):
        self.page = page
        self.sent = {}
        page.route(f"{HERE}/**", self._serve)
        page.goto(f"{HERE}/")
        page.evaluate(HARNESS, f"{HERE}/live_chart/live_chart")

    @staticmethod
    def _serve(route):
        """Hand out the folder of all components, as Streamlit does, or at its root a bare page."""
        place = route.request.url.removeprefix(f"{HERE}/")
        if place:
            route.fulfill(path=FOLDER / place)
        else:
            route.fulfill(content_type="text/html", body="<!doctype html><body></body>")

    def update(self, lines, *, x_title="Step", numbers=(), max_x=None, arrives=True):
        data = {
            "lines": updates(lines, self.sent, x_title),
            "numbers": [list(number) for number in numbers],
            "xTitle": x_title,
            "yTitle": "Loss",
            "alt": "The loss",
            "height": 320,
            "logY": False,
            "maxX": max_x,
        }
        if arrives:
            self.page.evaluate("data => update(window.last = data)", data)

    def again(self):
        """Send the same message once more, as at a change of theme."""
        self.page.evaluate("update(last)")

    def texts(self):
        return set(self.page.evaluate("[...texts]"))

    def asked(self):
        return self.page.evaluate("asked")

    def press(self, *keys):
        self.page.locator(".slider").focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.page.evaluate("new Promise(requestAnimationFrame)")

    def slider(self, name):
        return self.page.locator(".slider").get_attribute(f"aria-value{name}")

    def view(self):
        return float(self.slider("min")), float(self.slider("max"))

    def height(self, selector):
        return self.page.locator(selector).bounding_box()["height"]


@pytest.fixture
def browser(browser):
    """Lend a page of the browser that all tests share."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield Browser(page)
    page.close()
    assert not troubles


def test_a_zoom_survives_updates_until_the_axis_is_another(browser):
    browser.update([line(100)])
    browser.press("+")
    zoomed = browser.view()
    assert zoomed != (0, 100)
    browser.update([line(120)])
    assert browser.view() == zoomed
    browser.update([line(120, scale=0.5)], x_title="Seconds")
    assert browser.view() == (0, 60)
    assert browser.asked() == 0


def test_points_of_two_axes_never_mix_when_the_full_line_is_overtaken(browser):
    browser.update([line(100)])
    browser.update([line(100, scale=0.5)], x_title="Seconds", arrives=False)
    browser.update([line(101, scale=0.5)], x_title="Seconds")
    assert browser.asked() == 1
    assert "Nothing to show yet" in browser.texts()
    browser.sent.clear()  # what the page does when it is asked
    browser.update([line(102, scale=0.5)], x_title="Seconds")
    assert browser.view() == (0, 51)


def test_an_update_may_come_twice_and_others_be_lost(browser):
    browser.update([line(10)])
    browser.update([line(20)], arrives=False)
    browser.update([line(30)])
    browser.again()
    browser.press("End", "ArrowLeft")
    assert browser.slider("text") == "29. loss: 29"
    assert browser.asked() == 0


def test_the_keyboard_walks_along_fractions(browser):
    browser.update([line(8, scale=0.125, title="Loss")], x_title="Seconds")
    browser.press("Home", "ArrowRight")
    assert browser.slider("text") == "0.250. Loss: 2"
    assert float(browser.slider("now")) == 0.25
    expect(browser.page.locator(".tooltip")).to_contain_text("Seconds 0.25")
    expect(browser.page.locator(".summary")).to_have_text(
        "Loss rose from 1 at seconds 0.125 to 8 at seconds 1.000."
    )


def test_the_keyboard_stays_with_the_current_run_and_goes_on_where_only_an_earlier_one_is(browser):
    lines = [line(3, run="new", scale=0.5), line(4, run="old", scale=0.45)]
    browser.update(lines, x_title="Seconds")
    places = []
    for keys in (["Home"], *[["ArrowRight"]] * 3):
        browser.press(*keys)
        places.append(float(browser.slider("now")))
    assert places == [0.5, 1.0, 1.5, 1.8]
    browser.press("Home")
    assert "loss: 1 (seconds 0.450)" in browser.slider("text")


def test_ticks_are_short_where_numbers_are_large_and_fractional_where_they_are_small(browser):
    browser.update([line(100, scale=20_000)], x_title="Tokens")
    assert {"500k", "1M", "1.5M", "2M"} <= browser.texts()
    browser.press("End", "ArrowLeft")
    assert browser.slider("text").startswith("1.980M. ")
    browser.update([line(10, scale=0.1)], x_title="Seconds")
    assert {"0.5", "1.0"} <= browser.texts()
    browser.update([line(3, value=lambda step: 70.0)], x_title="Step")
    assert {"1", "2", "3"} <= browser.texts()
    assert "1.5" not in browser.texts()


def test_the_whole_run_gives_the_axis_its_length(browser):
    browser.update([line(10, scale=0.1)], x_title="Seconds", max_x=2.5)
    assert browser.view() == (0, 2.5)


NUMBERS = [(f"Number {i}", f"{i}.00", "What it is") for i in range(8)]


def test_numbers_are_tiles_three_in_a_row_of_a_phone_and_no_screen_reader_is_flooded(browser):
    browser.update([line(10)], numbers=NUMBERS)
    tiles = browser.page.locator("dl.numbers > div")
    assert tiles.count() == 8
    expect(tiles.first.locator("dt")).to_have_text("Number 0")
    expect(tiles.first.locator("dd")).to_have_text("0.00")
    assert tiles.first.get_attribute("title") == "What it is"
    tops = [tile.bounding_box()["y"] for tile in tiles.all()]
    assert [tops.count(top) for top in sorted(set(tops))] == [3, 3, 2]
    assert browser.page.locator("[aria-live] dl, dl[aria-live], dl [aria-live]").count() == 0


def test_a_touch_on_a_number_says_what_it_is_and_another_one_no_more(browser):
    browser.update([line(10)], numbers=NUMBERS)
    label = browser.page.get_by_role("button", name="Number 3")
    label.click()
    expect(browser.page.get_by_role("status")).to_have_text("Number 3: What it is")
    browser.update([line(11)], numbers=NUMBERS)
    expect(browser.page.get_by_role("status")).to_be_visible()
    label.press("Enter")
    expect(browser.page.locator(".hint")).to_be_hidden()


def test_nothing_jumps_when_numbers_change(browser):
    browser.update([line(10)], numbers=NUMBERS)
    before = browser.page.locator(".plot").bounding_box()
    browser.update([line(11)], numbers=[(label, "123,456,789 a second") for label, *_ in NUMBERS])
    assert browser.page.locator(".plot").bounding_box() == before
    browser.update([line(11)], numbers=NUMBERS[:2])
    assert browser.page.locator("dl.numbers > div").count() == 2
    assert browser.height(".plot") == before["height"] == 320


def test_without_numbers_there_is_no_room_for_them_nor_for_the_chart_to_come(browser):
    browser.update([line(10)])
    assert not browser.page.locator("dl").is_visible()
    assert browser.page.locator(".place").count() == 0
    assert browser.height(".chart") < 320 + 40


def test_six_runs_differ_by_dash_and_their_legend_leaves_the_plot_its_room(browser):
    title = "Held-out loss of layer normalisation and learned positions at a rate of 0.003, run {}"
    lines = [
        line(50, name=name, run=str(run), smooth=name == "loss", title=title.format(run))
        for run in range(6)
        for name in ("loss", "held_out")
    ]
    browser.update(lines)
    assert len(browser.page.evaluate("[...dashes]")) == 6  # the current run's is none
    assert browser.height(".plot") == 320
    assert browser.height(".legend") <= (browser.height(".legend") + 320) / 3
    button = browser.page.locator(".legend button").last
    assert button.get_attribute("title") == title.format(5)
    assert button.bounding_box()["width"] <= 390
    assert browser.page.evaluate("document.documentElement.scrollWidth") == 390


def test_each_run_has_its_colour_and_its_name_at_the_end_of_its_curve(browser):
    runs = {"new": 2, "old": 0, "older": 1}
    lines = [
        line(50, name, run=run, colour=colour, label=run if name == "loss" else "")
        for run, colour in runs.items()
        for name in ("loss", "held_out")
    ]
    browser.page.evaluate("""
        const pen = CanvasRenderingContext2D.prototype
        const { fillText } = pen
        window.named = []
        pen.fillText = function (text, x, y) {
          if (/^(600|bold)/.test(this.font)) named.push([text, this.fillStyle, y])
          fillText.call(this, text, x, y)
        }
        null
    """)
    browser.update(lines)
    named = browser.page.evaluate("named.slice(-3)")
    assert {text for text, *_ in named} == {"new", "old", "older"}
    colours = {text: colour for text, colour, _ in named}
    assert len(set(colours.values())) == 3
    heights = sorted(y for *_, y in named)
    assert min(heights[1] - heights[0], heights[2] - heights[1]) >= 12
    browser.update([line(60, "loss", run="new", colour=2), *lines[1:]])
    assert browser.asked() == 0


def test_a_long_run_squeezes_no_other_and_is_all_there_a_zoom_away(browser):
    browser.update([line(100, run="short"), line(900, run="long")], max_x=100)
    assert browser.view() == (0, 100)
    browser.press("-")
    assert browser.view() == (0, 150)
    browser.press(*"-----")
    assert browser.view() == (0, 900)
    browser.press("0")
    assert browser.view() == (0, 100)


def test_a_long_run_that_has_begun_does_not_squeeze_what_is_before(browser):
    browser.update([line(10, run="long"), line(100, run="short")], max_x=50_000)
    assert browser.view() == (0, 100)
    browser.update([line(120, run="long"), line(100, run="short")], max_x=50_000)
    assert browser.view() == (0, 150)


def test_a_line_picked_out_in_the_legend_is_told_apart(browser):
    browser.update([line(50, "loss"), line(50, "held_out")])
    browser.page.evaluate("""
        const pen = CanvasRenderingContext2D.prototype
        const alpha = Object.getOwnPropertyDescriptor(pen, "globalAlpha")
        window.alphas = new Set()
        Object.defineProperty(pen, "globalAlpha", {
          ...alpha, set(value) { alphas.add(value); alpha.set.call(this, value) },
        })
    """)
    browser.page.locator(".legend button").first.hover()
    browser.page.wait_for_function("alphas.has(0.15) && alphas.has(1)")
