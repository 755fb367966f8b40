// A line chart of a run in progress, and its numbers. Python sends new points about twice a second
// (__init__.py says which); this side keeps them, so nothing is redrawn from scratch and a zoom
// stays.
//
// data: { lines: [update], numbers, xTitle, yTitle, alt, height, logY, maxX }
// numbers: [[label, value, hint?]], each a tile
// update: { name, title, run, smooth, colour, label, start, end, x or dx, values, averages? } holds points
// `start` to `end` of a line, some of them perhaps for the second time; `start` 0 replaces the
// line. `dx` are distances to the one before, the first of them to 0. Other points than of the
// x axis that xTitle names are never kept.
//
// Drawn by hand: uPlot 1.6 (22 kB compressed, twice what this takes) wants one x for all lines, which
// runs along seconds have not: six of them took it three to five times as long on a phone's width. It
// has no keys and no words for who does not see it either.

import {
  button, clamp, element, fixed, mixed, number, readTheme, setText, show, whole,
} from "../shared.js"
import { scale, tickLabel, ticks, visibleValues } from "./axes.js"
import { drawMarker, drawSample, drawSeries, fit, stroke } from "./pen.js"
import {
  addPoints, drawnValues, isCalm, lowerBound, nearest, newLine, range, reaches, span,
} from "./points.js"

const SUMMARY_EVERY = 10_000 // ms: a screen reader reads the summary out when it changes
const ASK_EVERY = 2_000 // ms between requests for missing points
const TILE = 104 // the least width of a number in pixels: three in a row of a phone
const EMPTY = "Nothing to show yet"

export default function liveChart(component) {
  return show(Chart, component)
}

class Chart {
  lines = new Map() // id -> line with all its points, in Python's order
  hidden = new Set() // ids switched off in the legend
  zoom = null // [first, last] x, or everything
  cursor = null // the x read off
  drag = null // [from, to] in pixels, while a zoom is drawn
  asked = 0

  constructor(parent) {
    this.parent = parent
    this.root = element("div", "part chart", parent)
    this.root.hidden = true // the style sheet shows it: never a glimpse of it without style
    this.numbers = element("dl", "numbers", this.root)
    this.hint = element("p", "hint", this.root, { role: "status" })
    this.hint.hidden = true
    this.legend = element("div", "legend", this.root, { role: "group", "aria-label": "Lines" })
    this.plot = element("div", "plot", this.root)
    this.canvas = element("canvas", "", this.plot, { role: "img" })
    this.overlay = element("canvas", "", this.plot, { "aria-hidden": true })
    // For a keyboard or a screen reader, reading along the curve is moving a slider.
    this.slider = element("div", "slider", this.plot, {
      role: "slider", tabindex: 0, "aria-describedby": "help",
    })
    this.corner = element("div", "corner", this.plot)
    this.note = element("span", "note", this.corner)
    this.reset = button("Reset zoom", "", this.corner, () => { this.zoomTo(); this.slider.focus() })
    this.tooltip = element("div", "tooltip", this.plot, { "aria-hidden": true })
    this.help = element("p", "help", this.plot, { id: "help" })
    this.help.textContent = "← → Home End: move · + −: zoom · 0: everything"
    this.summary = element("p", "summary", this.root, { "aria-live": "polite" })
    this.listen()
    this.resized = new ResizeObserver(() => {
      this.arrange()
      this.draw() // at once: a stretched frame would flicker
    })
    this.resized.observe(this.plot)
  }

  leave() {
    this.resized.disconnect()
    clearTimeout(this.asking)
    clearTimeout(this.summarizing)
    cancelAnimationFrame(this.frame)
    cancelAnimationFrame(this.overlayFrame)
  }

  // -- Data --------------------------------------------------------------------------------------

  update({ data, setTriggerValue }) {
    this.data = data
    this.setTriggerValue = setTriggerValue
    const before = this.currentRun
    const otherAxis = this.xTitle !== data.xTitle
    if (otherAxis) this.lines = new Map() // points of another axis are as good as missing
    this.xTitle = data.xTitle
    this.merge(data.lines)
    if (otherAxis || this.currentRun !== before) this.zoom = this.cursor = this.drag = null
    this.theme = themeOf(this.root)
    this.plot.style.height = data.height ? `${data.height}px` : "" // else as the style sheet says
    this.legend.style.maxHeight = `${legendHeight(data.height ?? this.plot.clientHeight)}px`
    this.showNumbers()
    this.canvas.setAttribute("aria-label", data.alt)
    this.slider.setAttribute("aria-label", data.xTitle)
    this.drawLegend()
    this.summarize()
    this.redraw()
  }

