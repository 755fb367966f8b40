"""The frame in a real browser: presenting by key, sharing, pages from their top, one's own run."""

import re

import pytest
from app_in_browser import LONG, findings, link, settle
from conftest import until
from playwright.sync_api import Error, expect

pytestmark = pytest.mark.slow


def test_a_key_presents_the_picture_and_escape_ends_it(come):
    student = come("/attention?view=stages")
    picture = student.page.locator(".st-key-picture")
    expect(picture.get_by_test_id("stPlotlyChart")).to_be_visible()
    links = student.bar.get_by_role("link", name="Train", exact=True)
    expect(links).to_be_visible()
    before = picture.bounding_box()
    settle(student)
    student.page.keyboard.press("p")
    student.see_link(present="true")
    expect(links).to_be_hidden()
    expect(student.page.locator(".st-key-controls")).to_be_hidden()
    after = picture.bounding_box()
    assert before
    assert after
    assert after["width"] > 1.2 * before["width"]
    letters = picture.locator("[class*=tick] text").first
    assert letters.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") >= 20

    student.rest()
    student.page.keyboard.press("Escape")
    expect(links).to_be_visible()
    assert "present" not in student.query


PRESENTED = [
    *("/?", "/?view=glossary&", "/family_tree?", "/architecture?", "/architecture?view=sizes&"),
    *("/tokens?", "/tokens?view=languages&", "/train?", "/attention?", "/attention?view=head&"),
    *("/attention?view=ablate&", "/rotary?view=longer&", "/norm_and_swiglu?view=width&"),
    *("/norm_and_swiglu?view=gate&", "/generation?", "/generation?view=lens&"),
    *(f"{place}beside=tales-gpt3&" for place in ("/attention?", "/attention?view=head&")),
    *(f"/{page}&beside=tales-gpt3&" for page in ("generation?view=next", "rotary?view=longer")),
]


