// A run that this tab trains, whatever page it shows: its worker, its curves, and what has not been
// given back to the server yet.

import { dropCheckpoint, dropForGood, keepCheckpoint } from "./checkpoints.js"
import { Driver, ON_PAGE } from "./driver.js"
import { bestBuild } from "./engine.js"
import { message, plainRow } from "./returned.js"
import { beginTogether, newWorkers } from "./workers.js"
import { whole } from "../shared.js"

const RETURN_EVERY = 60_000 // ms between two times that the server is given what has been learned
const FIRST_RETURN = 10_000 // ms; so soon can all pages look inside
const LEAST_PAUSE = 10 // times as long as the server took is the pause after it, where that is longer
const KEEP_EVERY = 5_000 // ms between two times that this browser keeps what has been learned
const SERIES = [
  "loss", "held_out_loss", "bits_per_byte", "learning_rate", "gradient_norm", "seconds",
]
// What a row of the run's log is made of; see returned.js.
const KEPT = SERIES.filter(name => name !== "learning_rate")
const PACE = 5_000 // ms over which the pace is measured

// The runs of this tab by name; they go on while another page is shown.
export const sessions = window.tinyLlamaSessions ??= new Map()
// Told to the window when a run has something for the server; see hand_over.js.
export const LEARNED = "tiny-llama-learned"

const NO_ENGINE = "This browser cannot train: it has no WebAssembly with 128-bit vectors, as every "
  + "browser since 2023 has, or this page may not use it. Let the run train on the server."

export class Session {
  event = "returned" // under what the server is given what it has learned
  state = "" // as the driver's
  where = "" // "worker" or "page"
  isShared = false // whether a second worker does half of each step
  sentence = "" // why it does not go on
  refusal = "" // why the server has not kept what it was given last
  news = "" // what is to be said until it goes on
  restsHidden = false // whether it waits while nobody sees the tab
  rows = [] // that the server has not kept yet
  seconds = 0
  samples = [] // [step, text]
  written = [] // [step, tokens], of those that this browser has seen
  quit = () => {} // ends what trains it
  paces = [] // [time, step]
  listen = () => {} // called when something is new

  constructor({ run, owner, loan, keeps, nextStep, nextRow, history, samples, texts }) {
    const said = { run, owner, loan, keeps, nextStep, nextRow, texts }
    Object.assign(this, { ...said, samples: [...samples] })
    this.step = Math.max(0, nextStep - 1)
    this.series = Object.fromEntries(SERIES.map(name => [name, history[name] ?? emptySeries()]))
    this.seconds = this.series.seconds.seconds.at(-1) ?? 0
    this.dueAt = performance.now() + FIRST_RETURN
    this.keepsAt = performance.now() + KEEP_EVERY
    document.addEventListener("visibilitychange", () => this.heedTab())
  }

  // Start training, or be ready for it; where this browser has kept more of the run than the server
  // has, from there.
  async begin(material, kept) {
    this.build = bestBuild()
    if (!this.build) {
      this.end(NO_ENGINE)
      return
    }
    const from = this.takeUp(kept)
    const state = this.nextRow === 0 && !kept ? "running" : "paused"
    this.give = (await this.fromWorker()) ?? this.onPage()
    this.give({ order: "begin", material, build: this.build, state, from })
  }

  takeUp(kept) {
    this.written = kept?.written ?? []
    const served = `step ${whole(this.step)}, which the server has`
    if (kept?.isDamaged) {
      this.news = `What this browser had kept of the run is damaged and was left out: it goes on from ${served}.`
    }
    const isFurther = kept?.nextStep > this.nextStep
    if (!isFurther || kept.rows.length < kept.nextStep - this.nextRow) return null
    kept.rows.filter(row => row.step >= this.nextRow).forEach(row => this.note(row))
    this.news = `This browser has kept the run as it was after step ${whole(this.step)}: it can go on from there.`
    this.isNews = true
    const { nextStep: next_step, weights, means, squares } = kept
    return { next_step, weights, means, squares }
  }

  get isMoving() {
    return this.state === "running"
  }

  order(name) {
    this.give?.({ order: name })
  }

  async fromWorker() {
    const [worker, second] = await newWorkers()
    if (!worker) return null
    this.where = "worker"
    this.quit = () => { worker.terminate(); second?.terminate() }
    worker.onmessage = ({ data }) => this.hear(data)
    worker.onerror = event => {
      event.preventDefault()
      this.quit()
      this.end(`The browser ended this run's worker (${event.message ?? "no reason given"}); reload the page to go on.`)
    }
    return message => {
      if (message.order === "begin" && second) beginTogether(message, worker, second)
      else worker.postMessage(message)
    }
  }

