// A line chart of a run in progress. Python sends new points about twice a second (__init__.py
// says which); this side keeps them, so nothing is redrawn from scratch and a zoom stays.
//
// data: { lines: [update], xTitle, yTitle, alt, logY, maxSteps }
// update: { name, title, run, smooth, start, end, steps, values, averages? } holds points
// `start` to `end` of a line, some of them perhaps for the second time; `start` 0 replaces the
// line. Steps are distances to the one before, the first of them to 0.

const MOST_POINTS = 8000 // of a line; with more, half of them are dropped
const SUMMARY_EVERY = 10_000 // ms: a screen reader reads the summary out when it changes
const ASK_EVERY = 2_000 // ms between requests for missing points
const DASHES = [[], [6, 4], [2, 3], [9, 3, 2, 3]] // current run, then earlier ones
const MARKERS = ["circle", "square", "triangle", "diamond"]
const OKABE_ITO = "#0072B2,#D55E00,#009E73,#CC79A7,#E69F00,#56B4E9" // where the theme names none

const charts = new WeakMap() // parentElement -> Chart

// Called when the chart appears and at every change of data or theme.
export default function liveChart(component) {
  const { parentElement } = component
  if (!charts.has(parentElement)) charts.set(parentElement, new Chart(parentElement))
  charts.get(parentElement).update(component)
  return () => {
    // Also called when one update overtakes another; the chart is then still on the page.
    if (parentElement.isConnected) return
    charts.get(parentElement)?.close()
    charts.delete(parentElement)
  }
}

class Chart {
  lines = new Map() // id -> line with all its points, in Python's order
  hidden = new Set() // ids switched off in the legend
  zoom = null // [first, last] step, or everything
  cursor = null // the step read off
  drag = null // [from, to] in pixels, while a zoom is drawn
  asked = 0

  constructor(parent) {
    this.root = element("div", "chart", parent)
    this.root.hidden = true // the style sheet shows it: never a glimpse of it without style
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
    this.reset = element("button", "", this.corner, { type: "button" })
    this.reset.textContent = "Reset zoom"
    this.tooltip = element("div", "tooltip", this.plot, { "aria-hidden": true })
    this.help = element("p", "help", this.plot, { id: "help" })
    this.help.textContent = "← → Home End: move · + −: zoom · 0: everything"
    this.summary = element("p", "summary", this.root, { "aria-live": "polite" })
    this.listen()
    this.resized = new ResizeObserver(() => this.draw()) // at once: a stretched frame would flicker
    this.resized.observe(this.plot)
  }

