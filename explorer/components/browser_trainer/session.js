// A run that this tab trains, whatever page it shows: its worker, its curves, and what has not been
// given back to the server yet.

import { bestBuild } from "./engine.js"
import { Driver, ON_PAGE } from "./driver.js"

const RETURN_EVERY = 60_000 // ms between two times that the server is given what has been learned
const FIRST_RETURN = 10_000 // ms; so soon can all pages look inside
const SERIES = [
  "loss", "held_out_loss", "bits_per_byte", "learning_rate", "gradient_norm", "seconds",
]
const PACE = 5_000 // ms over which the pace is measured

// The runs of this tab by name; they go on while another page is shown.
export const sessions = window.tinyLlamaSessions ??= new Map()
// Told to the window when a run has something for the server; see hand_over.js.
export const LEARNED = "tiny-llama-learned"

export const NO_ENGINE = "This browser cannot train: it has no WebAssembly with 128-bit vectors, as "
  + "every browser since 2023 has. Update it, or let the run train on the server."

export class Session {
  state = "" // as the driver's
  where = "" // "worker" or "page"
  sentence = "" // why it does not go on
  refusal = "" // why the server has not kept what it was given last
  rows = [] // that the server has not kept yet
  seconds = 0
  samples = [] // [step, text]
  paces = [] // [time, step]
  listen = () => {} // called when something is new

  constructor({ run, loan, nextStep, history, samples, texts }) {
    Object.assign(this, { run, loan, texts, samples: [...samples] })
    this.step = Math.max(0, nextStep - 1)
    this.series = Object.fromEntries(SERIES.map(name => [name, history[name] ?? emptySeries()]))
    this.seconds = this.series.seconds.seconds.at(-1) ?? 0
    this.dueAt = performance.now() + FIRST_RETURN
  }

  // Start training, or be ready for it.
  begin(material, state) {
    const build = bestBuild()
    this.build = build
    if (!build) {
      this.end(NO_ENGINE)
      return
    }
    const first = { order: "begin", material, build, state }
    this.give = this.fromWorker(first) ?? this.onPage()
    this.give(first)
  }

  get isMoving() {
    return this.state === "running"
  }

  order(name) {
    this.give?.({ order: name })
  }

  // A worker of its own, out of this app's files; where a page may have none, the page itself.
  fromWorker(first) {
    try {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" })
      this.where = "worker"
      worker.onmessage = ({ data }) => this.hear(data)
      worker.onerror = event => {
        event.preventDefault()
        worker.terminate()
        if (this.state) this.end(`The browser ended this run's worker: ${event.message ?? ""}`)
        else (this.give = this.onPage())(first)
      }
      return message => worker.postMessage(message)
    } catch {
      return null
    }
  }

  onPage() {
    const driver = new Driver(said => this.hear(said), ON_PAGE)
    this.where = "page"
    return message => driver.take(message)
  }

  hear({ told, ...said }) {
    if (told === "failed") this.end(said.sentence)
    if (told === "learned") {
      this.learned = said
      window.dispatchEvent(new Event(LEARNED))
    }
    if (told === "reports") this.take(said)
    this.listen()
  }

  take({ state, reports }) {
    const stands = this.state && state !== this.state && state !== "running"
    this.state = state
    reports.forEach(row => this.note(row))
    if (!this.isMoving) this.paces = []
    else this.paces = [...this.paces.slice(-50), [performance.now(), this.step]]
    const isDue = this.isMoving && performance.now() > this.dueAt
    if ((stands || isDue || (!this.isMoving && reports.length)) && state !== "failed") this.hand()
  }

  note(row) {
    this.rows.push(row)
    this.step = row.step
    this.seconds += row.seconds ?? 0
    for (const [name, { steps, seconds, values }] of Object.entries(this.series)) {
      if (row[name] === undefined) continue
      steps.push(row.step)
      seconds.push(this.seconds)
      values.push(row[name])
    }
    if (row.sample) this.samples.push([row.step, this.textOf(row.sample)])
  }

  // What the server makes of the bytes is what counts; this shows a byte that is no letter as such.
  textOf({ prompt, tokens }) {
    return [...prompt, ...tokens].map(token => this.texts[token]).join("")
  }

  // Give the server what has been learned; where it is shown, the page is drawn anew with it.
  hand({ isShown = false } = {}) {
    this.isShown ||= isShown
    this.dueAt = performance.now() + RETURN_EVERY
    this.order("hand")
  }

  // What the server is given, and may keep; null: nothing is ready.
  takeLearned() {
    const { learned } = this
    this.learned = null
    if (!learned || (learned.state === "paused" && !this.rows.length)) return null
    const { nextStep, state, weights, means, squares } = learned
    const rows = this.rows.filter(row => row.step < nextStep).map(plainRow)
    const numbers = Object.fromEntries(
      Object.entries({ weights, means, squares }).map(([name, row]) => [name, base64Of(row)]))
    const { run, loan, isShown: shows = false } = this
    this.isShown = false
    return { run, loan, shows, next_step: nextStep, stops: state === "stopped", rows, ...numbers }
  }

  // What the server says: it has all rows before this one, or why it has not kept more.
  noteAnswer({ nextRow, refusal }) {
    this.rows = this.rows.filter(row => row.step >= nextRow)
    this.refusal = refusal
    this.listen()
  }

  stepsASecond() {
    const now = performance.now()
    const recent = this.paces.filter(([at]) => now - at < PACE)
    if (recent.length < 2) return null
    const [[began, first], [ended, last]] = [recent[0], recent.at(-1)]
    return (1000 * (last - first)) / (ended - began)
  }

  end(sentence) {
    this.state = "failed"
    this.sentence = sentence
    this.listen()
  }
}

function emptySeries() {
  return { steps: [], seconds: [], values: [] }
}

// What only this browser knows of a step; the rest follows from the setup.
function plainRow(row) {
  const numbers = ["loss", "gradient_norm", "seconds", "held_out_loss", "bits_per_byte"]
    .filter(name => name in row)
    .map(name => [name, Number(row[name].toPrecision(7))])
  const sample = row.sample && { sample: row.sample.tokens }
  return { step: row.step, ...Object.fromEntries(numbers), ...sample }
}

function base64Of(numbers) {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  const pieces = []
  for (let at = 0; at < bytes.length; at += 32768) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32768)))
  }
  return btoa(pieces.join(""))
}
