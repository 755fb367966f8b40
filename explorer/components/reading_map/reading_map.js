// Which token reads from which: a labelled map, and arcs between two columns of tokens.
//
// data: { tokens, first, heads: [{ layer, head, role }], chosen, steps, patterns, window, alt,
//         isHalf, hasArcs }
// patterns: base64 of little-endian uint16, steps x heads x n x n, 65535 for a weight of 1
// tokens: what each of the n tokens reads as; `first` is the place of the first in the text
// steps: training steps that can be scrubbed through; usually one
// window: how many tokens, itself included, a token can read; null: all before it
// isHalf: whether another map stands beside this one; it then begins as high as it can
// hasArcs: whether there is room for the arcs, too; unless it is false
//
// Pointing and keys move the focus on this side alone; nothing goes to the server.

import {
  above, bytesOf, button, clamp, element, mixed, onPaper, percent, readTheme, savePng, saveSvg, shades, show,
  svgElement, svgRoot, whole,
} from "../shared.js"

const CELLS = [9, 44] // pixels of a cell: the fewest, and the most
const LETTERS = [10, 17] // pixels of a label
const ELSEWHERE = 92 // pixels that other things of the picture take, beside what is above it
const NAME = 40 // pixels of the name above each of two maps
const NARROW = 640 // pixels of width under which map and arcs stand one above the other
const FAINTEST = 0.02 // weights below this are not drawn as arcs, unless their token has the focus
const PLAY_EVERY = 350 // ms a snapshot
const FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "10 5", "4 4"] // heads differ by more than colour

export default function readingMap(component) {
  return show(View, component)
}

class View {
  focus = null // the reader pointed at
  locked = null // the reader clicked on
  shown = new Set() // heads whose arcs are drawn
  at = 0 // index of the step shown

  constructor(parent) {
    this.root = element("div", "part reading", parent)
    this.panes = element("div", "panes", this.root)
    this.mapPane = this.pane("Map: row reads from column")
    this.arcsPane = this.pane("Arcs: left reads from right")
    this.bar = element("span", "bar", this.arcsPane.caption, { role: "group", "aria-label": "Arcs of head" })
    this.time = element("div", "time", this.root)
    this.buildTime()
    this.words = element("p", "words", this.root, { "aria-live": "polite" })
    this.list = this.arcsPane.scroll
    this.list.addEventListener("keydown", event => this.press(event))
    this.list.addEventListener("blur", () => this.point(null))
    this.fit = () => this.data && this.show(this.at)
    addEventListener("resize", this.fit)
  }

  leave() {
    this.stop()
    removeEventListener("resize", this.fit)
  }

  // Cells and letters as large as the screen allows, so that the whole map is seen at once.
  measure() {
    const { n, data: { tokens } } = this
    const width = this.root.clientWidth
    const high = innerHeight - above(this.root) - ELSEWHERE - (this.data.isHalf ? NAME : 0)
    const room = Math.min(width * (width > NARROW ? 0.6 : 1), Math.max(280, high))
    const [fewest, most] = CELLS
    for (this.cell = most; this.cell > fewest; this.cell--) {
      this.letters = clamp(this.cell * 0.9, ...LETTERS)
      if (labelWidth(tokens, this.letters) + n * this.cell + 2 <= room) break
    }
    this.letters = clamp(this.cell * 0.9, ...LETTERS)
    this.margin = labelWidth(tokens, this.letters)
    this.size = this.margin + n * this.cell + 2
    this.row = Math.max((this.size - 4) / n, this.letters + 1)
    this.breadth = width > NARROW ? width - this.size - 28 : width
    this.font = `${this.letters}px ${FONT}`
  }

  pane(title) {
    const pane = element("figure", "pane", this.panes)
    const caption = element("figcaption", "", pane)
    element("span", "", caption).textContent = title
    const scroll = element("div", "scroll", pane, { tabindex: 0, role: "group", "aria-label": title })
    const save = element("span", "save", caption)
    const paper = () => onPaper(scroll.querySelector("svg"))
    const kinds = {
      SVG: () => saveSvg(paper(), "attention.svg"), PNG: () => savePng(paper(), "attention.png"),
    }
    for (const [kind, act] of Object.entries(kinds)) {
      button(kind, "", save, act, { "aria-label": `Save “${title}” as ${kind}` })
    }
    return { pane, caption, scroll }
  }