  merge(updates) {
    const merged = new Map()
    this.incomplete = false
    for (const update of updates) {
      const id = `${update.run}\n${update.name}`
      const { name, title, run, smooth, label } = update
      const line = update.start === 0 ? newLine() : this.lines.get(id)
      if (line && update.start <= line.end) addPoints(line, update)
      else this.incomplete = true
      if (line) merged.set(id, Object.assign(line, { id, name, title, run, smooth, label, runColour: update.colour }))
    }
    this.lines = merged
    this.currentRun = updates[0]?.run
    const names = [...new Set(updates.map(line => line.name))]
    const runs = [...new Set(updates.map(line => line.run))]
    for (const line of merged.values()) {
      line.shape = names.indexOf(line.name)
      line.colour = line.runColour ?? line.shape
      line.age = runs.indexOf(line.run)
    }
    if (this.incomplete) this.askForAll()
  }

  askForAll() {
    if (this.asking) return
    this.setTriggerValue("resync", ++this.asked)
    this.asking = setTimeout(() => {
      this.asking = 0
      if (this.incomplete) this.askForAll()
    }, ASK_EVERY)
  }

  // -- Numbers, legend and words -----------------------------------------------------------------

  showNumbers() {
    const { numbers } = this.data
    while (this.numbers.children.length > numbers.length) this.numbers.lastChild.remove()
    numbers.forEach(([label, value, hint = ""], i) => {
      const tile = this.numbers.children[i] ?? this.numberTile()
      const term = tile.firstChild.firstChild
      setText(term, label)
      term.disabled = !hint
      term.onclick = () => this.explain(label, hint)
      setText(tile.lastChild, value)
      tile.title = hint
    })
    this.arrange()
  }

  numberTile() {
    const tile = element("div", "", this.numbers)
    button("", "", element("dt", "", tile), null)
    element("dd", "", tile)
    return tile
  }

  // What a number is: at a touch or by the keyboard, too, until the next.
  explain(label, hint) {
    const words = `${label}: ${hint}`
    const isSaid = !this.hint.hidden && this.hint.textContent === words
    this.hint.hidden = isSaid
    this.hint.textContent = isSaid ? "" : words
  }

  // As few rows as there can be, and all about equally full. Their text has no say: nothing may
  // jump when a number becomes longer.
  arrange() {
    const count = this.numbers.children.length
    const most = Math.max(1, Math.floor(this.root.clientWidth / TILE))
    const columns = Math.ceil(count / Math.ceil(count / most)) || 1
    this.numbers.style.setProperty("--columns", columns)
  }

  drawLegend() {
    const buttons = new Map([...this.legend.children].map(each => [each.dataset.id, each]))
    for (const line of this.lines.values()) {
      const made = buttons.get(line.id) ?? this.legendButton(line.id)
      buttons.delete(line.id)
      setText(made.lastChild, line.title)
      made.title = line.title // where it is cut
      made.setAttribute("aria-pressed", !this.hidden.has(line.id))
      drawSample(made.firstChild, line, this.theme)
    }
    for (const left of buttons.values()) left.remove()
  }

  legendButton(id) {
    const press = () => {
      if (!this.hidden.delete(id)) this.hidden.add(id)
      this.drawLegend()
      this.redraw()
    }
    const made = button("", "", this.legend, press, { "data-id": id })
    element("canvas", "", made)
    element("span", "", made)
    // Among many lines, the one pointed at is picked out.
    made.onpointerenter = event => { if (event.pointerType === "mouse") this.pickOut(id) }
    made.onpointerleave = () => this.pickOut(null)
    made.onfocus = () => { if (made.matches(":focus-visible")) this.pickOut(id) }
    made.onblur = () => this.pickOut(null)
    return made
  }

  pickOut(id) {
    this.picked = id
    this.redraw()
  }

