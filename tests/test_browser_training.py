"""A student trains in their own browser: no time of the server, and a run as any other."""

import re
import shutil

import pytest
from app_in_browser import LONG, TINY, Server, link, students
from conftest import until
from playwright.sync_api import expect

from explorer.engine.store import note_deleted
from tiny_llama.metrics import read_metrics

pytestmark = pytest.mark.slow
ENDLESS = LONG | {"where": "browser"}
SESSION = "[...window.tinyLlamaSessions.values()].at(-1)"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def come(browser, server):
    with students(browser, server) as come:
        yield come


def step_of(student):
    """Read at which step the browser's run is."""
    words = student.page.locator(".trainer .words").inner_text()
    found = re.search(r"step ([\d,]+) of", words)
    assert found, words
    return int(found[1].replace(",", ""))


def see(student, state, since=0):
    """Wait until the browser's run stands like this, at this step or a later one."""
    words = student.page.locator(".trainer .words")
    expect(words).to_have_text(re.compile(rf"^{state}"))
    student.page.wait_for_function(f"{SESSION}.step >= {since}")
    return step_of(student)


def train(student):
    student.press("Train")
    see(student, "Training in this browser", since=20)


def press(student, name):
    student.page.locator(".trainer .play").get_by_role("button", name=name, exact=True).click()


def rows(server, run_id):
    return read_metrics(server.runs / run_id)


def see_kept(student):
    """Wait until the server has kept what the browser has made of the run; say up to which step."""
    student.page.wait_for_function(f"{SESSION}.rows.length === 0")
    step = rows(student.server, student.run_id)[-1]["step"]
    assert step == student.page.evaluate(f"{SESSION}.step")
    return step


def test_it_trains_pauses_steps_and_goes_on_and_all_pages_look_inside(come):
    student = come(link(**ENDLESS))
    train(student)
    press(student, "Pause")
    see(student, "Paused")
    paused = see_kept(student)
    assert student.server.record(student.run_id)["place"] == "browser"
    expect(student.bar.get_by_text(f"tep {paused:,}")).to_be_visible()
    press(student, "One step")
    see(student, "Paused", since=paused + 1)
    assert see_kept(student) == paused + 1
    press(student, "Go on")
    see(student, "Training in this browser", since=paused + 20)
    student.bar.get_by_role("link", name="Attention", exact=True).click()
    expect(student.page.get_by_role("heading", name="Attention", level=1)).to_be_visible()
    assert student.model_step() >= paused + 1
    before = student.page.evaluate(f"{SESSION}.step")
    student.page.wait_for_function(f"{SESSION}.step > {before} + 20")
    student.bar.get_by_role("link", name="Train", exact=True).click()
    see(student, "Training in this browser", since=before + 20)
    press(student, "Stop")
    student.see("Stopped")
    assert len(rows(student.server, student.run_id)) > before


def test_a_run_that_ends_is_finished_on_the_server_too(come):
    student = come(link(**TINY, steps=120, where="browser"))
    student.press("Train")
    student.see("Finished")
    assert [row["step"] for row in rows(student.server, student.run_id)] == list(range(121))
    assert student.server.record(student.run_id)["place"] == "browser"


def test_firefox_trains_from_the_click_to_a_run_that_pages_look_inside(firefox, server):
    with students(firefox, server) as come:
        student = come(link(**TINY, steps=400, where="browser"))
        student.press("Train")
        student.see("Finished")
        kept = rows(server, student.run_id)
        assert [row["step"] for row in kept] == list(range(401))
        assert server.record(student.run_id)["place"] == "browser"
        assert kept[400]["held_out_loss"] < kept[0]["held_out_loss"]
        student.bar.get_by_role("link", name="Attention", exact=True).click()
        expect(student.page.get_by_role("heading", name="Attention", level=1)).to_be_visible()
        assert student.model_step() == 400