  buildTime() {
    this.play = button("", "play", this.time, () => (this.playing ? this.stop() : this.start()))
    this.range = element("input", "", this.time, {
      type: "range", min: 0, step: 1, "aria-label": "Training step",
    })
    this.range.addEventListener("input", () => {
      this.stop()
      this.show(Number(this.range.value))
    })
    this.step = element("output", "", this.time)
  }

  update({ data }) {
    const before = this.data
    this.data = data
    this.n = data.tokens.length
    this.patterns = new Uint16Array(bytesOf(data.patterns).buffer)
    this.theme = themeOf(this.root)
    this.root.classList.toggle("half", Boolean(data.isHalf))
    this.arcsPane.pane.hidden = data.hasArcs === false
    const same = before && JSON.stringify(before.tokens) === JSON.stringify(data.tokens)
    if (!same) this.focus = this.locked = null
    if (!before || before.heads.length !== data.heads.length || before.chosen !== data.chosen) {
      this.shown = new Set([data.chosen])
    }
    if (!before || before.steps.length !== data.steps.length) this.at = data.steps.length - 1
    this.time.hidden = data.steps.length < 2
    this.range.max = data.steps.length - 1
    this.drawBar()
    this.show(this.at)
  }

  show(at) {
    this.at = Math.min(at, this.data.steps.length - 1)
    this.range.value = this.at
    const step = this.data.steps[this.at]
    this.step.textContent = `Step ${whole(step)}`
    this.range.setAttribute("aria-valuetext", this.step.textContent)
    this.play.textContent = this.playing ? "❚❚ Pause" : "▶ Play"
    this.measure()
    this.drawMap()
    this.drawArcs()
    this.say()
  }

  start() {
    if (this.at === this.data.steps.length - 1) this.at = -1
    this.playing = setInterval(() => {
      if (this.at >= this.data.steps.length - 1) this.stop()
      else this.show(this.at + 1)
    }, PLAY_EVERY)
    this.show(this.at + 1)
  }

  stop() {
    clearInterval(this.playing)
    this.playing = null
    this.play.textContent = "▶ Play"
  }

  // How much the reader takes from the source, both counted within the window on screen.
  weight(head, reader, source) {
    const { n } = this
    return this.patterns[((this.at * this.data.heads.length + head) * n + reader) * n + source] / 65535
  }

  isHidden(reader, source) {
    const { window } = this.data
    return source > reader || (window !== null && source <= reader - window)
  }

  get reader() {
    return this.focus ?? this.locked
  }

  // -- Heads -------------------------------------------------------------------------------------

  drawBar() {
    this.bar.replaceChildren()
    this.bar.hidden = this.data.heads.length < 2
    this.data.heads.forEach((head, index) => {
      const say = () => chip.setAttribute("aria-pressed", this.shown.has(index))
      const name = `${head.head}: ${head.role}`
      const chip = button("", "chip", this.bar, () => {
        if (!this.shown.delete(index)) this.shown.add(index)
        say()
        this.drawArcs()
        this.say()
      }, { title: name, "aria-label": name })
      say()
      chip.style.setProperty("--colour", this.theme.colours[index % this.theme.colours.length])
      element("span", "mark", chip)
      element("span", "", chip).textContent = head.head
    })
  }

  // -- Map ---------------------------------------------------------------------------------------