  onPage() {
    const driver = new Driver(said => this.hear(said), ON_PAGE)
    this.where = "page"
    this.quit = () => Object.assign(driver, { state: "failed", tell() {} })
    return message => driver.take(message)
  }

  hear({ told, ...said }) {
    if (told === "failed") this.end(said.sentence)
    if (told === "learned") this.learn(said)
    if (told === "reports") this.take(said)
    this.listen()
  }

  take({ state, reports, isShared }) {
    const stands = this.state && state !== this.state && state !== "running"
    Object.assign(this, { state, isShared })
    reports.forEach(row => this.note(row))
    if (this.isMoving) this.news = ""
    if (!this.isMoving) this.paces = []
    else this.paces = [...this.paces.slice(-50), [performance.now(), this.step]]
    const isDue = this.isMoving && performance.now() > this.dueAt
    if (this.isNews) this.hand({ isShown: true })
    else if ((stands || isDue || (!this.isMoving && reports.length)) && state !== "failed") this.hand()
    else if (this.isMoving && performance.now() > this.keepsAt) this.order("hand")
    this.isNews = false
  }

  // All that a checkpoint takes: for this browser to keep, and for the server, where it is due.
  learn(said) {
    this.keepsAt = performance.now() + KEEP_EVERY
    const { run, owner, keeps, written } = this
    const { nextStep, weights, means, squares } = said
    const rows = this.rows.filter(row => row.step < nextStep)
    const curves = this.curves()
    keepCheckpoint({ run, owner, keeps, nextStep, rows, curves, written, weights, means, squares })
    if (!this.isOwed && !this.learned) return
    this.isOwed = false
    this.learned = said // in place of what has waited for its turn so far
    window.dispatchEvent(new Event(LEARNED))
  }

  // All curves, to the last digit: a server that has lost them gets them from nowhere else.
  curves() {
    const columns = ({ steps, values }) => (
      { steps: Int32Array.from(steps), values: Float64Array.from(values) })
    return Object.fromEntries(KEPT.map(name => [name, columns(this.series[name])]))
  }

  // A tab that nobody sees keeps what it has, as it may be closed; it rests, if that is wished.
  heedTab() {
    if (document.hidden && this.isMoving) {
      this.isAsleep = this.restsHidden
      this.order(this.restsHidden ? "pause" : "hand")
    } else if (!document.hidden && this.isAsleep) {
      this.isAsleep = false
      this.order("resume")
    }
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
    if (!row.sample) return
    this.samples.push([row.step, this.textOf(row.sample)])
    this.written.push([row.step, row.sample.tokens])
  }

  // What the server makes of the bytes is what counts; this shows a byte that is no letter as such.
  textOf({ prompt, tokens }) {
    return [...prompt, ...tokens].map(token => this.texts[token]).join("")
  }

  // Give the server what has been learned; where it is shown, the page is drawn anew with it.
  hand({ isShown = false } = {}) {
    this.isShown ||= isShown
    this.isOwed = true
    this.dueAt = performance.now() + RETURN_EVERY
    this.order("hand")
  }

  // Whether there is something that the server has not got.
  get hasLearned() {
    return Boolean(this.learned) && (this.learned.state !== "paused" || this.rows.length > 0)
  }

  get hasStopped() {
    return this.state === "stopped"
  }

  // The server has all up to this step, and knows whether it stops there.
  dropLearned({ step, stops }) {
    if (this.step === step && this.hasStopped === stops) this.learned = null
  }

  // What the server is given, and may keep; null: nothing is ready.
  takeLearned() {
    const { learned, hasLearned } = this
    this.learned = null
    if (!hasLearned) return null
    const rows = this.rows.filter(row => row.step < learned.nextStep).map(plainRow)
    const { run, loan, isShown: shows = false } = this
    this.isShown = false
    return { run, loan, shows, stops: learned.state === "stopped", ...message(learned, rows) }
  }

  // What the server says: it has all rows before this one; and, where it has answered in so many ms
  // to what it was given, why it has not kept that (empty: it has).
  noteAnswer({ nextRow, refusal, isDeleted }, took) {
    if (isDeleted) this.forget()
    this.rows = this.rows.filter(row => row.step >= nextRow)
    if (refusal !== undefined) this.noteTaken(refusal, took)
    this.listen()
  }

  noteTaken(refusal, took) {
    this.refusal = refusal
    if (refusal) this.learned = null // until it is due again
    this.dueAt = performance.now() + Math.max(RETURN_EVERY, LEAST_PAUSE * took)
    const hasEnded = this.hasStopped || this.state === "finished"
    if (hasEnded && !refusal && !this.rows.length) dropCheckpoint(this.owner, this.run)
  }

  // Its student has deleted it, maybe in another tab.
  forget() {
    this.quit()
    this.end("This run is deleted.")
    this.learned = null
    this.rows = []
    dropForGood(this.owner, this.run)
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
