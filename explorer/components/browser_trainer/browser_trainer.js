// A run that trains in this browser: what it does, its curves, what it writes. All of it is drawn
// here; what the server is given of it goes by way of hand_over.js.
//
// data: packed as material.py has it: { run, owner, status, steps, nextRow, curve, axis, tokensAStep,
// tiles, lines, samples, trouble, restsHidden } and, where it was asked for, { material, history }.

import liveChart from "../live_chart/live_chart.js"
import { button, element, fixed, setText, show, whole } from "../shared.js"
import { unpack } from "./material.js"
import { findCheckpoint } from "./checkpoints.js"
import { Session, sessions } from "./session.js"

const ASK_EVERY = 4_000 // ms between requests for what a run begins with
const STATES = {
  running: "Training in this browser",
  paused: "Paused",
  stopped: "Stopped",
  finished: "Finished",
  failed: "Ended",
  "": "Preparing text and model",
}

const RELAXED = "the faster of two builds, whose sums are rounded as this processor does, so that a "
  + "curve may leave the server's after some hundred steps"

export default function browserTrainer(component) {
  return show(Trainer, component)
}

class Trainer {
  sent = new Map() // of each line, how many points the chart has
  asked = 0

  constructor(parent) {
    parent.querySelector(".place")?.remove() // what kept the place free: see __init__.py
    this.root = element("div", "part trainer", parent)
    this.words = element("p", "words", this.root)
    // Is read out: how it stands, and at which step only where it rests.
    this.said = element("p", "summary", this.root, { role: "status" })
    this.bar = element("progress", "", this.root, { "aria-label": "Steps done" })
    this.row = element("div", "play", this.root)
    this.goOn = this.key("Pause", () => this.pauseOrGoOn())
    this.one = this.key("One step", () => this.session?.order("step"))
    this.stop = this.key("Stop", () => this.session?.order("stop"))
    this.note = element("p", "trouble", this.root, { role: "alert" })
    this.chart = element("div", "", this.root)
    this.texts = element("div", "texts", this.root)
    this.before = this.textBox()
    this.after = this.textBox()
  }

  // A button that keeps the focus also while it does nothing.
  key(name, press) {
    const made = button(name, "", this.row, () => made.ariaDisabled !== "true" && press())
    made.addEventListener("focus", () => { this.hasFocus = true })
    made.addEventListener("blur", event => { this.hasFocus = !event.relatedTarget })
    return made
  }

  textBox() {
    const figure = element("figure", "", this.texts)
    return { caption: element("figcaption", "", figure), text: element("pre", "", figure, { tabindex: 0 }) }
  }

  leave() {
    clearTimeout(this.asking)
    if (this.session) this.session.listen = () => {}
    // Who has stopped the run by the keyboard goes on where it is steered from then on.
    if (this.hasFocus) requestAnimationFrame(() => focusOn(".st-key-row_of_play button"))
  }

  update({ data, setTriggerValue }) {
    this.data = unpack(data)
    this.tell = setTriggerValue
    if (this.run !== this.data.run) this.sent.clear()
    this.run = this.data.run
    if (this.data.material && !this.session && !this.isBeginning) this.begin()
    if (this.session) this.attend()
    else if (this.data.status !== "finished" && !this.isBeginning) this.ask()
    this.draw()
  }

  attend() {
    this.session.restsHidden = this.data.restsHidden
    this.session.owner = this.data.owner // who may have been known otherwise when it began
    this.session.listen = () => this.draw()
  }

  get session() {
    return sessions.get(this.run)
  }

  // One run at a time: the others of this tab wait.
  async begin() {
    const { run, owner, material, history, samples, nextRow } = this.data
    const { loan, keeps, next_step: nextStep, token_texts: texts, weights } = unpack(material)
    this.isBeginning = true
    const kept = await findCheckpoint(owner, run, weights.length)
    this.isBeginning = false
    for (const other of sessions.values()) if (other.isMoving) other.order("pause")
    const session = new Session({ run, owner, loan, keeps, nextStep, nextRow, history, samples, texts })
    sessions.set(run, session)
    session.begin(material, kept)
    if (run !== this.run) return
    this.attend()
    this.draw()
  }

  // Streamlit may lose an update to the next one, so what does not come is asked for again.
  ask() {
    if (this.asking) return
    this.tell("wanted", ++this.asked)
    this.asking = setTimeout(() => {
      this.asking = 0
      if (!this.session && !this.isBeginning && !this.data.trouble) this.ask()
    }, ASK_EVERY)
  }