  close() {
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
    this.merge(data.lines)
    if (this.currentRun !== before) this.zoom = this.cursor = null
    this.theme = readTheme(this.root)
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
      const { name, title, run, smooth } = update
      const line = update.start === 0 ? newLine() : this.lines.get(id)
      if (line && update.start <= line.end) addPoints(line, update)
      else this.incomplete = true
      if (line) merged.set(id, Object.assign(line, { id, name, title, run, smooth }))
    }
    this.lines = merged
    this.currentRun = updates[0]?.run
    const names = [...new Set(updates.map(line => line.name))]
    const runs = [...new Set(updates.map(line => line.run))]
    for (const line of merged.values()) {
      line.colour = names.indexOf(line.name)
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

  // -- Legend and words --------------------------------------------------------------------------

  drawLegend() {
    const buttons = new Map([...this.legend.children].map(button => [button.dataset.id, button]))
    for (const line of this.lines.values()) {
      const button = buttons.get(line.id) ?? this.legendButton(line.id)
      buttons.delete(line.id)
      button.lastChild.textContent = line.title
      button.setAttribute("aria-pressed", !this.hidden.has(line.id))
      drawSample(button.firstChild, line, this.theme)
    }
    for (const button of buttons.values()) button.remove()
  }

  legendButton(id) {
    const button = element("button", "", this.legend, { type: "button", "data-id": id })
    element("canvas", "", button)
    element("span", "", button)
    button.onclick = () => {
      if (!this.hidden.delete(id)) this.hidden.add(id)
      this.drawLegend()
      this.redraw()
    }
    return button
  }

  summarize() {
    if (this.summarizing) return
    const lines = [...this.lines.values()].filter(line => line.age === 0 && line.steps.length)
    const words = lines.map(line => describe(line, this.stepWord())).join(" ") || "No steps yet."
    if (this.summary.textContent === words) return
    this.summary.textContent = words
    this.summarizing = lines.length && setTimeout(() => {
      this.summarizing = 0
      this.summarize() // what came in the meantime
    }, SUMMARY_EVERY)
  }

  // -- Reading off, zooming ----------------------------------------------------------------------

  listen() {
    const { slider } = this
    const at = event => event.clientX - slider.getBoundingClientRect().left
    slider.onpointerdown = event => {
      if (event.button !== 0 || !this.x) return
      slider.setPointerCapture(event.pointerId)
      this.drag = [at(event), at(event)]
      this.moveTo(this.nearestStep(at(event)))
    }
    slider.onpointermove = event => {
      if (this.drag) this.drag[1] = at(event)
      this.moveTo(this.nearestStep(at(event)))
    }
    slider.onpointerup = () => {
      const [from, to] = (this.drag ?? [0, 0]).sort((a, b) => a - b)
      this.drag = null
      if (to - from > 8) this.zoomTo(this.x.invert(from), this.x.invert(to))
      else this.moveTo(this.cursor)
    }
    slider.onpointercancel = () => { this.drag = null; this.moveTo(null) }
    slider.onpointerleave = event => { if (event.pointerType === "mouse") this.moveTo(null) }
    slider.onblur = () => this.moveTo(null)
    slider.onfocus = () => {
      if (slider.matches(":focus-visible")) this.moveTo(this.steps().at(-1)) // not by a click
    }
    slider.ondblclick = () => this.zoomTo()
    slider.onkeydown = event => this.key(event)
    this.reset.onclick = () => { this.zoomTo(); slider.focus() }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const steps = this.steps()
    const here = Math.max(0, lowerBound(steps, this.cursor ?? Infinity))
    const stride = event.shiftKey ? Math.ceil(steps.length / 20) : 1
    const go = index => this.moveTo(steps[Math.min(Math.max(index, 0), steps.length - 1)])
    const keys = {
      ArrowLeft: () => go(here - stride),
      ArrowRight: () => go(here + stride),
      PageDown: () => go(here - Math.ceil(steps.length / 10)),
      PageUp: () => go(here + Math.ceil(steps.length / 10)),
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

  moveTo(step) {
    this.cursor = step ?? null
    cancelAnimationFrame(this.overlayFrame)
    this.overlayFrame = requestAnimationFrame(() => this.drawOverlay())
  }

  zoomBy(factor) {
    const [first, last] = this.range()
    const centre = this.cursor ?? (first + last) / 2
    this.zoomTo(centre - (centre - first) * factor, centre + (last - centre) * factor)
  }

  zoomTo(first, last) {
    const [start, end] = this.fullRange()
    const to = [Math.max(first, start), Math.min(last, end)]
    const everything = first === undefined || (to[0] <= start && to[1] >= end)
    if (everything) this.zoom = null
    else if (to[1] - to[0] >= 1) this.zoom = to
    this.redraw()
  }

  shown() {
    return [...this.lines.values()].filter(line => !this.hidden.has(line.id) && line.steps.length)
  }

  fullRange() {
    const lines = [...this.lines.values()].filter(line => line.steps.length)
    const last = Math.max(this.data.maxSteps ?? 0, ...lines.map(line => line.steps.at(-1)))
    const first = lines.length ? Math.min(...lines.map(line => line.steps[0])) : 0
    return [first < last / 20 ? 0 : first, Math.max(last, first + 1)]
  }

  range() {
    return this.zoom ?? this.fullRange()
  }

  // All steps in view that have a point, in order.
  steps() {
    const [first, last] = this.range()
    const steps = this.shown().flatMap(line => line.steps.slice(...span(line.steps, first, last)))
    return [...new Set(steps)].sort((a, b) => a - b)
  }

  nearestStep(pixel) {
    const step = this.x?.invert(pixel)
    const near = this.shown().map(line => line.steps[nearest(line.steps, step)])
    return near.sort((a, b) => Math.abs(a - step) - Math.abs(b - step))[0]
  }

  // -- Drawing -----------------------------------------------------------------------------------

  redraw() {
    cancelAnimationFrame(this.frame)
    this.frame = requestAnimationFrame(() => this.draw())
  }

  draw() {
    const { width, height } = this.plot.getBoundingClientRect()
    if (!this.data || !width || !height) return
    const { theme, data } = this
    const pen = fit(this.canvas, width, height)
    pen.font = `12px ${theme.font}`
    const lines = this.shown()
    const [first, last] = this.range()
    const view = visibleValues(lines, first, last, data.logY)
    const yTicks = lines.length ? ticks(view.low, view.high, height / 50, data.logY) : []
    const yLabels = yTicks.map(tickLabel(yTicks))
    const widest = Math.max(20, ...yLabels.map(label => pen.measureText(label).width))
    const overhang = Math.max(14, pen.measureText(number(Math.floor(last))).width / 2)
    const box = { left: widest + 8, right: width - overhang, top: 26, bottom: height - 40 }
    Object.assign(this, { width, height, box })
    this.x = scale(first, last, box.left, box.right)
    this.y = scale(view.low, view.high, box.bottom, box.top, data.logY)
    const xTicks = ticks(first, last, (box.right - box.left) / 80).filter(Number.isInteger)
    this.drawAxes(pen, box, xTicks, yTicks, yLabels)
    if (!lines.length) this.drawEmpty(pen, box)
    this.note.textContent = above(view)
    this.reset.hidden = !this.zoom

    pen.rect(box.left - 3, box.top - 3, box.right - box.left + 6, box.bottom - box.top + 6)
    pen.clip()
    for (const line of lines) this.drawLine(pen, line, first, last)
    this.drawOverlay()
  }

  drawAxes(pen, box, xTicks, yTicks, yLabels) {
    const { theme, data } = this
    pen.fillStyle = theme.text
    pen.strokeStyle = theme.border
    pen.lineWidth = 1
    pen.textBaseline = "middle"
    pen.textAlign = "right"
    yTicks.forEach((tick, i) => {
      const y = Math.round(this.y(tick)) + 0.5
      stroke(pen, [[box.left, y], [box.right, y]])
      pen.fillText(yLabels[i], box.left - 8, y)
    })
    pen.textAlign = "center"
    const xLabel = tickLabel(xTicks)
    for (const tick of xTicks) {
      const x = Math.round(this.x(tick)) + 0.5
      stroke(pen, [[x, box.bottom], [x, box.bottom + 4]])
      pen.fillText(xLabel(tick), x, box.bottom + 13)
    }
    pen.strokeStyle = theme.faintText
    stroke(pen, [[box.left, box.bottom + 0.5], [box.right, box.bottom + 0.5]])
    pen.fillText(data.xTitle, (box.left + box.right) / 2, box.bottom + 31)
    pen.textAlign = "left"
    pen.fillText(data.yTitle + (data.logY ? " (log scale)" : ""), 2, 9)
  }

  drawLine(pen, line, first, last) {
    const [from, to] = span(line.steps, first, last)
    const indexes = range(Math.max(from - 1, 0), Math.min(to + 1, line.steps.length))
    const points = values => indexes
      .filter(i => !this.data.logY || values[i] > 0)
      .map(i => [this.x(line.steps[i]), this.y(values[i])])
    drawSeries(pen, line, this.theme, points(line.values), line.smooth && points(line.averages))
  }

  drawEmpty(pen, box) {
    const some = [...this.lines.values()].some(line => line.steps.length)
    pen.textAlign = "center"
    pen.fillStyle = this.theme.faintText
    const words = some ? "All lines are switched off" : "No steps yet"
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
    const x = this.x(this.cursor)
    pen.strokeStyle = theme.faintText
    stroke(pen, [[x, box.top], [x, box.bottom]])
    for (const line of lines) {
      const i = nearest(line.steps, this.cursor)
      const y = this.y(line.values[i])
      if (y >= box.top) drawMarker(pen, "circle", this.x(line.steps[i]), y, 4, theme.colour(line))
    }
    this.showTooltip(lines, x)
  }

  showTooltip(lines, x) {
    const { box, tooltip } = this
    tooltip.replaceChildren()
    element("strong", "", tooltip).textContent = `${this.data.xTitle} ${number(this.cursor)}`
    for (const line of lines) {
      const row = element("span", "row", tooltip)
      drawSample(element("canvas", "", row), line, this.theme)
      element("span", "", row).textContent = this.reading(line)
    }
    const width = tooltip.offsetWidth
    const places = [x + 12, x - 12 - width, box.right - width]
    const left = places.find(place => place >= 0 && place + width <= box.right) ?? 0
    tooltip.style.transform = `translate(${left}px, ${box.top}px)`
  }

  reading(line) {
    const i = nearest(line.steps, this.cursor)
    const average = line.smooth ? `, average ${number(line.averages[i], 4)}` : ""
    const elsewhere = line.steps[i] !== this.cursor
    const where = elsewhere ? ` (${this.stepWord()} ${number(line.steps[i])})` : ""
    return `${line.title}: ${number(line.values[i], 4)}${average}${where}`
  }

  stepWord() {
    return this.data.xTitle.toLowerCase()
  }

  describeSlider(lines) {
    const [first, last] = this.range()
    const text = lines.length
      ? `${number(this.cursor)}. ${lines.map(line => this.reading(line)).join("; ")}`
      : this.shown().length ? "Nothing chosen" : "No steps yet"
    const [min, max] = [Math.ceil(first), Math.floor(last)]
    for (const [name, value] of Object.entries({ min, max, now: this.cursor ?? max, text })) {
      this.slider.setAttribute(`aria-value${name}`, value)
    }
  }
}

// -- Points --------------------------------------------------------------------------------------

function newLine() {
  return { end: 0, steps: [], values: [], averages: [] }
}

function addPoints(line, update) {
  let step = 0
  update.values.forEach((value, i) => {
    step += update.steps[i]
    const index = update.start + i
    if (index >= line.end) append(line, step, value, index, update.averages?.[i])
  })
  line.end = Math.max(line.end, update.end)
  if (line.steps.length > MOST_POINTS) thin(line)
}

// The moving average is that of `moving_average` in __init__.py.
function append(line, step, value, index, average) {
  if (value === null) return
  const before = line.averages.at(-1) ?? value
  line.steps.push(step)
  line.values.push(value)
  line.averages.push(average ?? before + (value - before) / (2 + 0.03 * index))
}

// Keep both ends, and the lowest and highest value of many stretches of equal length.
function thin(line) {
  const { steps, values } = line
  const width = (steps.at(-1) - steps[0]) / (MOST_POINTS / 4)
  const lowest = new Map(), highest = new Map() // stretch -> index
  steps.forEach((step, i) => {
    const stretch = Math.floor((step - steps[0]) / width)
    if (!(values[i] >= values[lowest.get(stretch)])) lowest.set(stretch, i)
    if (!(values[i] <= values[highest.get(stretch)])) highest.set(stretch, i)
  })
  const kept = new Set([0, ...lowest.values(), ...highest.values(), steps.length - 1])
  const order = [...kept].sort((a, b) => a - b)
  for (const name of ["steps", "values", "averages"]) line[name] = order.map(i => line[name][i])
}

function describe({ title, steps, values }, stepWord) {
  const [from, to] = [values[0], values.at(-1)].map(value => number(value))
  const [start, end] = [steps[0], steps.at(-1)].map(step => `at ${stepWord} ${number(step)}`)
  if (from === to) return `${title} is ${to} ${end}.`
  const verb = values.at(-1) < values[0] ? "fell" : "rose"
  return `${title} ${verb} from ${from} ${start} to ${to} ${end}.`
}

function above({ count, high }) {
  return count ? `▲ ${count} ${count === 1 ? "point" : "points"} above ${number(high)}` : ""
}

// Whether a line says anything about a step: it may have ended before, or begun later.
function reaches({ steps }, step) {
  const gap = (steps.at(-1) - steps[0]) / Math.max(steps.length - 1, 1)
  return step >= steps[0] - gap && step <= steps.at(-1) + gap
}

// -- Scales --------------------------------------------------------------------------------------

function scale(low, high, from, to, log = false) {
  const f = log ? Math.log10 : v => v
  const place = value => from + ((f(value) - f(low)) / (f(high) - f(low))) * (to - from)
  place.invert = pixel => low + ((pixel - from) / (to - from)) * (high - low) // of linear ones
  return place
}

// The y range, and how many points lie above it. Every value in view is inside, unless one in a
// hundred would press the others into a quarter of the height.
function visibleValues(lines, first, last, log) {
  let values = lines.flatMap(line => line.values.slice(...span(line.steps, first, last)))
  if (log) values = values.filter(value => value > 0)
  if (!values.length) return { low: log ? 0.1 : 0, high: 1, count: 0 }
  values.sort((a, b) => a - b)
  const low = values[0]
  let high = values.at(-1)
  const usual = values[Math.floor(0.99 * (values.length - 1))]
  const flat = values.length >= 50 && high - low > 4 * (usual - low)
  if (flat && !log) high = usual + 0.1 * (usual - low)
  const rounded = roundOutward(low, high, log)
  return { ...rounded, count: values.filter(value => value > rounded.high).length }
}

function roundOutward(low, high, log) {
  if (log) return { low: low / 1.1, high: high * 1.1 }
  if (low === high) return { low: low - 0.5, high: high + 0.5 }
  const step = niceStep(high - low, 5) / 2
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step }
}

function ticks(low, high, count, log = false) {
  if (log && high / low > 8) {
    const powers = range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1)
    const factors = powers.length < 4 ? [1, 2, 5] : [1]
    const all = powers.flatMap(power => factors.map(factor => factor * 10 ** power))
    const every = Math.ceil(all.length / 8)
    return all.filter((tick, i) => tick >= low && tick <= high && i % every === 0)
  }
  const step = niceStep(high - low, Math.max(count, 2))
  const near = 1e-9 * step
  return range(Math.ceil((low - near) / step), Math.floor((high + near) / step) + 1)
    .map(i => Number((i * step).toPrecision(12)))
}

function niceStep(width, count) {
  const power = 10 ** Math.floor(Math.log10(width / count))
  return power * [1, 2, 5, 10].find(factor => factor * power * count >= width * 0.999)
}

// -- Numbers and lists ---------------------------------------------------------------------------

// Four digits are enough to read; `digits` asks for zeros at the end, as 1.700 beside 1.703.
function number(value, digits = 1) {
  const size = Math.abs(value)
  if (size && (size < 0.001 || size >= 1e7)) {
    return value.toExponential(2).replace(/\.?0*e\+?/, "e") // 2.50e+12 is 2.5e12
  }
  if (size >= 1000 || Number.isInteger(value)) return Math.round(value).toLocaleString("en")
  const options = { minimumSignificantDigits: digits, maximumSignificantDigits: 4 }
  return value.toLocaleString("en", options)
}

// Labels of one axis have the same number of decimals.
function tickLabel(all) {
  const decimals = Math.max(0, ...all.map(tick => (String(tick).split(".")[1] ?? "").length))
  const large = Math.max(...all.map(Math.abs)) >= 1e6
  if (decimals > 6 || large || all.some(tick => String(tick).includes("e"))) {
    return tick => number(tick)
  }
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return tick => tick.toLocaleString("en", options)
}

function range(from, to) {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i)
}

