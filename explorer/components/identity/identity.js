// Keeps a student's secret in this browser, so that their runs stay theirs after a reload.

import { whenQuiet } from "../shared.js"

const PLACE = "tiny-llama-explorer-owner"

let forgoes = () => {}

export default function (component) {
  const { data, setStateValue } = component
  forgoes()
  try {
    const kept = localStorage.getItem(PLACE)
    if (!kept) localStorage.setItem(PLACE, data.owner)
    else if (kept !== data.owner) forgoes = whenQuiet(() => setStateValue("owner", kept))
  } catch {
    // Storage may be forbidden; the secret then lasts as long as the tab.
  }
}
