// Keeps a student's secret in this browser, so that their runs stay theirs after a reload.
const PLACE = "tiny-llama-explorer-owner"
const LONGEST = 15_000 // milliseconds to wait for what may never be drawn

let waiting

export default function (component) {
  const { data, setStateValue } = component
  clearTimeout(waiting)
  try {
    const kept = localStorage.getItem(PLACE)
    if (!kept) localStorage.setItem(PLACE, data.owner)
    else if (kept !== data.owner) whenQuiet(() => setStateValue("owner", kept))
  } catch {
    // Storage may be forbidden; the secret then lasts as long as the tab.
  }
}

// An answer amid a page run starts the next beside it, and Streamlit 1.67 then lets two threads
// change what it knows of the page's widgets, by which either may fail. An answer while a widget is
// still on the way to the screen lacks this widget's choice, and it then shows none.
function whenQuiet(act, end = performance.now() + LONGEST) {
  const app = document.querySelector("[data-testid=stApp]")
  const isRunning = ["running", "rerunRequested"].includes(app?.dataset.testScriptState)
  const isDrawing = document.querySelector("[data-testid=stSkeleton]") && performance.now() < end
  if (isRunning || isDrawing) waiting = setTimeout(whenQuiet, 20, act, end)
  else act()
}
