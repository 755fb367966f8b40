"""The app in a real browser, as a student meets it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("needs a `chromium` on the path", allow_module_level=True)

ROOT = Path(__file__).parent.parent
SECONDS = 1000
LINK = "/train?position=learned&steps=400&seed=3"


@pytest.fixture
def address(tmp_path):
    """A fresh server of our own, on a port of its own, with no run yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "explorer/app.py", *where],
        cwd=ROOT,
        env=os.environ | {"TINY_LLAMA_RUNS": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        printed, _ = server.communicate(timeout=60)
    assert "Traceback" not in printed, printed


@pytest.fixture
def page():
    """A browser page that notes errors of scripts and requests to elsewhere."""
    assert CHROMIUM, "CI must have a chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(60 * SECONDS)
        expect.set_options(timeout=60 * SECONDS)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: note_foreign(request.url, troubles))
        yield page
        browser.close()
    assert not troubles


def note_foreign(url: str, troubles: list[str]) -> None:
    if not re.match(r"(https?|wss?)://127\.0\.0\.1|data:|blob:", url):
        troubles.append(f"asked for {url}")


def wait_until_healthy(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def metric(page: Page, label: str) -> str:
    box = page.get_by_test_id("stMetric").filter(has_text=label)
    return box.get_by_test_id("stMetricValue").inner_text()


def wait_for_loss(page: Page) -> float:
    """The loss of the student's own run, once it has one: a recorded one may stand there before."""
    expect(page.get_by_text(re.compile(r"(Training|Finished): step [1-9]"))).to_be_visible()
    value = page.get_by_test_id("stMetric").filter(has_text="Training loss")
    expect(value.get_by_test_id("stMetricValue")).to_have_text(re.compile(r"\d\.\d"))
    return float(metric(page, "Training loss"))


def test_a_student_trains_from_a_link_reads_what_it_writes_and_reloads(address, page):
    page.goto(address + LINK)
    expect(page.get_by_text("Nothing is trained yet")).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()
    first = wait_for_loss(page)
    expect(page.get_by_text("Before training")).to_be_visible()
    expect(page.get_by_text(re.compile(r"step 400 of 400"))).to_be_visible(timeout=240 * SECONDS)
    last = float(metric(page, "Training loss"))
    assert last < min(first, 2.5)
    written = page.get_by_test_id("stCode").first.inner_text()
    assert len(written) > 50

    page.reload()
    expect(page.get_by_text(re.compile("Finished: step 400"))).to_be_visible()
    assert float(metric(page, "Training loss")) == last
    assert "position=learned" in page.url
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_run_is_paused_stepped_and_stopped_by_its_owner_alone(address, page):
    page.goto(address + "/train?steps=20000")
    page.get_by_role("button", name="Train", exact=True).click()
    wait_for_loss(page)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("Paused: step"))).to_be_visible()
    step = paused_step(page)
    page.get_by_role("button", name="One step").click()
    expect(page.get_by_text(f"Paused: step {step + 1:,} of")).to_be_visible()

    page.reload()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    stranger = page.context.browser.new_context().new_page()
    stranger.goto(page.url)
    expect(stranger.get_by_text(f"Paused: step {step + 1:,} of")).to_be_visible()
    expect(stranger.get_by_role("button", name="Go on")).to_have_count(0)

    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text(re.compile("Training: step"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("Stopped: step"))).to_be_visible()


def paused_step(page: Page) -> int:
    text = page.get_by_text(re.compile("Paused: step")).inner_text()
    return int(re.search(r"step ([\d,]+)", text)[1].replace(",", ""))


def test_text_of_a_student_is_shown_as_text(address, page):
    page.goto(address + "/train?corpus=own-text&steps=5")
    expect(page.get_by_text("The text is too short")).to_be_visible()
    box = page.get_by_label("Paste a text")
    box.fill("<script>document.title='owned'</script><b>שלום 😀</b> " * 40)
    box.press("Control+Enter")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile("Finished: step 5"))).to_be_visible()
    assert "owned" not in page.title()
    assert "<" in page.get_by_test_id("stCode").first.inner_text()
