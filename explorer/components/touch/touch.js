// Explains a word of the glossary in a box beside it, when it is pressed.
//
// data: { meanings: { word: meaning } }
//
// The words are links to their entries on the glossary's page, so that a press with Ctrl, say, opens
// that, as with any link.

import { button, clamp, element, readTheme, show } from "../shared.js"

const WORD = "a[href^='./?view=glossary&word=']"
const OVER = "[role=dialog], [data-testid=stPopoverBody]" // what lies over the page, and alone hears
const EDGE = 8 // pixels that the box keeps from the edges of the screen, and from its word

export default function touch(component) {
  return show(Touch, component)
}

class Touch {
  constructor(parent) {
    this.parent = parent
    this.box = element("div", "meaning", parent, {
      popover: "auto", role: "dialog", tabindex: -1,
      "aria-labelledby": "meaning-word", "aria-describedby": "meaning-text",
    })
    this.title = element("strong", "", this.box, { id: "meaning-word" })
    button("×", "", this.box, () => this.box.hidePopover(), { "aria-label": "Close" })
    this.text = element("p", "", this.box, { id: "meaning-text" })
    this.more = element("a", "", this.box)
    this.more.textContent = "All words"
    this.more.addEventListener("click", event => this.ask(event))
    this.listening = new AbortController()
    const { signal } = this.listening
    const options = { capture: true, signal }
    addEventListener("pointerdown", () => { this.before = this.isOpen() && this.word }, options)
    addEventListener("click", event => this.press(event), options)
    addEventListener("keydown", event => this.key(event), options)
    addEventListener("scroll", () => this.place(), { ...options, passive: true })
    addEventListener("resize", () => this.place(), options)
  }

  update({ data, setTriggerValue }) {
    this.meanings = data.meanings
    this.setTriggerValue = setTriggerValue
  }

  leave() {
    this.box.remove()
    this.listening.abort()
  }

  isOpen() {
    return this.box.matches(":popover-open")
  }

  press(event) {
    const word = event.target.closest?.(WORD)
    if (!word || word === this.more || !isPlain(event)) return
    const name = new URL(word.href).searchParams.get("word")
    if (!(name in this.meanings)) return
    event.preventDefault()
    const wasOpen = this.before === word // the press itself has closed it
    this.before = null
    if (!wasOpen) this.open(word, name)
  }

  open(word, name) {
    this.word = word
    this.name = name
    this.title.textContent = name
    this.text.textContent = this.meanings[name]
    this.more.href = word.href
    this.dress()
    const place = word.closest(OVER) ?? this.parent
    place.append(this.box)
    this.box.showPopover()
    this.place()
    this.box.focus({ preventScroll: true }) // which reads it out, and comes back when it closes
  }

  // The theme's colours are known where the part is, and not everywhere where the box may be.
  dress() {
    const theme = readTheme(this.parent)
    for (const name of ["text", "background", "primary", "border", "font"]) {
      this.box.style.setProperty(`--${name}`, theme[name])
    }
  }

  // Escape closes the box alone, and does not end a presentation as well.
  key(event) {
    if (event.key !== "Escape" || !this.isOpen()) return
    event.stopPropagation()
    event.preventDefault()
    this.box.hidePopover()
  }

  // Under the word, or where there is no room, above it; a word that is gone takes the box with it.
  place() {
    if (!this.isOpen()) return
    const [at] = this.word.getClientRects()
    if (!at || at.bottom < 0 || at.top > innerHeight) return this.box.hidePopover()
    const { offsetWidth: width, offsetHeight: height } = this.box
    const below = at.bottom + EDGE
    const top = below + height + EDGE <= innerHeight ? below : at.top - EDGE - height
    this.box.style.left = `${clamp(at.left, EDGE, innerWidth - width - EDGE)}px`
    this.box.style.top = `${Math.max(EDGE, top)}px`
  }

  ask(event) {
    if (!isPlain(event)) return
    event.preventDefault()
    this.box.hidePopover()
    this.setTriggerValue("asked", this.name)
  }
}

const isPlain = event =>
  !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)