  summarize() {
    if (this.summarizing) return
    const lines = [...this.lines.values()].filter(line => line.age === 0 && line.x.length)
    const words = lines.map(line => this.describe(line)).join(" ") || `${EMPTY}.`
    if (this.summary.textContent === words) return
    this.summary.textContent = words
    this.summarizing = lines.length && setTimeout(() => {
      this.summarizing = 0
      this.summarize() // what came in the meantime
    }, SUMMARY_EVERY)
  }

  describe({ title, x, values }) {
    const [from, to] = [values[0], values.at(-1)].map(value => number(value))
    const [start, end] = [x[0], x.at(-1)].map(x => `at ${this.xWord()} ${this.place(x)}`)
    if (from === to) return `${title} is ${to} ${end}.`
    const verb = values.at(-1) < values[0] ? "fell" : "rose"
    return `${title} ${verb} from ${from} ${start} to ${to} ${end}.`
  }

  // -- Reading off, zooming ----------------------------------------------------------------------

  listen() {
    const { slider } = this
    const at = event => event.clientX - slider.getBoundingClientRect().left
    slider.onpointerdown = event => {
      if (event.button !== 0 || !this.toX) return
      slider.setPointerCapture(event.pointerId)
      this.drag = [at(event), at(event)]
      this.moveTo(this.nearestX(at(event)))
    }
    slider.onpointermove = event => {
      if (this.drag) this.drag[1] = at(event)
      this.moveTo(this.nearestX(at(event)))
    }
    slider.onpointerup = () => {
      const [from, to] = (this.drag ?? [0, 0]).sort((a, b) => a - b)
      this.drag = null
      if (to - from > 8) this.zoomTo(this.toX.invert(from), this.toX.invert(to))
      else this.moveTo(this.cursor)
    }
    slider.onpointercancel = () => { this.drag = null; this.moveTo(null) }
    slider.onpointerleave = event => { if (event.pointerType === "mouse") this.moveTo(null) }
    slider.onblur = () => this.moveTo(null)
    slider.onfocus = () => {
      if (slider.matches(":focus-visible")) this.moveTo(this.stops().at(-1)) // not by a click
    }
    slider.ondblclick = () => this.zoomTo()
    slider.onkeydown = event => this.key(event)
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const stops = this.stops()
    const here = Math.max(0, lowerBound(stops, this.cursor ?? Infinity))
    const stride = event.shiftKey ? Math.ceil(stops.length / 20) : 1
    const go = index => this.moveTo(stops[clamp(index, 0, stops.length - 1)])
    const keys = {
      ArrowLeft: () => go(here - stride),
      ArrowRight: () => go(here + stride),
      PageDown: () => go(here - Math.ceil(stops.length / 10)),
      PageUp: () => go(here + Math.ceil(stops.length / 10)),
      Home: () => go(0),
      End: () => go(Infinity),
      "+": () => this.zoomBy(0.5),
      "=": () => this.zoomBy(0.5),
      "-": () => this.zoomBy(2),
      0: () => this.zoomTo(),
      Escape: () => { this.zoomTo(); this.moveTo(null) },
    }
    if (!keys[event.key]) return
    event.preventDefault()
    keys[event.key]()
  }

  moveTo(x) {
    this.cursor = x ?? null
    cancelAnimationFrame(this.overlayFrame)
    this.overlayFrame = requestAnimationFrame(() => this.drawOverlay())
  }

  zoomBy(factor) {
    const [first, last] = this.range()
    const middle = (first + last) / 2
    const centre = factor > 1 ? middle : this.cursor ?? middle // out to both sides
    this.zoomTo(centre - (centre - first) * factor, centre + (last - centre) * factor)
  }

  zoomTo(first, last) {
    const [start, end] = this.fullRange()
    const to = [Math.max(first, start), Math.min(last, end)]
    const [, usual] = this.usualRange()
    const everything = first === undefined || (to[0] <= start && to[1] >= end && usual === end)
    const finest = this.isWhole() ? 1 : (end - start) / 10_000
    if (everything) this.zoom = null
    else if (to[1] - to[0] >= finest) this.zoom = to
    this.redraw()
  }

  shown() {
    return [...this.lines.values()].filter(line => !this.hidden.has(line.id) && line.x.length)
  }

