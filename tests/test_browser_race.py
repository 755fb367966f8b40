"""A race in a real browser: from a click to a verdict, with its models opened on the way."""

import re
from urllib.parse import urlencode

import pytest
from app_in_browser import TINY, link
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def trained(come, **settings):
    """Train a tiny model; return the student, and the run's id."""
    student = come(link(**TINY, steps=50, **settings))
    student.train()
    student.see("Finished", since=50)
    return student


def race(student, one, against, **words):
    """Open the page on which these two runs would race."""
    words = {"view": "here", "one": one, "other": against, "n_seeds": 2, "race_steps": 100} | words
    student.open(f"/compare?{urlencode(words)}")
    expect(student.page.get_by_text("if nobody else trains here")).to_be_visible()


def test_a_race_goes_from_a_click_to_a_verdict_and_its_models_open(come):
    student = trained(come)
    one = student.run_id
    student.open(link(**TINY, steps=50, norm="layernorm"))
    student.train()
    student.see("Finished", since=50)
    race(student, one, student.run_id)
    chart = student.page.locator(".st-key-picture").get_by_test_id("stPlotlyChart")
    expect(chart).to_contain_text("Seeds on each side")
    student.press("Start")
    student.see("Running|Finished")
    student.see("Finished", since=400)
    expect(student.page.get_by_text(re.compile("2 seeds")).first).to_be_visible()
    expect(chart).to_contain_text("Held-out loss")
    student.page.reload()
    expect(chart).to_contain_text("Held-out loss")
    student.press("Open both")
    student.page.get_by_role("link", name="Attention of run 1", exact=False).first.click()
    expect(student.page.get_by_role("heading", name="Attention", level=1)).to_be_visible()
    expect(student.model).to_have_value(re.compile("run 1|run-1"))


def test_a_race_is_followed_while_it_goes_on_and_survives_the_end_of_its_worker(come):
    student = trained(come)
    race(student, student.run_id, student.run_id, race_steps=3000)
    student.press("Start")
    first = student.see("Running", since=50)
    expect(student.legend).to_have_count(4)
    student.press("Pause")
    student.see("Paused")
    student.press("Go on")
    student.server.kill_workers()
    student.see("Running", since=first + 100)
    student.press("Stop")
    student.see("Stopped")
