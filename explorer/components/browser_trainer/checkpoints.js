// What this browser keeps of the runs that it trains, so that a tab that is closed loses seconds. One
// checkpoint a run, in IndexedDB; of a few runs, the oldest are dropped.

const STORE = "checkpoints"
const MOST = 3 // runs: each takes twelve bytes a parameter
const GONE = " gone" // at the end of a key: the run is deleted
const ARRAYS = ["weights", "means", "squares"]

// Keep a checkpoint in place of the run's earlier one, unless it is deleted: { owner, run, nextStep,
// rows, weights, means, squares }; and, to bring it back to a server that has lost it, `keeps` (how it
// was started, as in_browser.py has it), `curves` and what it has `written`. Where the browser keeps
// nothing, the run lasts as long as its tab.
export async function keepCheckpoint(checkpoint) {
  const { owner, run } = checkpoint
  await quietly(async store => {
    if (await answerOf(store.getKey(keyOf(owner, run, GONE)))) return
    store.put({ ...checkpoint, at: Date.now(), mark: markOf(checkpoint) }, keyOf(owner, run))
    const all = await runKeys(store)
    if (all.length <= MOST) return
    const kept = await Promise.all(all.map(async key => [key, (await answerOf(store.get(key))).at]))
    kept.sort(([, one], [, other]) => other - one)
    for (const [key] of kept.slice(MOST)) store.delete(key)
  })
}

// Give the checkpoint of an owner's run, of so many parameters if that is known; null: there is none.
// One that is not as it was kept is dropped; what is given then only says that it `isDamaged`.
export async function findCheckpoint(owner, run, count) {
  return quietly(async store => {
    const found = await answerOf(store.get(keyOf(owner, run)))
    if (!found) return null
    if (isWhole(found, count ?? found.weights?.length)) return found
    store.delete(keyOf(owner, run))
    return { isDamaged: true }
  })
}

export async function dropCheckpoint(owner, run) {
  await quietly(store => store.delete(keyOf(owner, run)))
}

// Drop what there is of a run, and keep nothing of it from now on, in no tab.
export async function dropForGood(owner, run) {
  await quietly(store => {
    store.delete(keyOf(owner, run))
    store.put(true, keyOf(owner, run, GONE))
  })
}

// List an owner's runs that may be brought back to a server that has lost them: { run, step, steps }.
export async function keptRuns(owner) {
  return await quietly(async store => {
    const keys = (await runKeys(store)).filter(key => key.startsWith(keyOf(owner, "")))
    const all = await Promise.all(keys.map(key => answerOf(store.get(key))))
    return all.filter(kept => kept.keeps?.deed).map(({ run, nextStep, keeps }) => (
      { run, step: nextStep - 1, steps: keeps.setup.training.steps }))
  }) ?? []
}

async function runKeys(store) {
  const all = (await answerOf(store.getAllKeys())).map(String)
  return all.filter(key => !key.endsWith(GONE))
}

function keyOf(owner, run, what = "") {
  return `${owner} ${run}${what}`
}

// Do something with the store; null: this browser has none, or has no room.
async function quietly(act) {
  let database
  try {
    const asked = indexedDB.open("tiny-llama-explorer", 1)
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE)
    database = await answerOf(asked)
    return await act(database.transaction(STORE, "readwrite").objectStore(STORE)) ?? null
  } catch {
    return null
  } finally {
    database?.close() // once what was asked is done
  }
}

function answerOf(asked) {
  return new Promise((done, failed) => {
    asked.onsuccess = () => done(asked.result)
    asked.onerror = () => failed(asked.error)
  })
}

function isWhole(found, count) {
  const { nextStep, rows, mark } = found
  const areThere = ARRAYS.every(name => found[name] instanceof Float32Array && found[name].length === count)
  if (!areThere || !Number.isInteger(nextStep) || !Array.isArray(rows)) return false
  const follow = rows.every((row, at) => row.step === nextStep - rows.length + at)
  return follow && mark === markOf(found)
}

// A number that changes with every bit of the arrays (FNV-1a, by words).
function markOf({ nextStep, ...checkpoint }) {
  let mark = 0x811c9dc5 ^ nextStep
  for (const name of ARRAYS) {
    const { buffer, byteOffset, length } = checkpoint[name]
    for (const word of new Uint32Array(buffer, byteOffset, length)) mark = Math.imul(mark ^ word, 0x01000193)
  }
  return mark >>> 0
}