  fullRange() {
    const lines = [...this.lines.values()].filter(line => line.x.length)
    const last = Math.max(this.data.maxX ?? 0, ...lines.map(line => line.x.at(-1)))
    const first = lines.length ? Math.min(...lines.map(line => line.x[0])) : 0
    return [first < last / 20 ? 0 : first, last > first ? last : first + 1]
  }

  range() {
    return this.zoom ?? this.usualRange()
  }

  // A long run squeezes no other: what is beyond the current run's end, or beyond four times what
  // the earlier runs have, is a zoom away.
  usualRange() {
    const [first, last] = this.fullRange()
    const ends = test => [...this.lines.values()].filter(test).map(line => line.x.at(-1) ?? 0)
    const done = Math.max(0, ...ends(line => line.age === 0))
    const others = Math.max(0, ...ends(line => line.age > 0))
    if (!others) return [first, last]
    const planned = this.data.maxX ?? Math.max(done, others)
    const end = planned > 4 * others ? Math.max(others, 1.25 * done) : planned
    return [first, Math.min(last, Math.max(end, first + 1))]
  }

  isWhole() {
    return [...this.lines.values()].every(line => line.whole)
  }

  // Where the keyboard stops: at each point in view of the current run, in order, and after its
  // last at those of earlier runs. With fractions, runs have hardly any x in common.
  stops() {
    const [first, last] = this.range()
    const stops = test => {
      const lines = this.shown().filter(test)
      const all = lines.flatMap(line => line.x.slice(...span(line.x, first, last)))
      return [...new Set(all)].sort((a, b) => a - b)
    }
    const current = stops(line => line.age === 0)
    const end = current.at(-1) ?? -Infinity
    return [...current, ...stops(line => line.age > 0).filter(x => x > end)]
  }

  nearestX(pixel) {
    const x = this.toX?.invert(pixel)
    const near = this.shown().map(line => line.x[nearest(line.x, x)])
    return near.sort((a, b) => Math.abs(a - x) - Math.abs(b - x))[0]
  }

  // -- Drawing -----------------------------------------------------------------------------------

  redraw() {
    cancelAnimationFrame(this.frame)
    this.frame = requestAnimationFrame(() => this.draw())
  }

  draw() {
    const { width, height } = this.plot.getBoundingClientRect()
    if (!this.data || !width || !height) return
    this.parent.querySelector(".place")?.remove() // what kept the place free: see __init__.py
    const { theme, data } = this
    const pen = fit(this.canvas, width, height)
    // Letters grow with the page's, as for the back row of a class.
    const em = this.em = 0.875 * parseFloat(getComputedStyle(document.documentElement).fontSize)
    pen.font = `${em}px ${theme.font}`
    const lines = this.shown()
    const [first, last] = this.range()
    const view = visibleValues(lines, first, last, data.logY)
    const yTicks = lines.length ? ticks(view.low, view.high, height / 50, data.logY) : []
    const yLabels = yTicks.map(tickLabel(yTicks))
    const widest = Math.max(20, ...yLabels.map(label => pen.measureText(label).width))
    const left = widest + 8
    const { xTicks, xLabels, overhang } = this.xAxis(pen, first, last, width - left)
    const box = { left, right: width - overhang, top: 1.9 * em, bottom: height - 3 * em }
    Object.assign(this, { width, height, box })
    this.toX = scale(first, last, box.left, box.right)
    this.toY = scale(view.low, view.high, box.bottom, box.top, data.logY)
    this.drawAxes(pen, box, [xTicks, xLabels], [yTicks, yLabels])
    if (!lines.length) this.drawEmpty(pen, box)
    this.note.textContent = pointsAbove(view)
    this.reset.hidden = !this.zoom

    pen.rect(box.left - 3, box.top - 3, box.right - box.left + 6, box.bottom - box.top + 6)
    pen.clip()
    lines.sort((a, b) => b.age - a.age) // the current run on top
    for (const line of lines) this.drawLine(pen, line, first, last)
    this.drawLabels(pen, lines, last)
    this.drawOverlay()
  }

