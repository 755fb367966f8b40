// A worker for a run: wherever a browser lets a page have one.

import { addressOf } from "../shared.js"

const START_WITHIN = 20_000 // ms

// Give a worker that has answered; null: this page may have none. A page's content policy may forbid
// workers out of a Blob, or out of the app's own address; some browsers only say so later.
export async function newWorker() {
  const script = new URL("./worker.js", import.meta.url).href
  const blob = addressOf(`import ${JSON.stringify(script)}`, "text/javascript")
  return (await started(blob)) ?? started(script)
}

function started(address) {
  return new Promise(done => {
    let worker
    try {
      worker = new Worker(address, { type: "module" })
    } catch {
      done(null)
      return
    }
    const give = found => { clearTimeout(waiting); done(found) }
    const giveUp = () => { worker.terminate(); give(null) }
    const waiting = setTimeout(giveUp, START_WITHIN)
    worker.onerror = event => { event.preventDefault(); giveUp() }
    worker.onmessage = () => give(worker)
  })
}
