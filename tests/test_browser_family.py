"""The family tree in a real browser: names that never collide, keys, card, miniature."""

import re

import pytest
from app_in_browser import SCREENS, WIDTH, findings, frame_faults, frames_sent, settle, students
from conftest import until
from playwright.sync_api import expect

from tiny_llama.miniatures import MINIATURES
from tiny_llama.setup import Setup, changes, setting_word

pytestmark = pytest.mark.slow

NAMES = """nodes => nodes.map(node => {
  const text = node.querySelector("text")
  if (text.getAttribute("visibility") === "hidden") return null
  const { left, right, top, bottom } = text.getBoundingClientRect()
  return [text.textContent, left, right, top, bottom]
}).filter(Boolean)"""
"""The names that are shown, each with where it stands on the screen."""
COVERED = """nodes => {
  const box = each => each.getBoundingClientRect()
  const name = box(nodes.find(each => each.dataset.id === "llama-1").querySelector("text"))
  return nodes.map(each => [each.dataset.id, box(each.querySelector("path"))])
    .filter(([, { left, right, top, bottom }]) => left < name.right && right > name.left
      && top < name.bottom - 3 && bottom > name.top + 3)
    .map(([id]) => id)
}"""
"""The marks that stand on LLaMA's name."""


def nodes(student):
    return student.page.locator(".node")


def node(student, name):
    return student.page.get_by_role("button", name=re.compile(f"^{re.escape(name)}, "))


def names(student):
    student.draw()
    return nodes(student).evaluate_all(NAMES)


def collisions(boxes):
    """List the pairs of names whose boxes overlap, but for the blank lines above and below."""
    return [
        (one[0], other[0])
        for number, one in enumerate(boxes)
        for other in boxes[number + 1 :]
        if one[1] < other[2] and other[1] < one[2] and abs(one[3] - other[3]) < 12
    ]


@pytest.mark.parametrize("screen", list(SCREENS))
def test_no_names_collide_at_any_zoom_and_all_are_shown_at_first(browser, server, screen):
    with students(browser, server, screen) as come:
        check_names(come("/family_tree"))


def check_names(student):
    expect(nodes(student)).to_have_count(92)
    shown = names(student)
    assert len(shown) == 92
    assert collisions(shown) == []
    heights = {round(bottom - top) for *_, top, bottom in shown}
    box = student.page.locator(".scroll").bounding_box()
    llama = next(each for each in shown if each[0] == "LLaMA")
    assert box["x"] < llama[1] < llama[2] < box["x"] + box["width"]
    for press in ("Zoom in", "Zoom in", "Show the whole time line", "Zoom in"):
        student.press(press)
        shown = names(student)
        assert collisions(shown) == []
        assert "LLaMA" in [name for name, *_ in shown]
        assert nodes(student).evaluate_all(COVERED) == []
        assert {round(bottom - top) for *_, top, bottom in shown} <= heights
    student.press("Zoom in")
    student.press("Zoom in")
    assert len(names(student)) == 92


@pytest.mark.parametrize(("wide", "high"), [(1280, 720), (1280, 1080), (390, 800)])
@pytest.mark.parametrize("lanes", ["kind", "organisation"])
def test_the_drawing_fits_into_the_window_and_llama_is_on_the_first_screen(come, wide, high, lanes):
    student = come("/tokens")
    student.page.set_viewport_size({"width": wide, "height": high})
    student.open(f"/family_tree?lanes={lanes}")
    expect(nodes(student)).to_have_count(92)
    scroll = student.page.locator(".scroll")
    assert scroll.bounding_box()["height"] <= high - 70
    size = scroll.evaluate("each => [each.scrollHeight, each.clientHeight]")
    if lanes == "kind":
        assert size[0] == size[1], "all of it is seen without panning"
    if lanes == "kind" and wide > high:
        expect(node(student, "LLaMA")).to_be_in_viewport(ratio=1)
    for name in ("Transformer", "Kimi K2", "LLaMA"):
        node(student, name).focus()
        student.page.keyboard.press("ArrowRight")
        student.page.keyboard.press("ArrowLeft")
        box, here = scroll.bounding_box(), node(student, name).bounding_box()
        assert box["y"] <= here["y"] <= box["y"] + box["height"]


@pytest.mark.parametrize("view", ["tree", "list"])
@pytest.mark.parametrize("screen", list(SCREENS))
def test_the_page_can_be_used_by_everybody(browser, server, screen, view):
    with students(browser, server, screen) as come:
        student = come(f"/family_tree?view={view}&node=gpt-j")
        settle(student)
        expect(student.page.get_by_role("heading", name="GPT-J-6B", exact=True)).to_be_visible()
        assert findings(student) == []
        assert frame_faults(student) == []
        until(lambda: student.page.evaluate(WIDTH) <= SCREENS[screen][1])  # once all is laid out