  // As many ticks as there is room for, and how far the last label may reach beyond its tick.
  xAxis(pen, first, last, width) {
    let xTicks, xLabels, widest
    for (let room = 80; ; room = widest + 20) {
      xTicks = ticks(first, last, width / room)
      if (this.isWhole()) xTicks = xTicks.filter(Number.isInteger)
      xLabels = xTicks.map(tickLabel(xTicks))
      widest = Math.max(0, ...xLabels.map(label => pen.measureText(label).width))
      if (widest + 20 <= room) return { xTicks, xLabels, overhang: Math.max(14, widest / 2) }
    }
  }

  drawAxes(pen, box, [xTicks, xLabels], [yTicks, yLabels]) {
    const { theme, data } = this
    pen.fillStyle = theme.text
    pen.strokeStyle = theme.border
    pen.lineWidth = 1
    pen.textBaseline = "middle"
    pen.textAlign = "right"
    yTicks.forEach((tick, i) => {
      const y = Math.round(this.toY(tick)) + 0.5
      stroke(pen, [[box.left, y], [box.right, y]])
      pen.fillText(yLabels[i], box.left - 8, y)
    })
    pen.textAlign = "center"
    xTicks.forEach((tick, i) => {
      const x = Math.round(this.toX(tick)) + 0.5
      stroke(pen, [[x, box.bottom], [x, box.bottom + 4]])
      pen.fillText(xLabels[i], x, box.bottom + 1.05 * this.em)
    })
    pen.strokeStyle = theme.faintText
    stroke(pen, [[box.left, box.bottom + 0.5], [box.right, box.bottom + 0.5]])
    pen.fillText(data.xTitle, (box.left + box.right) / 2, box.bottom + 2.4 * this.em)
    pen.textAlign = "left"
    pen.fillText(data.yTitle + (data.logY ? " (log scale)" : ""), 2, 0.7 * this.em)
  }

  drawLine(pen, line, first, last) {
    const [from, to] = span(line.x, first, last)
    const indexes = range(Math.max(from - 1, 0), Math.min(to + 1, line.x.length))
    const points = (values, every = 1) => indexes
      .filter(i => i % every === 0 || i === indexes.at(-1))
      .filter(i => !this.data.logY || values[i] > 0)
      .map(i => [this.toX(line.x[i]), this.toY(values[i])])
    // An average is smooth: a point a pixel shows it, and of six runs the rest takes its time.
    const every = Math.max(1, Math.floor(indexes.length / this.width))
    const average = line.smooth && points(line.averages, every)
    const values = isCalm(line) ? [] : points(line.values)
    const faint = this.lines.has(this.picked) && this.picked !== line.id
    drawSeries(pen, { ...line, faint }, this.theme, values, average)
  }

  // Each run's name at the end of its curve, none over another.
  drawLabels(pen, lines, last) {
    const { box, theme } = this
    const ends = lines.filter(line => line.label).map(line => {
      const i = lowerBound(line.x, last + 1e-9) - 1
      return { line, x: this.toX(line.x[i]), y: this.toY(drawnValues(line)[i]) }
    })
    pen.textBaseline = "middle"
    pen.font = `600 ${this.em}px ${theme.font}`
    let lowest = box.top
    for (const { line, x, y } of ends.filter(end => end.y > box.top - 1).sort((a, b) => a.y - b.y)) {
      const width = pen.measureText(line.label).width
      const left = x + 8 + width <= box.right ? x + 8 : box.right - width - 4
      lowest = Math.min(box.bottom - 8, Math.max(lowest + 1.1 * this.em, y - 0.9 * this.em))
      pen.lineWidth = 4
      pen.strokeStyle = theme.background
      pen.strokeText(line.label, left, lowest)
      pen.fillStyle = theme.colour(line)
      pen.fillText(line.label, left, lowest)
    }
  }

  drawEmpty(pen, box) {
    const some = [...this.lines.values()].some(line => line.x.length)
    pen.textAlign = "center"
    pen.fillStyle = this.theme.faintText
    const words = some ? "All lines are switched off" : EMPTY
    pen.fillText(words, (box.left + box.right) / 2, (box.top + box.bottom) / 2)
  }

