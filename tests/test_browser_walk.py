"""One walk through the app in a real browser: every part of it once, in the first tier."""

import re

from app_in_browser import choose
from playwright.sync_api import expect


def test_a_student_trains_from_home_looks_inside_reloads_and_goes_back(server, come):
    student = come("/")
    student.press("Train a tiny one now")
    step = student.see("Training", since=1)
    run_id = student.run_id

    student.bar.get_by_role("link", name="Attention", exact=True).click()
    heads = student.page.get_by_role("group", name=re.compile("3 layers of 4 heads"))
    expect(heads).to_be_visible()
    choose(student, "One head")
    student.see_link(view="head", run=run_id)
    arcs = student.page.get_by_role("listbox")
    arcs.focus()
    arcs.press("ArrowDown")
    expect(student.page.locator(".words")).to_contain_text("reads with head 0")

    student.page.reload()
    expect(arcs).to_be_visible()
    student.see_link(view="head", run=run_id)
    student.rest()
    student.page.go_back()
    expect(heads).to_be_visible()
    assert "view" not in student.query

    student.go_to("Train")
    student.see("Training|Finished", since=step + 1)
    assert student.run_id == run_id
    student.press("Stop")
    step = student.see("Stopped")
    assert len(server.rows(run_id)) == step + 1
    expect(student.tile("Training loss")).to_have_text(server.loss(run_id, step))
