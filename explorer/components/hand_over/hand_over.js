// Gives the server what this tab's runs have learned, whichever page it shows: one at a time, and
// again where no answer comes. Says so, too, where this browser cannot train. It draws nothing.
//
// data: { page, answers, answer }: which page is shown, how many answers there have been, and the last
// of them, as `Session.noteAnswer` takes it, with the `run`.

import { bestBuild } from "../browser_trainer/engine.js"
import { LEARNED, sessions } from "../browser_trainer/session.js"

const ANSWER_WITHIN = 15_000 // ms

let page, tell, waiting
let answers = 0

addEventListener(LEARNED, giveNext)

export default function handOver({ data, setTriggerValue }) {
  if (!tell && !bestBuild()) setTriggerValue("unable", true)
  tell = setTriggerValue
  if (data.answers !== answers) hear(data)
  // Who has come to another page sees the run as it is now.
  if (page !== undefined && page !== data.page) {
    for (const session of sessions.values()) session.hand({ isShown: true })
  }
  page = data.page
  giveNext()
}

function hear(data) {
  answers = data.answers
  clearTimeout(waiting)
  waiting = 0
  sessions.get(data.answer.run)?.noteAnswer(data.answer)
}

function giveNext() {
  if (waiting || !tell) return
  for (const session of sessions.values()) {
    const learned = session.takeLearned()
    if (!learned) continue
    tell("returned", learned)
    waiting = setTimeout(giveAgain, ANSWER_WITHIN, session)
    return
  }
}

// The page may have been drawn anew, or the network have failed, while it was on the way.
function giveAgain(session) {
  waiting = 0
  session.hand({ isShown: true })
}