  pauseOrGoOn() {
    for (const other of sessions.values()) {
      if (other !== this.session && other.isMoving) other.order("pause")
    }
    this.session?.order(this.session.isMoving ? "pause" : "resume")
  }

  // -- Drawing -----------------------------------------------------------------------------------

  draw() {
    const { session, data } = this
    const state = session?.state ?? (data.status === "finished" ? "finished" : "")
    const step = session?.step ?? Math.max(0, data.nextRow - 1)
    const where = session?.where === "page" ? ", on the page, as this one may have no worker"
      : session?.isShared && session.isMoving ? ", by two of its cores" : ""
    const words = `${STATES[state]}${where}: step ${whole(step)} of ${whole(data.steps)}`
    setText(this.words, words)
    setText(this.said, state === "running" ? STATES[state] : words)
    this.bar.max = data.steps
    this.bar.value = step
    setText(this.goOn, state === "running" ? "Pause" : "Go on")
    const canGoOn = ["running", "paused"].includes(state)
    this.goOn.ariaDisabled = this.stop.ariaDisabled = String(!canGoOn)
    this.one.ariaDisabled = String(state !== "paused")
    const note = session?.sentence || session?.refusal || data.trouble || session?.news || ""
    setText(this.note, note)
    this.drawChart()
    this.drawTexts()
  }

  drawChart() {
    const { data } = this
    const id = `${data.run} ${data.axis} ${data.curve.axis}`
    if (this.drawn !== id) this.sent.clear()
    this.drawn = id
    const ends = { Step: data.steps, Tokens: data.steps * data.tokensAStep }
    liveChart({
      parentElement: this.chart,
      data: {
        lines: [...data.curve.lines.map(line => this.line(line)), ...data.lines],
        numbers: data.tiles.map(([label, kind, value, hint]) => (
          [label, value || this.tile(kind), kind === "tokens_a_second" ? this.pace(hint) : hint])),
        xTitle: data.axis,
        yTitle: data.curve.axis,
        alt: `${data.curve.axis} against ${data.axis.toLowerCase()}.`,
        logY: data.log,
        maxX: ends[data.axis] ?? null,
      },
      setTriggerValue: () => { this.sent.clear(); requestAnimationFrame(() => this.drawChart()) },
    })
  }

  // What the chart has not got of a line yet.
  line([name, title, smooth]) {
    const { steps, seconds, values } = this.series(name)
    const start = this.sent.get(name) ?? 0
    this.sent.set(name, values.length)
    const places = {
      Step: () => steps,
      Tokens: () => steps.map(step => step * this.data.tokensAStep),
    }[this.data.axis] ?? (() => seconds)
    return {
      name, title, smooth, run: this.run, label: "", colour: null,
      start, end: values.length, x: places().slice(start), values: values.slice(start),
    }
  }

  series(name) {
    const empty = { steps: [], seconds: [], values: [] }
    return this.session?.series[name] ?? this.data.history?.[name] ?? empty
  }

  tile(kind) {
    const pace = this.session?.stepsASecond()
    if (kind === "tokens_a_second") return pace ? whole(Math.round(pace * this.data.tokensAStep)) : "–"
    if (kind === "time_left") return pace ? duration((this.data.steps - this.session.step) / pace) : "–"
    const value = this.series(kind).values.at(-1)
    if (value === undefined) return "–"
    if (kind === "learning_rate") return String(Number(value.toPrecision(2)))
    return fixed(kind.includes("loss") ? 3 : 2)(value)
  }

  pace(hint) {
    return this.session?.build === "relaxed" ? `${hint}; ${RELAXED}` : hint
  }

  drawTexts() {
    const samples = this.session?.samples ?? this.data.samples
    const [first, last] = [samples[0], samples.length > 1 ? samples.at(-1) : null]
    this.texts.hidden = !first
    fill(this.before, first)
    fill(this.after, last)
  }
}

// Unless something else has the focus.
function focusOn(selector) {
  if (document.activeElement === document.body) document.querySelector(selector)?.focus()
}

function fill({ caption, text }, sample) {
  const [step, words] = sample ?? [null, ""]
  const title = step ? `Written after step ${whole(step)}` : "Written before training"
  setText(caption, step === null ? "The next text comes while it trains." : title)
  setText(text, words)
  text.hidden = step === null
}

function duration(seconds) {
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