def test_with_all_other_hosts_blocked_a_phone_trains(browser, server):
    def is_elsewhere(url):
        return not url.startswith((server.address, server.address.replace("http", "ws"), "blob:"))

    with students(browser, server, "dark and narrow") as come:
        student = come("/")
        student.context.route(is_elsewhere, lambda route: route.abort())
        student.open(link(**TINY, steps=120, where="browser"))
        student.press("Train")
        student.see("Finished")
        expect(student.page.get_by_role("heading", level=1)).to_be_in_viewport()
        assert student.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert [row["step"] for row in rows(server, student.run_id)] == list(range(121))
        student.context.unroute_all()


def test_it_trains_without_a_network_and_the_next_visit_goes_on(come):
    student = come(link(**ENDLESS))
    train(student)
    student.context.set_offline(True)
    since = step_of(student)
    see(student, "Training in this browser", since=since + 50)
    student.context.set_offline(False)
    press(student, "Pause")
    see(student, "Paused")
    kept = see_kept(student)
    student.page.reload()
    see(student, "Paused", since=kept)
    press(student, "Go on")
    see(student, "Training in this browser", since=kept + 20)
    press(student, "Stop")
    student.see("Stopped")
    assert [row["step"] for row in rows(student.server, student.run_id)][kept] == kept


def test_a_stopped_run_goes_on_on_the_server(come):
    student = come(link(**ENDLESS))
    train(student)
    press(student, "Stop")
    stopped = student.see("Stopped")
    student.press("Go on on the server")
    student.see("Training", since=stopped + 20)
    assert student.server.record(student.run_id)["place"] == "server"


def come_without(come, script="", policy=""):
    """Let a student come whose browser or page lacks something."""
    student = come("/")
    student.page.evaluate("localStorage.clear()")
    student.page.add_init_script(script)
    if policy:
        student.page.add_init_script(POLICY.replace("POLICY", policy))
    student.open(link(**ENDLESS))
    return student


POLICY = """document.addEventListener("DOMContentLoaded", () => {
  const meta = document.createElement("meta")
  Object.assign(meta, { httpEquiv: "Content-Security-Policy", content: "POLICY" })
  document.head.append(meta)
})"""
"""As a host of this app may set one for its pages."""


@pytest.mark.parametrize(
    ("policy", "where"), [("", "blob:"), ("worker-src 'self'", "http"), ("worker-src 'none'", "")]
)
def test_wherever_a_page_may_have_a_worker_it_trains_in_one_else_in_slices(come, policy, where):
    student = come_without(come, policy=policy)
    train(student)
    assert all(worker.url.startswith(where) for worker in student.page.workers)
    assert bool(student.page.workers) == bool(where)
    words = expect(student.page.locator(".trainer .words"))
    (words.not_to_contain_text if where else words.to_contain_text)("on the page")
    press(student, "Stop")
    student.see("Stopped")
    student.forgive("Content Security Policy")


@pytest.mark.parametrize(("cores", "n_workers"), [(2, 1), (8, 2)])
def test_where_there_are_cores_two_workers_share_the_steps(come, cores, n_workers):
    script = f"Object.defineProperty(navigator, 'hardwareConcurrency', {{ value: {cores} }})"
    student = come_without(come, script)
    workers = []

    def note(worker):  # Playwright takes no method of a list
        workers.append(worker)

    student.page.on("worker", note)
    train(student)
    press(student, "Pause")
    see(student, "Paused")
    paused = see_kept(student)
    press(student, "Go on")
    see(student, "Training in this browser", since=paused + 20)
    press(student, "Stop")
    student.see("Stopped")
    assert len(workers) == n_workers
    until(lambda: len(student.page.workers) == 1)  # the second has nothing more to do
    kept = rows(student.server, student.run_id)
    assert [row["step"] for row in kept] == list(range(len(kept)))


def test_a_page_without_workers_trains_in_slices(come):
    student = come_without(come, "delete window.Worker")
    train(student)
    expect(student.page.locator(".trainer .words")).to_contain_text("on the page")
    press(student, "Stop")
    student.see("Stopped")


LESS = """
const Module = WebAssembly.Module
WebAssembly.Module = function (bytes) {
  if (bytes.length < 100 && bytes.length > MOST) throw new WebAssembly.CompileError("no")
  return new Module(bytes)
}"""
"""Forgets relaxed vectors, or all of them: the modules by which they are found differ in length."""


