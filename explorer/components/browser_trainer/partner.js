// Two workers share the steps of a run: each finds the gradient of half of a batch, gives it to the
// other, adds both up, and takes the step. So both hold the same numbers, and only gradients travel.

const PATIENCE = 10_000 // ms: a worker that says nothing for so long has been ended by the browser
const TRIAL = 32 // steps after which it is judged whether sharing them pays

// One worker of a run as the other sees it.
export class Partner {
  halves = new Map() // that came from it, by step
  spare = null // a buffer that came with the last of them
  wake = () => {} // called when something has come
  steps = -1 // shared since it was judged last; the first, for which it gets ready, does not count
  worked = 0 // ms of one's own halves of them
  waited = 0 // ms until the other halves were there

  // The first of the two takes the first half of a batch; it reports, and may go on alone.
  constructor(port, isFirst) {
    Object.assign(this, { port, isFirst })
    port.onmessage = ({ data }) => this.hear(data)
  }

  hear({ isOver, step, ...half }) {
    if (isOver) return close()
    this.halves.set(step, half)
    this.wake()
  }

  // Give it one's own half of a step's loss and gradient, which took so many milliseconds.
  give(step, { loss, gradient }, worked) {
    const copy = this.spare ?? new Float32Array(gradient.length)
    copy.set(gradient)
    this.port.postMessage({ step, loss, gradient: copy }, [copy.buffer])
    this.worked += worked
  }

  // Wait for its half of the step; null: there is no waiting for it any more.
  async take(step) {
    const began = performance.now()
    if (!this.halves.has(step)) await this.news()
    this.waited += performance.now() - began
    const half = this.halves.get(step) ?? null
    this.halves.delete(step)
    this.spare = half?.gradient
    if (!half || this.isSlow()) this.dismiss()
    return half
  }

  news() {
    return new Promise(done => {
      const waiting = this.isFirst && setTimeout(done, PATIENCE)
      this.wake = () => { clearTimeout(waiting); done() }
    })
  }

  // Whether the second worker takes so long that the first would be as quick alone, as where the
  // device has not got the cores.
  isSlow() {
    this.steps += 1
    if (this.steps > 0 && this.steps < TRIAL) return false
    const isSlow = this.isFirst && this.steps === TRIAL && this.waited > this.worked
    this.steps = this.worked = this.waited = 0
    return isSlow
  }

  dismiss() {
    this.isGone = true
    this.port.postMessage({ isOver: true })
  }
}

// Be the second worker, until the last step or until one is dismissed.
export async function help(training) {
  for (let step = Math.max(1, training.nextStep); step <= training.config.steps; step++) {
    for (const _ of training.train(step)) await training.awaits
  }
  close()
}
