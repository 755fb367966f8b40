// Gives the server what this tab's runs have learned, whichever page it shows. Says so, too, where
// this browser cannot train. It draws nothing.
//
// What it gives is megabytes, so it asks first, in a few words, and gives when it has a turn; of a
// server that cannot follow it so hears later, and no second one is on its way before the first is
// taken. What is not answered is asked for again, ever more rarely.
//
// Which runs this browser has kept it says at each visit; one that the server has lost and its student
// wants back, it gives in the same way.
//
// data: { page, answers, answer, visit, owner, deleted, wanted }: which page is shown, how many answers
// there have been, and the last of them: { run, nextRow } and either `wait`, in how many seconds to ask
// again (0: give it now), or `refusal`, why what was given is not kept (empty: it is, or nothing is
// missing); and `isDeleted`. Whose runs they are in this visit, which are deleted, and which is wanted
// back.

import { bestBuild } from "../browser_trainer/engine.js"
import { dropForGood, keptRuns } from "../browser_trainer/checkpoints.js"
import { KeptRun } from "../browser_trainer/kept_run.js"
import { LEARNED, sessions } from "../browser_trainer/session.js"
import { whenQuiet } from "../shared.js"

const ANSWER_WITHIN = 15_000 // ms
const RAREST = 120_000 // ms between two times that the same is asked

let page, tell, visited
let lost = null // the run that is wanted back
const forgotten = new Set() // runs that are deleted
let answers = 0
let turn = null // what is under way: { session, began, tries, does: "ask", "wait", "gather" or "give" }
let timer

addEventListener(LEARNED, giveNext)
addEventListener("online", () => ["ask", "give"].includes(turn?.does) && ask())

export default function handOver({ data, setTriggerValue }) {
  if (!tell && !bestBuild()) setTriggerValue("unable", true)
  tell = setTriggerValue
  if (data.answers !== answers) hear(data)
  // Who has come to another page sees the run as it is now.
  if (page !== undefined && page !== data.page) {
    for (const session of sessions.values()) session.hand({ isShown: true })
  }
  page = data.page
  tellKept(data)
  for (const run of data.deleted) forget(data.owner, run)
  bringBack(data)
  giveNext()
}

async function tellKept({ visit, owner }) {
  if (visited === `${visit} ${owner}`) return
  visited = `${visit} ${owner}`
  const runs = await keptRuns(owner)
  if (runs.length) whenQuiet(() => tell("kept", { runs }))
}

function forget(owner, run) {
  if (forgotten.has(run)) return
  forgotten.add(run)
  sessions.get(run)?.forget()
  dropForGood(owner, run)
}

async function bringBack({ owner, wanted }) {
  if (!wanted || lost?.run === wanted) return
  lost = new KeptRun(owner, wanted)
  await lost.gather()
  giveNext()
}

function giveNext() {
  if (!tell) return
  if (turn?.does === "gather") give()
  if (turn) return
  const session = lost?.learned ? lost : [...sessions.values()].find(each => each.hasLearned)
  if (!session) return
  turn = { session, began: performance.now(), tries: 0 }
  ask()
}

function ask() {
  turn.does = "ask"
  const patience = Math.min(RAREST, ANSWER_WITHIN * 2 ** Math.max(0, turn.tries - 2))
  turn.tries += 1
  const { run, step, hasStopped: stops } = turn.session
  turn.asked = { run, step, stops }
  tell("asks", turn.asked)
  later(ask, patience)
}

// Give what there is now, which may be more than when it was asked.
function give() {
  const learned = turn.session.takeLearned()
  if (!learned) {
    turn.does = "gather"
    turn.session.hand()
    later(end, ANSWER_WITHIN)
    return
  }
  turn.does = "give"
  tell(turn.session.event, learned)
  later(askAgain, ANSWER_WITHIN)
}

// The page may have been drawn anew, or the network have failed, while it was on the way. The question
// comes after it, so it is not given twice where it is only slow.
function askAgain() {
  turn.session.isShown = true
  ask()
}

function hear(data) {
  answers = data.answers
  const { answer } = data
  const isOurs = turn?.session.run === answer.run
  if (isOurs && turn.does === "ask" && answer.refusal === "") turn.session.dropLearned(turn.asked)
  sessions.get(answer.run)?.noteAnswer(answer, isOurs ? performance.now() - turn.began : 0)
  if (!isOurs) return
  if (answer.wait === undefined) end()
  else if (answer.wait) wait(1000 * answer.wait)
  else give()
}

function wait(ms) {
  Object.assign(turn, { does: "wait", tries: 0 })
  later(ask, ms)
}

function end() {
  clearTimeout(timer)
  if (turn.session === lost) lost = null
  turn = null
  giveNext()
}

function later(act, ms) {
  clearTimeout(timer)
  timer = setTimeout(act, ms)
}