def test_without_relaxed_vectors_it_trains_with_plain_ones(come):
    student = come_without(come, LESS.replace("MOST", "35"))
    train(student)
    assert student.page.evaluate(f"{SESSION}.build") == "plain"
    press(student, "Stop")
    student.see("Stopped")


def test_a_browser_without_vectors_is_led_to_the_server(come):
    student = come_without(come, LESS.replace("MOST", "0"))
    student.see_text("This browser cannot train: it has no WebAssembly")
    expect(student.button("Train")).to_be_disabled()


def open_database(act):
    """Make a script that does something with all checkpoints that the browser keeps."""
    return f"""() => new Promise(done => {{
      const asked = indexedDB.open("tiny-llama-explorer", 1)
      asked.onsuccess = () => {{
        const [name] = asked.result.objectStoreNames
        const store = asked.result.transaction(name, "readwrite").objectStore(name)
        const found = store.openCursor()
        const all = []
        store.transaction.oncomplete = () => {{ asked.result.close(); done(all) }}
        found.onsuccess = () => {{
          const cursor = found.result
          if (!cursor) return
          const kept = cursor.value
          {act}
          cursor.continue()
        }}
      }}
    }})"""


KEPT = open_database("if (kept.run) all.push([kept.run, kept.nextStep])")
DAMAGE = open_database("kept.weights[5] += 0.5; cursor.update(kept); all.push(kept.nextStep)")
OF_ANOTHER = open_database(
    'store.put(kept, cursor.key.replace(/^./, "x")); cursor.delete(); all.push(kept.nextStep)'
)


def keep_in_browser(student):
    """Have the browser keep a checkpoint of which the server has nothing; say its last step."""
    train(student)
    student.page.evaluate(f"{SESSION}.hand = () => {{}}")  # the server hears no more
    since = student.page.evaluate(f"{SESSION}.step")
    see(student, "Training in this browser", since=since + 30)
    student.page.evaluate(f"{SESSION}.order('hand')")
    until(lambda: any(next_step > since for _, next_step in student.page.evaluate(KEPT)))
    return student.page.evaluate(KEPT)[-1][1] - 1


def test_a_tab_that_is_closed_goes_on_at_the_next_visit_with_the_same_curve(come):
    student = come(link(**ENDLESS))
    kept = keep_in_browser(student)
    run_id = student.run_id
    back = come("/", beside=student)
    come.came.remove(student)
    student.page.close()
    back.rest()
    back.bar.get_by_role("button", name="Back to your run").click()
    assert see(back, "Paused", since=kept) >= kept
    expect(back.page.locator(".trainer .trouble")).to_contain_text("This browser has kept the run")
    press(back, "Go on")
    see(back, "Training in this browser", since=kept + 20)
    press(back, "Stop")
    back.see("Stopped")
    found = rows(back.server, run_id)
    assert [row["step"] for row in found] == list(range(len(found)))
    back.open(link(**ENDLESS))
    train(back)
    see(back, "Training in this browser", since=kept + 20)
    press(back, "Stop")
    back.see("Stopped")
    assert back.run_id != run_id
    at_once = rows(back.server, back.run_id)[: kept + 20]
    assert [row.get("loss") for row in at_once] == [row.get("loss") for row in found[: kept + 20]]


@pytest.mark.parametrize(("script", "said"), [(DAMAGE, "is damaged"), (OF_ANOTHER, "")])
def test_what_is_damaged_or_another_student_s_is_not_taken_up(come, script, said):
    student = come(link(**ENDLESS))
    keep_in_browser(student)
    student.page.evaluate(f"{SESSION}.order('pause')")
    student.page.evaluate(script)
    student.page.reload()
    words = student.page.locator(".trainer .words")
    expect(words).to_have_text(re.compile("^(Paused|Training)"))
    if said:
        expect(student.page.locator(".trainer .trouble")).to_contain_text(said)
        served = [row["step"] for row in rows(student.server, student.run_id)]
        assert step_of(student) == (served[-1] if served else 0)
    else:
        assert student.page.evaluate(f"{SESSION}.news") == ""
    press(student, "Stop")
    student.see("Stopped")


HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true })
  document.dispatchEvent(new Event("visibilitychange"))
}"""


def test_it_rests_in_a_hidden_tab_if_asked(come):
    student = come(link(**ENDLESS, rest="true"))
    train(student)
    student.page.evaluate(HIDE, True)
    see(student, "Paused")
    student.page.evaluate(HIDE, False)
    see(student, "Training in this browser", since=step_of(student) + 20)
    press(student, "Stop")
    student.see("Stopped")


def test_what_it_learns_while_another_page_is_shown_is_seen_there(come):
    student = come(link(**ENDLESS))
    train(student)
    student.go_to("Train")
    for page in ("Attention", "Generation"):
        before = student.page.evaluate(f"{SESSION}.step")
        student.bar.get_by_role("link", name=page, exact=True).click()
        expect(student.page.get_by_role("heading", name=page, level=1)).to_be_visible()
        expect(student.bar.get_by_text(re.compile(r"tep [\d,]+"))).to_be_visible()
        student.page.wait_for_function(f"{SESSION}.rows[0]?.step > {before}")
        student.rest()
        assert student.model_step() >= before
    student.go_to("Train")
    press(student, "Stop")
    student.see("Stopped")


def test_the_same_curve_is_computed_twice(come):
    student = come(link(**ENDLESS))
    train(student)
    see(student, "Training in this browser", since=60)
    press(student, "Pause")
    see(student, "Paused")
    see_kept(student)
    student.rest()
    student.unfold("The same curve, computed twice")
    student.press("Compute the first 60 steps on the server, too")
    said = student.page.get_by_text(re.compile("Over 60 steps the two losses differ by at most"))
    found = re.search(r"at most ([\d.e-]+) nats", said.inner_text())
    assert 0 < float(found[1]) < 1e-4
    press(student, "Stop")
    student.see("Stopped")


STOP_MEANWHILE = """() => new Promise(done => {
  const session = [...window.tinyLlamaSessions.values()].at(-1)
  const take = session.takeLearned.bind(session)
  session.takeLearned = () => {
    const given = take()
    if (given) setTimeout(() => { session.order("stop"); done() })
    if (given) delete session.takeLearned
    return given
  }
  session.hand()
})"""
"""Stops the run while what it had learned is on its way to the server."""


def test_a_stop_while_the_server_is_given_something_is_not_lost(come):
    student = come(link(**ENDLESS))
    train(student)
    student.page.evaluate(STOP_MEANWHILE)
    student.see("Stopped")
    steps = [row["step"] for row in rows(student.server, student.run_id)]
    assert steps == list(range(student.page.evaluate(f"{SESSION}.step") + 1))


HOSTILE = {
    "of another step": "{...said, next_step: said.next_step + 5}",
    "with too few numbers": "{...said, weights: 'AAAA'}",
    "with numbers that are none": "{...said, means: said.means.replace(/^.{8}/, 'AADAfwAA')}",
    "huge": "{...said, weights: 'A'.repeat(30e6)}",
    "of another run": "{...said, run: 'abcdefgh'}",
    "nothing": "{}",
}


def test_a_hostile_message_is_refused_and_nothing_is_lost(come):
    student = come(link(**ENDLESS))
    train(student)
    press(student, "Pause")
    see(student, "Paused")
    kept = see_kept(student)
    student.page.evaluate(f"window.honest = {SESSION}.takeLearned.bind({SESSION})")
    for name, hostile in HOSTILE.items():
        said = f"() => {{ const said = honest(); return said && ({hostile}) }}"
        student.page.evaluate(f"{SESSION}.takeLearned = {said}")
        press(student, "One step")
        student.rest()
        student.page.wait_for_function(f"{SESSION}.learned === null || !{SESSION}.learned")
        student.page.wait_for_timeout(300)
        student.rest()
        assert rows(student.server, student.run_id)[-1]["step"] == kept, name
    student.page.evaluate(f"{SESSION}.takeLearned = honest")
    press(student, "One step")
    see(student, "Paused")
    see_kept(student)
    press(student, "Stop")
    student.see("Stopped")


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"dropout": 0.1}, "dropout=0.1"), ({"corpus": "repeat"}, "corpus=repeat")],
)
def test_what_a_browser_cannot_train_is_refused_by_name(come, setting, said):
    student = come(link(**ENDLESS | setting))
    student.see_text(f"{said}: a browser cannot train that yet")
    expect(student.button("Train")).to_be_disabled()


def test_on_a_phone_it_fits_the_screen(browser, server):
    with students(browser, server, "dark and narrow") as come:
        student = come(link(**ENDLESS))
        train(student)
        assert student.page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = student.page.locator(".trainer").evaluate("trainer => trainer.scrollWidth")
        assert wide <= 390
        press(student, "Stop")
        student.see("Stopped")


# A run that the server does not have any more.


def lose(student, to):
    """Have a server that starts anew know nothing, as one whose disk is emptied; see the offer."""
    run_id = student.run_id
    student.server.kill()
    shutil.rmtree(student.server.runs)
    student.server.start()
    student.open(to)
    student.see_text("this browser has kept it up to step")
    return run_id


def kept_steps(student):
    """Wait until the browser has kept a checkpoint; say of which runs, and up to which steps."""
    until(lambda: student.page.evaluate(KEPT))
    return {run: next_step - 1 for run, next_step in student.page.evaluate(KEPT)}


def forgive_the_restart(student):
    student.forgive("net::ERR_CONNECTION", "disconnected from server", "server endpoint")
    student.forgive("server is not responding", "WebSocket")


def test_a_run_that_the_server_has_lost_comes_back_from_the_browser(come):
    student = come(link(**ENDLESS))
    train(student)
    press(student, "Pause")
    see(student, "Paused")
    kept = see_kept(student)
    until(lambda: kept_steps(student)[student.run_id] == kept)
    before = rows(student.server, student.run_id)
    run_id = lose(student, f"/train?run={student.run_id}")
    student.press("Go on with it")
    see(student, "Paused", since=kept)
    assert student.run_id == run_id
    after = rows(student.server, run_id)
    assert [row["step"] for row in after] == list(range(kept + 1))
    for name in ("loss", "held_out_loss", "gradient_norm"):
        told = [(one.get(name), other.get(name)) for one, other in zip(before, after, strict=True)]
        assert all((one is None) == (other is None) for one, other in told)
        assert [other for _, other in told if other] == pytest.approx(
            [one for one, _ in told if one], rel=1e-6
        )
    assert after[0]["sample"] == before[0]["sample"]
    press(student, "Go on")
    see(student, "Training in this browser", since=kept + 20)
    press(student, "Stop")
    student.see("Stopped")
    forgive_the_restart(student)


def test_a_tab_that_trains_while_its_server_starts_anew_keeps_its_run(come):
    student = come(link(**ENDLESS))
    train(student)
    until(lambda: kept_steps(student))
    run_id = student.run_id
    student.server.kill()
    shutil.rmtree(student.server.runs)
    student.server.start()
    student.see_text("this browser has kept it up to step")
    student.press("Go on with it")
    since = step_of(student)
    see(student, "Training in this browser", since=since + 20)
    press(student, "Pause")
    see(student, "Paused")
    kept = see_kept(student)
    assert [row["step"] for row in rows(student.server, run_id)] == list(range(kept + 1))
    press(student, "Stop")
    student.see("Stopped")
    forgive_the_restart(student)


LEARN_MORE = f"""() => {{
  const numbers = new Float32Array(4)
  const all = {{ weights: numbers, means: numbers, squares: numbers }}
  return {SESSION}.learn({{ nextStep: 9, state: "running", ...all }})
}}"""
"""As what is still on its way from the worker of a run."""


def test_a_run_that_is_deleted_leaves_the_browser_in_all_its_tabs_and_for_good(come):
    student = come(link(**ENDLESS))
    train(student)
    run_id = student.run_id
    assert run_id in kept_steps(student)
    other = come("/", beside=student)
    student.pick("Delete for good")
    until(lambda: run_id not in dict(student.page.evaluate(KEPT)))
    assert student.page.evaluate("window.tinyLlamaSessions.size") in (0, 1)
    student.page.wait_for_function(f"{SESSION}.state === 'failed'")
    other.page.reload()
    other.rest()
    assert run_id not in dict(other.page.evaluate(KEPT))
    student.page.evaluate(LEARN_MORE)
    student.page.wait_for_timeout(300)
    assert run_id not in dict(student.page.evaluate(KEPT))


def test_what_is_deleted_while_the_browser_is_away_is_dropped_at_its_next_visit(come):
    student = come(link(**ENDLESS))
    train(student)
    press(student, "Pause")
    see(student, "Paused")
    see_kept(student)
    run_id = student.run_id
    assert run_id in kept_steps(student)
    student.server.kill()
    shutil.rmtree(student.server.runs / run_id)
    note_deleted(student.server.runs, run_id)
    student.server.start()
    student.open("/")
    until(lambda: run_id not in dict(student.page.evaluate(KEPT)))
    forgive_the_restart(student)


# By the keyboard alone.

FOCUSED = """() => {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  const copy = at?.cloneNode(true)
  copy?.querySelectorAll("[data-testid=stIconMaterial]").forEach(icon => icon.remove())
  return (at?.getAttribute("aria-label") || copy?.textContent || "").trim()
}"""
"""The name of what has the focus, without that of its icon."""
MOST_TABS = 200


def focused(student):
    return student.page.evaluate(FOCUSED)


def tab_to(student, name):
    """Press Tab until this has the focus, from where it is now."""
    student.rest()
    passed = []
    while not passed or passed[-1] != name:
        assert len(passed) < MOST_TABS, passed
        if passed:
            student.page.keyboard.press("Tab")
        passed.append(focused(student))


def strike(student, name, key="Enter"):
    tab_to(student, name)
    student.page.keyboard.press(key)


def expect_said(student, words):
    """What is read out to who does not see the page."""
    said = student.page.locator(".trainer > [role=status]")
    expect(said).to_have_text(re.compile(words))


def test_by_the_keyboard_alone_a_run_is_started_steered_changed_and_deleted(come):
    student = come(link(**LONG))
    keyboard = student.page.keyboard
    tab_to(student, "The server")
    keyboard.press("ArrowRight")
    assert focused(student) == "This browser"
    keyboard.press("Space")
    student.page.wait_for_url(re.compile("where=browser"))
    strike(student, "Train")
    see(student, "Training in this browser", since=20)
    expect_said(student, "^Training in this browser$")
    strike(student, "Pause")
    see(student, "Paused")
    see_kept(student)
    student.rest()  # the page has been drawn anew
    expect_said(student, r"^Paused: step [\d,]+ of 50,000$")
    assert focused(student) == "Go on"
    keyboard.press("Space")
    see(student, "Training in this browser")
    assert focused(student) == "Pause"
    keyboard.press("Enter")
    paused = see(student, "Paused")
    strike(student, "One step", "Space")
    see(student, "Paused", since=paused + 1)
    see_kept(student)
    student.rest()
    assert focused(student) == "One step"
    strike(student, "Stop")
    student.see("Stopped")
    student.rest()
    assert focused(student) == "Go on on the server"
    tab_to(student, "Steps")
    keyboard.press("ControlOrMeta+a")
    keyboard.type("40000")
    keyboard.press("Enter")
    stopped = student.run_id
    strike(student, "Restart with changes")
    student.page.wait_for_url(re.compile(f"run=(?!{stopped})"))
    see(student, "Training in this browser", since=20)
    restarted = student.run_id
    strike(student, "More")
    strike(student, "Delete for good")
    student.page.wait_for_url(re.compile(r"/train\?(?!.*run=)"))
    until(lambda: not (student.server.runs / restarted).exists())
