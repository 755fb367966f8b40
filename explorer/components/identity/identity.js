// Keeps a student's secret in this browser, so that their runs stay theirs after a reload.
const PLACE = "tiny-llama-explorer-owner"

export default function (component) {
  const { data, setStateValue } = component
  try {
    const kept = localStorage.getItem(PLACE)
    if (!kept) localStorage.setItem(PLACE, data.owner)
    else if (kept !== data.owner) setStateValue("owner", kept)
  } catch {
    // Storage may be forbidden; the secret then lasts as long as the tab.
  }
}
