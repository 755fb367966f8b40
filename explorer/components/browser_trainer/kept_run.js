// A run that the server has lost, as this browser has kept it; hand_over.js gives it back as it gives
// what a `Session` has learned.

import { findCheckpoint } from "./checkpoints.js"
import { message, plainRow } from "./returned.js"

export class KeptRun {
  event = "lost"
  hasLearned = true
  hasStopped = false
  step = 0

  constructor(owner, run) {
    Object.assign(this, { owner, run })
  }

  // All that it takes to make the run anew: how it was started, every row, and where it stands.
  async gather() {
    const kept = await findCheckpoint(this.owner, this.run)
    this.learned = kept?.keeps ? { ...kept.keeps, ...message(kept, rowsOf(kept)) } : {}
    this.learned = { ...this.learned, run: this.run, stops: false, shows: true }
  }

  takeLearned() { return this.learned }
  hand() {}
  dropLearned() {}
  noteAnswer() {}
}

// The rows of all steps so far, out of the curves and texts that were kept.
function rowsOf({ nextStep, curves, written }) {
  const rows = Array.from({ length: nextStep }, (_, step) => ({ step }))
  for (const [name, { steps, values }] of Object.entries(curves)) {
    steps.forEach((step, at) => { if (step < nextStep) rows[step][name] = values[at] })
  }
  for (const [step, tokens] of written) if (step < nextStep) rows[step].sample = { tokens }
  return rows.map(plainRow)
}
