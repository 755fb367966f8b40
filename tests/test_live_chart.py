import json
import math
import subprocess
import sys

import numpy as np
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from explorer.components.live_chart import MOST_POINTS, OVERLAP, Line, moving_average, updates


def line(n, name="loss", run="", smooth=False, value=float):
    steps = range(1, n + 1)
    values = [value(step) for step in steps]
    return Line(name=name, title=name, run=run, smooth=smooth, steps=steps, values=values)


def received(update):
    """Steps and values as the browser reads them."""
    return np.cumsum(update["steps"]).tolist(), update["values"]


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
    bad = Line(name="loss", title="Loss", steps=np.arange(5), values=np.array(values))
    [update] = updates([bad], {})
    assert update["values"] == [1.0, None, None, None, 2.0]
    json.dumps(update, allow_nan=False)


def test_a_point_that_is_only_half_written_waits():
    half = Line(name="loss", title="Loss", steps=[1, 2, 3], values=[5.0, 4.0])
    [update] = updates([half], {})
    assert (update["end"], received(update)) == (2, ([1, 2], [5.0, 4.0]))


def test_a_long_line_keeps_its_ends_and_its_spikes():
    n = 50_000
    values = np.sin(np.arange(n) / 700)
    values[[12_345, 33_333]] = [9.0, -9.0]
    values[40_000] = math.nan
    long = Line(name="loss", title="Loss", steps=np.arange(1, n + 1), values=values)
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


def test_a_tick_is_small_and_a_long_run_bounded():
    def noisy(n):
        return line(n, smooth=True, value=lambda step: 2 + math.cos(step) / 3)

    sent = {}
    [full] = updates([noisy(60_000)], sent)
    assert len(json.dumps(full)) < 100_000
    for n in range(60_020, 60_220, 20):  # 40 steps a second, two ticks a second
        [tick] = updates([noisy(n)], sent)
    assert len(json.dumps(tick)) < 1_500


# A page as Streamlit runs it ----------------------------------------------------------------------


PAGE = """
import streamlit as st
from explorer.components.live_chart import Line, live_chart

n = st.session_state.setdefault("n", 10)
lines = [Line(name="loss", title="Training loss", steps=range(n), values=[1.5] * n)]
live_chart(lines, key="chart", y_title="Loss", alt="The loss by step", max_steps=100)
"""


def chart(app):
    assert not app.exception
    [node] = app.get("bidi_component")
    return node.proto


@pytest.fixture
def app():
    return AppTest.from_string(PAGE).run()


def test_the_page_sends_files_by_address_and_the_words_as_data(app):
    sent = chart(app)
    assert sent.js_source_path.startswith("live_chart.js")
    assert sent.css_source_path.startswith("live_chart.css")
    data = json.loads(sent.json)
    assert (data["alt"], data["yTitle"], data["xTitle"]) == ("The loss by step", "Loss", "Step")
    assert (data["maxSteps"], data["logY"]) == (100, False)


def test_a_rerun_sends_what_is_new_under_the_same_identity(app):
    before = chart(app).id
    app.session_state["n"] = 13
    after = chart(app.run())
    [update] = json.loads(after.json)["lines"]
    assert (update["start"], update["end"]) == (10, 13)
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
