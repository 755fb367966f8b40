// Lets the page's picture fill the screen, and gives it back its place: by the button, the key F, and
// Escape. What is not the picture is hidden by the frame's style, also for keys and who reads aloud.

import { element, hasDialog, isFullSize, readTheme, svgElement } from "../shared.js"

const LARGER = "M3 9V3h6M15 3h6v6M21 15v6h-6M9 21H3v-6"
const SMALLER = "M9 3v6H3M21 9h-6V3M15 21v-6h6M3 15h6v6"
const WORDS = { false: "Full size", true: "Leave full size" }

let here // the button on the page

export default function fullSize({ parentElement }) {
  here = parentElement.querySelector("button") ?? drawButton(parentElement)
  const { background } = readTheme(here)
  document.documentElement.style.setProperty("--ground", background)
  say()
  return () => {
    if (!parentElement.isConnected && here?.isConnected === false) turn(false)
  }
}

function drawButton(parent) {
  const made = element("button", "full_size part", parent, { type: "button", "aria-keyshortcuts": "F" })
  const icon = svgElement("svg", made, { viewBox: "0 0 24 24", "aria-hidden": true })
  svgElement("path", icon)
  made.addEventListener("click", () => turn(!isFullSize()))
  return made
}

function turn(on) {
  document.documentElement.toggleAttribute("data-full-size", on)
  say()
  dispatchEvent(new Event("resize")) // pictures look how much room there is
}

function say() {
  const on = isFullSize()
  here.setAttribute("aria-label", WORDS[on])
  here.title = on ? `${WORDS[on]} (Escape)` : `${WORDS[on]} (F)`
  here.querySelector("path").setAttribute("d", on ? SMALLER : LARGER)
}

addEventListener("keydown", event => {
  if (!here?.isConnected || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === "Escape" && isFullSize() && !hasDialog()) {
    turn(false)
    here.focus()
  }
  if (event.key.toLowerCase() === "f" && !isWritten(event.composedPath()[0])) turn(!isFullSize())
})

const isWritten = target => Boolean(target.closest?.("input, textarea, select, [contenteditable]"))
