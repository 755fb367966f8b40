// Drives a run in slices, on orders; in a worker, or, where a page may have none, on the page.

import { Engine } from "./engine.js"
import { Training } from "./training.js"
import { unpack } from "./material.js"
import { help, Partner } from "./partner.js"

const REPORT_EVERY = 200 // ms
const GOES_ON = ["running", "paused"]

export class Driver {
  training = null
  owes = false // whether what has been learned is to be handed over after the step that is amid
  state = "" // "running", "paused", "stopped", "finished", or "failed"; "": there is no run yet
  reports = [] // that have not been told yet
  toldAt = 0

  // `tell` takes what is to be said, and the buffers that go along. How it trains is IN_WORKER or
  // ON_PAGE.
  constructor(tell, how) {
    Object.assign(this, { tell, how })
  }

  // Do what is ordered: { order: "begin", material, build, state, from, port } and then { order } alone,
  // one of pause, resume, step, stop, and hand (over what has been learned).
  async take({ order, ...rest }) {
    try {
      await this[order](rest)
    } catch (error) {
      this.fail(error)
    }
  }

  // Begin a run, whose second worker, if it has one, is at the other end of `port`.
  async begin({ state, ...how }) {
    this.training = await newTraining({ ...how, isFirst: true })
    this.become(state)
  }

  // Be the second worker of a run.
  async help(how) {
    await help(await newTraining({ ...how, isFirst: false }))
  }

  pause() { if (this.state === "running") this.become("paused") }
  resume() { if (this.state === "paused") this.become("running") }
  stop() { if (GOES_ON.includes(this.state)) this.become("stopped") }

  // Do one step, a piece at a time.
  async step() {
    while (this.state === "paused" && !this.training.isDone) {
      const isReported = this.advance()
      await this.rest()
      if (isReported) break
    }
    this.settle()
    this.report()
  }

  become(state) {
    this.state = state
    this.report()
    if (state === "running" && !this.isTurning) this.run()
  }

  async run() {
    this.isTurning = true
    try {
      while (this.state === "running") {
        this.runSlice()
        await this.rest()
      }
    } catch (error) {
      this.fail(error)
    }
    this.isTurning = false
  }

  runSlice() {
    const end = performance.now() + this.how.slice
    do this.advance()
    while (performance.now() < end && !this.training.awaits && !this.training.isDone && !this.mayGive)
    this.settle()
    if (performance.now() - this.toldAt > REPORT_EVERY || this.state !== "running") this.report()
    if (this.mayGive) this.give()
  }

  // Let others do their work, and what is waited for come.
  async rest() {
    await this.training.awaits
    await this.how.rest()
  }

  advance() {
    const report = this.training.advance()
    if (report) this.reports.push(report)
    return Boolean(report)
  }

  settle() {
    if (this.training.isDone) this.state = "finished"
  }

  report() {
    const { state, reports, training } = this
    this.reports = []
    this.toldAt = performance.now()
    this.tell({ told: "reports", state, reports, isShared: Boolean(training?.partner) })
  }

  // Hand over what has been learned, once the step that is amid is reported.
  async hand() {
    this.owes = true
    while (this.owes && this.state !== "running") {
      if (this.mayGive) this.give()
      else this.advance()
      await this.rest()
    }
  }

  // The server takes no run without the look at its untrained model.
  get mayGive() {
    return this.owes && !this.training.isAmid && this.training.nextStep > 0
  }

  // Give copies of all that a checkpoint takes.
  give() {
    this.owes = false
    this.settle()
    if (this.reports.length) this.report()
    const { nextStep, engine } = this.training
    const [weights, means, squares] = [engine.weights, engine.means, engine.squares]
      .map(view => view.slice())
    const learned = { nextStep, state: this.state, weights, means, squares }
    this.tell({ told: "learned", ...learned }, [weights.buffer, means.buffer, squares.buffer])
    if (!GOES_ON.includes(this.state)) this.training.leave()
  }

  fail(error) {
    this.state = "failed"
    this.training?.leave()
    this.report()
    this.tell({ told: "failed", sentence: error.message })
  }
}

// What there is to begin `from`, if it is not what was lent, goes over that.
async function newTraining({ material, build, from, port, isFirst }) {
  const all = { ...unpack(material), ...from }
  const engine = await Engine.of(all[build], all.shape)
  return new Training(engine, all, port && new Partner(port, isFirst))
}

// Let orders come in: a message to oneself is not slowed down as a timer is.
function nextMessage() {
  return new Promise(goOn => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => { port1.close(); goOn() }
    port2.postMessage(0)
  })
}

// Let the page do first whatever else it has to: draw, answer a press, take what the server sends.
// Where nothing says when it has done so, it gets as much time as training does.
function idleMoment() {
  if (globalThis.scheduler?.postTask) return scheduler.postTask(() => {}, { priority: "background" })
  if (globalThis.requestIdleCallback) return new Promise(goOn => requestIdleCallback(goOn))
  return new Promise(goOn => setTimeout(goOn, ON_PAGE.slice))
}

export const IN_WORKER = { slice: 50, rest: nextMessage } // ms
// A page is never kept from its own work for longer than a frame or two.
export const ON_PAGE = { slice: 12, rest: idleMoment }