// The first index whose step is not below `step`.
function lowerBound(steps, step) {
  let [from, to] = [0, steps.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (steps[middle] < step) from = middle + 1
    else to = middle
  }
  return from
}

function nearest(steps, step) {
  const after = Math.min(lowerBound(steps, step), steps.length - 1)
  return after > 0 && step - steps[after - 1] < steps[after] - step ? after - 1 : after
}

function span(steps, first, last) {
  return [lowerBound(steps, first), lowerBound(steps, last + 1e-9)]
}

// -- Pen -----------------------------------------------------------------------------------------

function readTheme(root) {
  const style = getComputedStyle(root)
  const colours = style.getPropertyValue("--st-chart-categorical-colors") || OKABE_ITO
  const list = colours.split(",").map(colour => colour.trim())
  return {
    text: style.color,
    faintText: style.getPropertyValue("--faint-text") || style.color,
    border: style.getPropertyValue("--st-border-color") || "#ccc",
    font: style.fontFamily,
    colour: line => list[line.colour % list.length],
  }
}

// A canvas with as many pixels as the screen has there, measured in CSS pixels.
function fit(canvas, width, height) {
  const dots = devicePixelRatio || 1
  canvas.width = Math.round(width * dots)
  canvas.height = Math.round(height * dots)
  const pen = canvas.getContext("2d")
  pen.scale(dots, dots)
  return pen
}