  drawMap() {
    const { n, theme, cell, margin, size, font } = this
    const { tokens, chosen } = this.data
    const svg = newSvg(this.mapPane.scroll, size, size, this.data.alt, font)
    const hatch = svgElement("pattern", svgElement("defs", svg), {
      id: "hidden", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    })
    svgElement("line", hatch, { y2: 5, stroke: theme.faint, "stroke-width": 1.4 })
    const cells = svgElement("g", svg, { transform: `translate(${margin} ${margin})` })
    for (let reader = 0; reader < n; reader++) {
      for (const [from, to] of hiddenStretches(n, reader, this.data.window)) {
        svgElement("rect", cells, {
          x: from * cell, y: reader * cell, width: (to - from) * cell, height: cell,
          fill: "url(#hidden)",
        })
      }
      for (let source = 0; source <= reader; source++) {
        if (this.isHidden(reader, source)) continue
        svgElement("rect", cells, {
          x: source * cell, y: reader * cell, width: cell, height: cell,
          fill: theme.fill(this.weight(chosen, reader, source)),
        })
      }
    }
    tokens.forEach((token, at) => {
      label(svg, token, margin - 4, margin + (at + 0.5) * cell, theme, "end", font)
      const turned = label(svg, token, 0, 0, theme, "start", font)
      turned.setAttribute("transform", `translate(${margin + (at + 0.5) * cell} ${margin - 4}) rotate(-90)`)
    })
    this.band = svgElement("rect", cells, {
      width: n * cell, height: cell, fill: "none", stroke: theme.text, "stroke-width": 1.5,
      visibility: "hidden",
    })
    cells.addEventListener("pointermove", event => this.point(this.rowAt(event, cells)))
    cells.addEventListener("click", event => this.lock(this.rowAt(event, cells)))
    svg.addEventListener("pointerleave", () => this.point(null))
    this.moveBand()
  }

  rowAt(event, cells) {
    const box = cells.ownerSVGElement.getBoundingClientRect()
    return clamp(Math.floor((event.clientY - box.top - this.margin) / this.cell), 0, this.n - 1)
  }

  moveBand() {
    const { reader } = this
    this.band.setAttribute("visibility", reader === null ? "hidden" : "visible")
    if (reader !== null) this.band.setAttribute("y", reader * this.cell)
  }

  // -- Arcs --------------------------------------------------------------------------------------

  drawArcs() {
    const { n, theme, row, font } = this
    const { tokens, first } = this.data
    const margin = this.margin + 3 * this.letters
    const width = clamp(this.breadth, 2 * margin + 90, 2 * margin + 260)
    const svg = newSvg(this.arcsPane.scroll, width, n * row + 4, this.data.alt, font)
    this.left = margin
    this.right = width - margin
    this.arcs = svgElement("g", svg, { fill: "none" })
    this.list.setAttribute("role", "listbox")
    this.list.setAttribute("aria-label", "Reading tokens: up and down choose one, Enter keeps it")
    this.options = tokens.map((token, at) => {
      const group = svgElement("g", svg, { role: "option", id: `reader-${at}`, "aria-selected": false })
      group.style.cursor = "pointer"
      group.setAttribute("aria-label", `token ${first + at}, ${token}`)
      svgElement("rect", group, { x: 0, y: at * row, width: margin, height: row, fill: "transparent" })
      label(group, token, margin - 5, (at + 0.5) * row, theme, "end", font)
      label(group, String(first + at), 2.3 * this.letters, (at + 0.5) * row, theme, "end", font, theme.faint)
      group.addEventListener("pointerenter", () => this.point(at))
      group.addEventListener("click", () => this.lock(at))
      return group
    })
    tokens.forEach((token, at) => label(svg, token, this.right + 5, (at + 0.5) * row, theme, "start", font))
    svg.addEventListener("pointerleave", () => this.point(null))
    this.drawLines()
  }

  drawLines() {
    const { n, theme, reader, left, right, row } = this
    this.arcs.replaceChildren()
    const heads = [...this.shown].sort((one, other) => one - other)
    heads.forEach((head, order) => {
      for (let from = 0; from < n; from++) {
        if (reader !== null && from !== reader) continue
        for (let source = 0; source <= from; source++) {
          const weight = this.weight(head, from, source)
          if (weight < (reader === null ? FAINTEST : 0.003)) continue
          const y = (from + 0.5) * row
          const goal = (source + 0.5) * row + 2.5 * (order - (heads.length - 1) / 2)
          const middle = (left + right) / 2
          svgElement("path", this.arcs, {
            d: `M${left} ${y}C${middle} ${y} ${middle} ${goal} ${right} ${goal}`,
            stroke: theme.colours[head % theme.colours.length],
            "stroke-width": 1 + 2.5 * weight,
            "stroke-opacity": Math.max(0.08, weight),
            "stroke-dasharray": heads.length > 1 ? DASHES[head % DASHES.length] : "",
          })
        }
      }
    })
    this.options.forEach((option, at) => {
      const isChosen = at === reader
      option.setAttribute("aria-selected", isChosen)
      option.firstChild.setAttribute("fill", isChosen ? theme.chosen : "transparent")
    })
    if (reader === null) this.list.removeAttribute("aria-activedescendant")
    else this.list.setAttribute("aria-activedescendant", `reader-${reader}`)
  }