def test_pointing_and_keys_ask_nobody_and_a_press_opens_the_card(come, tmp_path):
    student = come("/family_tree")
    expect(nodes(student)).to_have_count(92)
    words = student.page.locator(".words")
    sent = frames_sent(student, nodes(student).last)

    node(student, "Llama 2").hover()
    expect(words).to_contain_text("Llama 2, Meta, July 2023, open weight; 2 parents, 11 children")
    expect(words).to_contain_text("It is the successor of LLaMA, uses research or work of Grouped")
    expect(words).to_contain_text("After it: ")
    student.page.mouse.move(5, 5)
    expect(words).to_contain_text("Point at an entry")

    llama = node(student, "LLaMA")
    llama.focus()
    expect(words).to_contain_text("LLaMA, Meta AI (FAIR), February 2023")
    llama.press("ArrowRight")
    expect(words).to_contain_text("llama.cpp, ")
    student.page.keyboard.press("ArrowLeft")
    expect(words).to_contain_text("LLaMA, Meta AI (FAIR)")
    student.page.keyboard.press("ArrowDown")
    expect(words).not_to_contain_text("LLaMA, Meta AI (FAIR)")
    student.page.keyboard.press("End")
    expect(words).to_contain_text("gpt-oss, OpenAI")
    wide = "svg => svg.getBoundingClientRect().width"
    before = student.page.locator(".scroll svg").evaluate(wide)
    student.page.keyboard.press("+")
    assert student.page.locator(".scroll svg").evaluate(wide) > before
    student.page.keyboard.press("0")
    assert student.page.locator(".scroll svg").evaluate(wide) == before
    expect(words).to_contain_text("gpt-oss, OpenAI")
    assert not sent  # all of this happened in the browser

    student.page.keyboard.press("Enter")
    student.see_link(node="gpt-oss")
    heading = student.page.get_by_role("heading", name="gpt-oss", exact=True)
    expect(heading).to_be_in_viewport()
    student.page.go_back()
    expect(student.page.get_by_role("heading", name="LLaMA", exact=True)).to_be_attached()

    svg = student.download("Save the time line as SVG", tmp_path).read_text()
    assert svg.startswith("<svg")
    assert "color-mix" not in svg
    assert "var(" not in svg
    assert ">LLaMA</text>" in svg


@pytest.mark.parametrize("screen", list(SCREENS))
def test_a_click_keeps_the_tree_in_sight_and_shows_the_card(browser, server, screen):
    with students(browser, server, screen) as come:
        student = come("/family_tree")
        expect(nodes(student)).to_have_count(92)
        node(student, "Llama 2").click()
        student.see_link(node="llama-2")
        card = student.page.get_by_role("heading", name="Llama 2", exact=True)
        expect(card).to_be_in_viewport(ratio=1)
        whole = SCREENS[screen][1] > 900
        expect(student.page.locator(".scroll")).to_be_in_viewport(ratio=0.8 if whole else 0.1)


def test_what_is_pointed_at_is_told_over_the_tree_and_far_from_the_pointer(come):
    student = come("/family_tree")
    expect(nodes(student)).to_have_count(92)
    words = student.page.locator(".words")
    for name in ("FlashAttention", "Unsloth"):
        node(student, name).hover()
        expect(words).to_contain_text(name)
        expect(words).to_be_in_viewport(ratio=1)
        mark, box = node(student, name).bounding_box(), words.bounding_box()
        assert mark["y"] + mark["height"] <= box["y"] or box["y"] + box["height"] <= mark["y"]


def test_a_node_is_clicked_its_diff_read_and_its_miniature_trained(come):
    student = come("/family_tree")
    node(student, "GPT-3").click()
    student.see_link(node="gpt-3")
    expect(student.page.get_by_text("Differs from LLaMA in: norm (LayerNorm)")).to_be_visible()
    row = student.page.get_by_role("row").filter(has_text="Feed-forward")
    expect(row).to_contain_text("SwiGLU (hidden 2/3 of 4d)")
    expect(row).to_contain_text("GELU")
    expect(row).to_contain_text("differs")

    student.page.get_by_test_id("stMain").get_by_role("link", name="Train its miniature").click()
    expect(student.page.get_by_role("heading", name="Train", level=1)).to_be_visible()
    setup = Setup(model=MINIATURES["gpt-3"].config)
    settle(student)
    chosen = dict(student.query)
    assert chosen["preset"] == "tiny-gpt3"
    for name, label in (
        ("norm", "Norm"),
        ("position", "Positions"),
        ("feed_forward", "Feed-forward"),
    ):
        assert name in changes(Setup(), setup)
        word = setting_word(name, setup.setting(name))
        expect(student.widget(label)).to_have_value(word)
    student.train()


def test_the_list_is_walked_and_its_cards_are_opened_by_keyboard(come):
    student = come("/family_tree?view=list&years=2023-2023&find=llama")
    student.button("Llama 2").press("Enter")
    student.see_link(node="llama-2")
    heading = student.page.get_by_role("heading", name="Llama 2", exact=True)
    expect(heading).to_be_visible()
    expect(heading).to_be_in_viewport()
    student.page.get_by_role("link", name="All facts").press("Enter")
    details = student.page.get_by_role("heading", name="Llama 2: all facts", exact=True)
    expect(details).to_be_in_viewport()