function drawSample(canvas, line, theme) {
  const pen = fit(canvas, 26, 12)
  const points = [[-4, 6], [13, 6], [30, 6]] // one marker, in the middle
  drawSeries(pen, line, theme, points, line.smooth && points)
}

// A noisy line is pale under its average; another has markers, where there is room for them.
function drawSeries(pen, line, theme, points, average) {
  const colour = theme.colour(line)
  const strength = line.age === 0 ? 1 : 0.7
  pen.strokeStyle = colour
  pen.lineJoin = "round"
  pen.setLineDash(DASHES[line.age % DASHES.length])
  pen.globalAlpha = strength * (average ? 0.4 : 1)
  pen.lineWidth = average ? 1 : 1.75
  stroke(pen, points)
  pen.globalAlpha = strength
  if (average) {
    pen.lineWidth = 2.5
    stroke(pen, average)
  }
  pen.setLineDash([])
  if (!average) {
    let last = -Infinity
    for (const [x, y] of points) {
      if (x - last < 10) continue
      drawMarker(pen, MARKERS[line.colour % MARKERS.length], x, y, 3, colour)
      last = x
    }
  }
  pen.globalAlpha = 1
}

function stroke(pen, points) {
  pen.beginPath()
  for (const point of points) pen.lineTo(...point)
  pen.stroke()
}

function drawMarker(pen, shape, x, y, size, colour) {
  const corners = {
    square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
    triangle: [[0, -1.3], [1.2, 1], [-1.2, 1]],
    diamond: [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]],
  }[shape]
  pen.fillStyle = colour
  pen.beginPath()
  if (!corners) pen.arc(x, y, size, 0, 2 * Math.PI)
  else for (const [dx, dy] of corners) pen.lineTo(x + dx * size, y + dy * size)
  pen.fill()
}

function element(tag, className, parent, attributes = {}) {
  const made = document.createElement(tag)
  if (className) made.className = className
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return parent.appendChild(made)
}
