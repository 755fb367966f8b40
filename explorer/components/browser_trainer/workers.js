// Workers for a run: wherever a browser lets a page have any.

import { addressOf } from "../shared.js"

const START_WITHIN = 20_000 // ms
const SECOND_WITHIN = 1_000 // ms that a run waits for its second worker, once it has the first
const CORES_FOR_TWO = 4 // with fewer, the second would take the page's own

// Give a worker, and a second one to share its steps; null: there is none.
export async function newWorkers() {
  const coming = navigator.hardwareConcurrency >= CORES_FOR_TWO ? newWorker() : null
  const first = await newWorker()
  const second = await Promise.race([coming, after(SECOND_WITHIN)])
  if (first && second) return [first, second]
  coming?.then(worker => worker?.terminate())
  return [first, null]
}

// Give the order to begin to two workers that share a run's steps.
export function beginTogether(order, first, second) {
  const { port1, port2 } = new MessageChannel()
  second.postMessage({ ...order, order: "help", port: port2 }, [port2])
  first.postMessage({ ...order, port: port1 }, [port1])
}

// Give a worker that has answered; null: this page may have none. A page's content policy may forbid
// workers out of a Blob, or out of the app's own address; some browsers only say so later.
async function newWorker() {
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

function after(wait) {
  return new Promise(done => setTimeout(done, wait, null))
}