  // What lies over the lines: the crosshair and what it reads, the zoom being drawn.
  drawOverlay() {
    if (!this.box) return
    const { box, theme } = this
    const pen = fit(this.overlay, this.width, this.height)
    if (this.drag) {
      const [from, to] = this.drag
      pen.fillStyle = theme.text
      pen.globalAlpha = 0.12
      pen.fillRect(from, box.top, to - from, box.bottom - box.top)
      pen.globalAlpha = 1
    }
    const [first, last] = this.range()
    const inView = this.cursor !== null && this.cursor >= first && this.cursor <= last
    const lines = inView ? this.shown().filter(line => reaches(line, this.cursor)) : []
    this.describeSlider(lines)
    this.tooltip.hidden = !lines.length
    if (!lines.length) return
    const x = this.toX(this.cursor)
    pen.strokeStyle = theme.faintText
    stroke(pen, [[x, box.top], [x, box.bottom]])
    for (const line of lines) {
      const i = nearest(line.x, this.cursor)
      const y = this.toY(drawnValues(line)[i])
      if (y >= box.top) drawMarker(pen, "circle", this.toX(line.x[i]), y, 4, theme.colour(line))
    }
    this.showTooltip(lines, x)
  }

  showTooltip(lines, x) {
    const { box, tooltip } = this
    tooltip.replaceChildren()
    element("strong", "", tooltip).textContent = `${this.xTitle} ${this.place(this.cursor)}`
    for (const line of lines) {
      const row = element("span", "row", tooltip)
      drawSample(element("canvas", "", row), line, this.theme)
      element("span", "title", row).textContent = line.title
      element("span", "", row).textContent = this.reading(line)
    }
    const [left, top] = beside(x, box, tooltip.offsetWidth, tooltip.offsetHeight)
    tooltip.style.transform = `translate(${left}px, ${top}px)`
  }

  reading(line) {
    const i = nearest(line.x, this.cursor)
    const average = line.smooth && `average ${number(line.averages[i], 4)}`
    const value = isCalm(line) ? "" : number(line.values[i], 4)
    // With fractions each run has its own x: only a distance that can be seen is worth a word.
    const elsewhere = Math.abs(this.toX(line.x[i]) - this.toX(this.cursor)) > 2
    const where = elsewhere ? ` (${this.xWord()} ${this.place(line.x[i])})` : ""
    return [value, average].filter(Boolean).join(", ") + where
  }

  xWord() {
    return this.xTitle.toLowerCase()
  }

  // An x in words: as exact as the view can show it.
  place(x) {
    const [first, last] = this.range()
    const decimals = size => Math.max(0, Math.round(Math.log10((1000 * size) / (last - first))))
    if (x >= 1e6 && decimals(1e6) <= 4) return `${fixed(decimals(1e6))(x / 1e6)}M`
    return this.isWhole() ? whole(x) : fixed(Math.min(decimals(1), 6))(x)
  }

  describeSlider(lines) {
    const [min, max] = this.range()
    const readings = lines.map(line => `${line.title}: ${this.reading(line)}`)
    const text = lines.length
      ? `${this.place(this.cursor)}. ${readings.join("; ")}`
      : this.shown().length ? "Nothing chosen" : EMPTY
    for (const [name, value] of Object.entries({ min, max, now: this.cursor ?? max, text })) {
      this.slider.setAttribute(`aria-value${name}`, value)
    }
  }
}

// A third of legend and plot at most; half a row at its end shows that there are more.
function legendHeight(plotHeight, row = 26) {
  return (Math.floor(plotHeight / 2 / row - 0.5) + 0.5) * row
}

// Where a tooltip hides nothing that it speaks of: right or left of the cursor, or, on a narrow
// screen, over the legend, where no finger is in the way either.
function beside(x, box, width, height) {
  const within = left => clamp(left, 0, Math.max(0, box.right - width))
  if (box.right < 640) return [within(x - width / 2), -2 - height]
  return [within(x + 12 + width <= box.right ? x + 12 : x - 12 - width), box.top]
}

function pointsAbove({ count, high }) {
  return count ? `▲ ${count} ${count === 1 ? "point" : "points"} above ${number(high)}` : ""
}

function themeOf(root) {
  const theme = readTheme(root)
  return {
    ...theme,
    faintText: mixed(theme.text, "transparent", 0.65), // as in the style sheet, which may come later
    colour: line => theme.colours[line.colour % theme.colours.length],
  }
}