@pytest.mark.parametrize("high", [720, 1080])
def test_what_is_presented_fits_the_screen(come, high):
    student = come("/")
    student.page.set_viewport_size({"width": high * 16 // 9, "height": high})
    over = {}
    for place in PRESENTED:
        student.page.goto(f"{student.server.address}{place}present=true")
        expect(student.page.get_by_role("heading", level=1)).to_be_visible()
        settle(student)
        try:
            student.page.wait_for_function(FITS, timeout=10_000)
        except Error:
            over[place] = student.page.evaluate(OVER)
    assert not over


OVER = "document.querySelector('[data-testid=stMain]').scrollHeight - innerHeight"
FITS = f"{OVER} <= 1"


WHY = [
    *("/attention?view=heads", "/attention?view=stages", "/norm_and_swiglu?view=norms"),
    *("/norm_and_swiglu?view=stream", "/norm_and_swiglu?view=activations"),
]


def test_why_stands_beside_the_picture_that_shows_it(come):
    student = come("/")
    student.page.set_viewport_size({"width": 1280, "height": 720})
    for place in WHY:
        student.open(place)
        settle(student)
        why = student.page.locator(".st-key-words .st-key-why")
        expect(why).to_contain_text("Why ")
        expect(why).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(
    ("link", "inside"),
    [
        ("/attention?view=stages", "[data-testid=stPlotlyChart] .main-svg >> nth=0"),
        ("/attention?view=head", ".reading svg >> nth=0"),
        ("/architecture", ".panels"),
        ("/family_tree", ".scroll"),
    ],
)
def test_a_picture_fills_the_screen_at_a_press_and_is_left_by_escape(come, link, inside):
    student = come(link)
    student.page.set_viewport_size({"width": 1280, "height": 720})
    settle(student)
    picture = student.page.locator(".st-key-picture")
    drawn = picture.locator(inside)
    before = drawn.bounding_box()
    button = student.button("Full size")
    button.focus()
    button.press("Enter")
    settle(student)
    expect(student.page.locator(".st-key-side")).to_be_hidden()
    expect(student.bar.get_by_role("link", name="Train", exact=True)).to_be_hidden()
    student.page.wait_for_function(GROWN, arg=[inside.split(" >>")[0], before["width"]])
    within = student.page.locator(":has(> .st-key-picture)").last.bounding_box()
    assert (within["x"], within["y"], within["width"]) == (0, 0, 1280)
    assert findings(student) == []

    student.page.keyboard.press("Escape")
    expect(student.page.locator(".st-key-side")).to_be_visible()
    expect(student.button("Full size")).to_be_focused()
    settle(student)
    assert drawn.bounding_box()["width"] == pytest.approx(before["width"], abs=2)
    student.page.keyboard.press("f")
    expect(student.button("Leave full size")).to_be_visible()
    student.page.keyboard.press("Escape")


GROWN = """([selector, before]) => {
  const find = root => root.querySelector(selector) ?? [...root.querySelectorAll("*")].reduce(
    (found, each) => found ?? (each.shadowRoot && find(each.shadowRoot)), null)
  const { width } = find(document.querySelector(".st-key-picture")).getBoundingClientRect()
  return width > 1.05 * before
}"""
"""Whether what is drawn is wider than before."""


def test_what_is_drawn_stays_solid_until_what_follows_it_is_there(come):
    student = come("/attention?view=stages")
    settle(student)
    chart = student.page.locator(".st-key-picture").get_by_test_id("stElementContainer").last
    assert chart.evaluate(OPACITY) == 1
    chart.evaluate("each => { each.dataset.stale = 'true' }")  # as Streamlit marks what it redraws
    student.page.wait_for_timeout(1_500)  # its fading takes a second
    assert chart.evaluate(OPACITY) == 1


OPACITY = "each => Number(getComputedStyle(each).opacity)"


def test_letters_along_an_axis_are_as_dark_as_any(come):
    student = come("/attention?view=stages")
    ticks = student.page.locator(".st-key-picture [class*=tick] text")
    expect(ticks.first).to_be_visible()
    words = student.page.get_by_role("heading", level=1)
    colour = words.evaluate("each => getComputedStyle(each).color")
    fills = ticks.evaluate_all("all => all.map(each => getComputedStyle(each).fill)")
    assert set(fills) == {colour}


LOOKS = """() => {
  const looks = []
  const look = root => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) look(each.shadowRoot)
      if (each.tagName === "CANVAS") looks.push(each.toDataURL())
      if (!(each instanceof SVGElement)) continue
      const { fill, stroke, stopColor } = getComputedStyle(each)
      looks.push([each.tagName, fill, stroke, stopColor, each.href?.baseVal ?? ""].join(" "))
    }
  }
  look(document.querySelector(".st-key-picture") ?? document.createElement("p"))
  return looks.sort()
}"""
"""The colours of all that is drawn in a page's picture."""


@pytest.mark.parametrize(
    "link", ["/attention?view=stages", "/attention?view=heads", "/architecture"]
)
def test_what_is_drawn_follows_the_theme_while_the_page_is_open(come, link):
    student, other = come(link), come("/")
    for scheme in ("dark", "light"):
        settle(student)
        student.page.emulate_media(color_scheme=scheme)
        other.page.emulate_media(color_scheme=scheme)
        other.open(link)
        settle(other)
        until(lambda: looks(student) == looks(other))
        assert looks(student)


def looks(student):
    return student.page.evaluate(LOOKS)


def test_another_page_opens_at_its_top_and_is_marked_in_the_bar(come):
    student = come("/architecture?view=components")
    main = student.page.get_by_test_id("stMain")
    settle(student)
    main.evaluate("each => each.scrollTo(0, 700)")
    student.bar.get_by_role("link", name="RoPE", exact=True).click()
    expect(student.page).to_have_title(re.compile("^Rotary embeddings"))
    settle(student)
    assert main.evaluate("each => each.scrollTop") == 0
    here = student.bar.locator("a[aria-current=page]:visible")
    expect(here).to_have_text("RoPE")


def test_a_shared_link_opens_the_same_view_without_the_controls_that_it_hides(come):
    student = come("/attention?view=head&layer=2")
    settle(student)
    student.bar.get_by_role("button", name="Share").click()
    dialog = student.page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_be_visible()
    box = dialog.get_by_role("combobox")
    box.click()
    student.page.get_by_role("option", name="Layer", exact=True).click()
    shared = dialog.get_by_test_id("stCode")
    expect(shared).to_contain_text("hide=layer")
    address = shared.inner_text().strip()
    assert address.startswith(student.server.address)

    other = come(address.removeprefix(student.server.address))
    expect(other.widget("Head")).to_be_visible()
    expect(other.widget("Layer")).to_have_count(0)
    expect(other.page.locator(".reading")).to_be_visible()


def test_in_a_new_tab_a_students_own_run_is_one_press_away(come):
    student = come(link(**LONG))
    student.train()
    other = come("/attention", beside=student)
    other.bar.get_by_role("button", name="Your run trains").click()
    other.see_link(run=student.run_id)


CUT = """each => [each.scrollWidth - each.clientWidth, ...[...each.querySelectorAll("a")].map(
  (link) => link.getBoundingClientRect().right - each.getBoundingClientRect().right)]"""


def test_on_a_projector_every_pages_name_has_room_also_while_a_run_trains(come):
    student = come(link(**LONG))
    student.page.set_viewport_size({"width": 1280, "height": 720})
    names = student.bar.locator(".st-key-navigation")
    student.train()
    expect(student.bar).to_contain_text(re.compile(r"Training, step [1-9]\d"))
    assert max(names.evaluate(CUT)) <= 0
    student.page.goto(f"{student.server.address}/generation?run=tales-llama")
    expect(student.bar.get_by_role("button", name="Your run trains")).to_be_visible()
    settle(student)
    assert max(names.evaluate(CUT)) <= 0
    student.page.goto(f"{student.server.address}/architecture?view=code")
    settle(student)
    views = student.page.locator(".st-key-view [role=radiogroup]")
    assert views.evaluate("each => each.scrollWidth - each.clientWidth") <= 0


def test_the_bar_calls_a_run_what_its_student_calls_it_after_a_reload_and_a_renaming(come):
    student = come(link(**LONG))
    student.train()
    student.page.reload()
    expect(student.model).to_have_value(re.compile("^Run 1,"))
    student.unfold("Outcomes of your runs")
    student.page.get_by_label("Call Run 1 something else").fill("The long one")
    student.press("Rename")
    expect(student.model).to_have_value(re.compile("^The long one,"))
