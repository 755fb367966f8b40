// Moves the page to what a stop of the tour speaks of, under the tour's box, which stays where it is.
//
// data: { stop, subject: [key of an element] }, from the top down
//
// Only when the stop is a new one, and again where what stands above is still being drawn; from the
// first key, press or turn of the wheel on, the page is the student's. The focus stays where it is.

import { readTheme, scrolling } from "../shared.js"

const BOX = ".st-key-tour"
const HANDS = ["keydown", "pointerdown", "touchmove", "wheel"]
const [LOOK, LONGEST] = [100, 60_000] // milliseconds: between two looks, and until the last
const ROOM = 12 // pixels between box and subject

let shown // the stop that the page was moved for
let owner // whose box is on the screen: on another page it may come before the old one is gone
let letGo = () => {}

export default function tour({ data, parentElement }) {
  const { background } = readTheme(parentElement)
  document.querySelector(BOX)?.style.setProperty("--ground", background)
  owner = parentElement
  if (data.stop !== shown) {
    shown = data.stop
    moveTo(data.subject)
  }
  return () => {
    if (owner !== parentElement) return
    shown = undefined
    letGo()
    page()?.style.removeProperty("scroll-padding-top")
  }
}

const page = () => document.querySelector("[data-testid=stMain]")

function moveTo(subject) {
  letGo()
  const end = performance.now() + LONGEST
  let before, moved // where all was in the page at the last look, and when the page was moved
  const looking = setInterval(() => {
    const main = page()
    const found = subject.map(key => main?.querySelector(`.st-key-${CSS.escape(key)}`))
    if (found.every(Boolean)) {
      const now = found.map(each => Math.round(topOf(each) + main.scrollTop)).join()
      if (now === before && now !== moved) {
        moved = now
        move(main, found)
      }
      before = now
    }
    if (performance.now() > end) letGo()
  }, LOOK)
  letGo = () => {
    clearInterval(looking)
    for (const kind of HANDS) removeEventListener(kind, letGo, true)
  }
  for (const kind of HANDS) addEventListener(kind, letGo, { capture: true, passive: true })
}

const topOf = element => element.getBoundingClientRect().top

// What is moved into view by other means, such as the focus, is not to be under the box either.
function move(main, found) {
  const box = document.querySelector(BOX).parentElement
  const covered = parseFloat(getComputedStyle(box).top) + box.offsetHeight + ROOM
  main.style.scrollPaddingTop = `${covered}px`
  const last = found.at(-1)
  const middle = topOf(last) + last.offsetHeight / 2
  const first = found.find(each => middle - topOf(each) < main.clientHeight - covered) ?? last
  first.scrollIntoView({ block: "start", behavior: scrolling() })
}
