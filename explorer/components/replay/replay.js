// A recorded training that plays by itself: the loss falls, and noise turns into a text.
//
// data: { title, note, steps, losses, averages, samples: [[step, text]], alt }
//
// It goes slower at first, where most is learned. Who likes no motion sees how it ended; anybody can
// stop it, and step from text to text by the slider. Nothing goes to the server.

import { button, clamp, element, fixed, setText, show, svgElement, whole } from "../shared.js"

const LENGTH = 20_000 // ms from the first step to the last
const REST = 8_000 // ms after the last, until it begins anew
const READ = 1_300 // ms for which a text stands at least
const WRITE = 500 // ms in which it is written
const FRAME = 33 // ms between two drawings
const BOX = { left: 3.2, top: 0.9, right: 1, bottom: 3.3 } // letters around the curve
const MARKS = [4, 2, 1, 0.5, 0.25, 0.125] // of the loss
const loss = fixed(2)

export default function replay(component) {
  return show(View, component)
}

class View {
  at = 0 // ms since the first step
  plays = !matchMedia("(prefers-reduced-motion: reduce)").matches
  seen = true // whether it is on the screen
  said = "" // what the server sent

  constructor(parent) {
    this.root = parent.querySelector(".replay") ?? element("div", "part replay", parent)
    this.root.setAttribute("role", "group")
    this.root.setAttribute("aria-label", "A recorded training")
    this.picture = element("div", "picture", this.root, { role: "img" })
    const head = element("div", "title", this.picture)
    this.title = element("b", "", head)
    const numbers = element("p", "numbers", head)
    this.step = labelled("Step", numbers)
    this.loss = labelled("Loss", numbers)
    this.curve = element("div", "curve", this.picture)
    const figure = element("div", "text", this.picture)
    this.caption = element("p", "caption", figure)
    this.written = element("p", "written", figure)
    this.first = element("p", "first", figure)
    this.buildBar()
    this.sizes = new ResizeObserver(() => this.drawCurve())
    this.sizes.observe(this.curve)
    this.screen = new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting
      this.go()
    })
    this.screen.observe(this.root)
  }

  buildBar() {
    const bar = element("div", "bar", this.root)
    this.button = button("", "", bar, () => this.press())
    this.slider = element("input", "", bar, { type: "range", min: 0, step: 1, "aria-label": "Moment" })
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)))
    this.note = element("p", "note", bar)
  }

  update({ data }) {
    const said = JSON.stringify(data)
    if (said === this.said) return
    this.said = said
    this.data = data
    this.last = data.steps.at(-1)
    this.frames = framesOf(data.samples, this.last)
    this.at = this.plays ? 0 : LENGTH
    this.picture.setAttribute("aria-label", data.alt)
    this.title.textContent = data.title
    this.first.textContent = `Before it learned, it wrote: ${data.samples[0][1]}`
    this.note.textContent = data.note
    this.slider.max = this.frames.length - 1
    this.drawCurve()
    this.go()
  }

  leave() {
    cancelAnimationFrame(this.waiting)
    this.sizes.disconnect()
    this.screen.disconnect()
  }

  // What moves it.

  press() {
    this.plays = !this.plays
    if (this.plays && this.at >= LENGTH) this.at = 0
    this.go()
  }

  moveTo(frame) {
    this.plays = false
    this.at = frame === this.frames.length - 1 ? LENGTH : this.frames[frame].from
    this.go()
  }

  go() {
    cancelAnimationFrame(this.waiting)
    setText(this.button, this.plays ? "❚❚ Pause" : "▶ Play")
    this.draw()
    if (!this.plays || !this.seen) return
    let before = performance.now()
    const next = now => {
      this.waiting = requestAnimationFrame(next)
      if (now - before < FRAME) return
      this.at += now - before > 10 * FRAME ? FRAME : now - before // a tab that was away goes on
      before = now
      if (this.at > LENGTH + REST) this.at = 0
      this.draw()
    }
    this.waiting = requestAnimationFrame(next)
  }

  // What is seen.

  draw() {
    if (!this.data) return
    const step = Math.round(this.last * (Math.min(this.at, LENGTH) / LENGTH) ** 2)
    const found = Math.max(0, this.data.steps.findLastIndex(each => each <= step))
    const average = this.data.averages[found]
    setText(this.step, `${whole(step)}`)
    setText(this.loss, loss(average))
    const frame = this.frames.findLastIndex(each => each.from <= this.at)
    const { from, step: after, text } = this.frames[frame]
    this.first.hidden = !after
    setText(this.caption, after ? `After ${whole(after)} steps it writes` : "Before it learns, it writes")
    const share = this.plays ? clamp((this.at - from) / WRITE, 0, 1) : 1
    setText(this.written, text.slice(0, Math.ceil(share * text.length)))
    this.slider.value = frame
    const words = `step ${whole(step)}, loss ${loss(average)}; after ${whole(after)} steps it writes: ${text}`
    if (this.slider.getAttribute("aria-valuetext") !== words) this.slider.setAttribute("aria-valuetext", words)
    this.passed?.setAttribute("width", this.toX(step))
    this.point?.setAttribute("cx", this.toX(step))
    this.point?.setAttribute("cy", this.toY(average))
  }

  drawCurve() {
    const { width, height } = this.curve.getBoundingClientRect()
    if (!this.data || !width) return
    this.curve.replaceChildren()
    const { steps, losses, averages } = this.data
    const [most, least] = [Math.max(...losses), Math.min(...losses)]
    const letter = parseFloat(getComputedStyle(this.curve).fontSize)
    const [left, top] = [letter * BOX.left, letter * BOX.top]
    const [right, bottom] = [width - letter * BOX.right, height - letter * BOX.bottom]
    this.toX = step => left + (step / this.last) * (right - left)
    this.toY = value => top + (Math.log(most / value) / Math.log(most / least)) * (bottom - top)
    const svg = svgElement("svg", this.curve)
    for (const mark of MARKS.filter(each => least <= each && each <= most)) {
      const y = this.toY(mark)
      svgElement("line", svg, { class: "rule", x1: left, x2: right, y1: y, y2: y })
      words(svg, mark, left - 0.6 * letter, y + 0.35 * letter, "end")
    }
    for (const share of [0, 0.5, 1]) {
      const anchor = share < 1 ? "middle" : "end"
      words(svg, whole(Math.round(this.last * share)), this.toX(share * this.last), bottom + 1.3 * letter, anchor)
    }
    words(svg, "Steps of training", (left + right) / 2, bottom + 2.7 * letter, "middle")
    words(svg, "Loss: how far its guesses are off", right, top + 0.3 * letter, "end")
    const clip = svgElement("clipPath", svg, { id: "passed" })
    this.passed = svgElement("rect", clip, { x: 0, y: 0, height })
    const lines = svgElement("g", svg, { "clip-path": "url(#passed)" })
    const path = values => values.map((value, at) => `${this.toX(steps[at])},${this.toY(value)}`).join(" ")
    svgElement("polyline", lines, { class: "losses", points: path(losses) })
    svgElement("polyline", lines, { class: "averages", points: path(averages) })
    this.point = svgElement("circle", svg, { class: "point", r: 7 })
    this.draw()
  }
}

// Which texts are shown, and from when on: each long enough to be looked at, the first and the last
// in any case.
function framesOf(samples, last) {
  const frames = []
  for (const [step, text] of samples) {
    const from = LENGTH * Math.sqrt(Math.min(step, last) / last)
    if (!frames.length || from - frames.at(-1).from >= READ) frames.push({ from, step, text })
  }
  const [step, text] = samples.at(-1)
  if (frames.at(-1).step === step) return frames
  const isNear = frames.length > 1 && LENGTH - frames.at(-1).from < READ
  return [...(isNear ? frames.slice(0, -1) : frames), { from: LENGTH, step, text }]
}

function labelled(label, parent) {
  const words = element("span", "", parent)
  words.append(`${label} `)
  return element("b", "", words)
}

function words(svg, text, x, y, anchor) {
  svgElement("text", svg, { x, y, "text-anchor": anchor }).textContent = text
}