  // -- Focus -------------------------------------------------------------------------------------

  point(reader) {
    if (reader === this.focus) return
    this.focus = reader
    this.refocus()
  }

  lock(reader) {
    this.locked = this.locked === reader ? null : reader
    this.refocus()
  }

  refocus() {
    this.moveBand()
    this.drawLines()
    this.say()
  }

  press(event) {
    const now = this.reader ?? -1
    const goals = {
      ArrowDown: now + 1, ArrowUp: Math.max(0, now - 1), Home: 0, End: this.n - 1,
    }
    if (event.key in goals) {
      this.focus = clamp(goals[event.key], 0, this.n - 1)
      this.options[this.focus].scrollIntoView({ block: "nearest" })
      this.refocus()
    } else if (event.key === "Enter" || event.key === " ") this.lock(this.reader)
    else if (event.key === "Escape") {
      this.focus = this.locked = null
      this.refocus()
    } else return
    event.preventDefault()
  }

  say() {
    const { reader } = this
    const { tokens, first, heads } = this.data
    if (reader === null) {
      const keys = " By keyboard: Tab to the arcs, then ↑ ↓, Enter, Escape."
      this.words.textContent =
        "Point at a token to see what it reads; press it to keep it." + (this.arcsPane.pane.hidden ? "" : keys)
      return
    }
    const said = [...this.shown].sort((one, other) => one - other).map(head => {
      const sources = tokens
        .map((token, at) => [this.weight(head, reader, at), token, first + at])
        .sort((one, other) => other[0] - one[0])
        .filter(([weight]) => weight >= 0.01)
        .slice(0, 4)
      const elsewhere = 1 - tokens.reduce((sum, _, at) => sum + this.weight(head, reader, at), 0)
      const parts = sources.map(([weight, token, at]) => `${percent(weight)} from “${token}” (${at})`)
      if (elsewhere > 0.005) parts.push(`${percent(elsewhere)} from tokens before these`)
      return `head ${heads[head].head}: ${parts.join(", ")}`
    })
    const kept = this.locked === reader ? " (kept)" : ""
    this.words.textContent = `“${tokens[reader]}” (${first + reader})${kept} reads with ${said.join("; ")}.`
  }
}

// -- Drawing -------------------------------------------------------------------------------------

function newSvg(parent, width, height, alt, font) {
  parent.replaceChildren()
  return svgRoot(parent, {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": alt,
    style: `font: ${font}`,
  })
}

function label(parent, text, x, y, theme, anchor, font, colour = theme.text) {
  const made = svgElement("text", parent, {
    x, y, "text-anchor": anchor, "dominant-baseline": "central", fill: colour,
    style: `font: ${font}; unicode-bidi: isolate; white-space: pre`, "aria-hidden": true,
  })
  made.textContent = text
  return made
}

// The room that the longest label takes; letters of this font are 0.62 as wide as they are high.
function labelWidth(tokens, letters) {
  const longest = Math.max(...tokens.map(token => [...token].length))
  return 12 + 0.62 * letters * Math.min(longest, 14)
}

// The stretches of sources that a reader cannot read, as [from, to).
function hiddenStretches(n, reader, window) {
  const stretches = [[reader + 1, n]]
  if (window !== null && reader - window + 1 > 0) stretches.push([0, reader - window + 1])
  return stretches.filter(([from, to]) => from < to)
}

function themeOf(root) {
  const theme = readTheme(root)
  const shade = shades(theme.scale)
  return {
    ...theme,
    faint: mixed(theme.text, theme.background, 0.55),
    chosen: mixed(theme.primary, "transparent", 0.25),
    fill: weight => `rgb(${shade(weight).slice(0, 3).join(" ")})`,
  }
}
