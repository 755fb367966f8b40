// While a page is presented, the picture has what its heading and the words under it leave of the
// screen: --above says how much they take together, as it does of the frame otherwise.

import { above } from "../shared.js"

const MOST = 0.6 // of the screen's height; what is longer is scrolled to

const root = document.documentElement
let place // where this part is on the page
const drawn = new MutationObserver(measure)
const sized = new ResizeObserver(measure)

export default function presented({ parentElement }) {
  place = parentElement
  const page = document.querySelector("[data-testid=stMain]")
  drawn.observe(page, { childList: true, subtree: true }) // the page is drawn later than this
  addEventListener("resize", measure)
  measure()
  return () => {
    if (place.isConnected) return // one update has overtaken another
    drawn.disconnect()
    sized.disconnect()
    removeEventListener("resize", measure)
    root.style.removeProperty("--above")
  }
}

function measure() {
  const [picture, side] = [".st-key-picture", ".st-key-side"].map(key => document.querySelector(key))
  if (!picture || !side) return
  sized.observe(side)
  const page = document.querySelector("[data-testid=stMainBlockContainer]")
  const taken = Math.min(page.offsetHeight - picture.offsetHeight, MOST * innerHeight)
  if (Math.abs(taken - above(root)) < 1) return
  root.style.setProperty("--above", `${taken / parseFloat(getComputedStyle(root).fontSize)}rem`)
  dispatchEvent(new Event("resize")) // pictures look how much room there is
}
