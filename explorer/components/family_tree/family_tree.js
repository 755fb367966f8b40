// The family tree on a time line: time goes right, lanes go down, curves say what owes what to whom.
//
// data: { nodes: [{ id, name, at, lane, kind, closed, words }], edges: [[from, to, relation, later]],
//         relations: [{ title, child, meaning }], lanes: [title], ticks: [[year, at]], root, chosen,
//         alt }
// at: place on the time line, 0 to 1; nodes are in time order
// relation: index in `relations`; later: it holds for a later version of the child alone
//
// Zoomed out, names that would collide are left away, the least connected first, and come back when
// they are pointed at. Pointing, keys, zoom and pan stay on this side; a press alone is sent to the
// server.
//
// Panning is the browser's own scrolling, which fingers, keys and screen readers know, and one
// straight line maps years to pixels: d3's zoom, scale and shape (27 kB compressed, more than twice what
// this takes) would leave the code as long, and no scrolling.

import {
  button, clamp, element, mixed, onPaper, readTheme, saveSvg, scrolling, show, svgElement, svgRoot,
} from "../shared.js"
import { Dragging } from "./dragging.js"
import { LEFT, Layout, MARK } from "./layout.js"

const MOST_ZOOM = 16
const STEP = 1.4 // of the zoom, with one press
const OTHER_WINDOW = 120 // a phone's own bar, which comes and goes, changes the window by less
const LEAST_LETTERS = 14 // pixels, which grow with the window and the page's own letters

// How a relation is drawn: which colour of the theme (null: that of faint text), dashes, width.
const LOOKS = [
  { colour: 0, dash: "", width: 2 },
  { colour: 1, dash: "9 4", width: 1.8 },
  { colour: 2, dash: "18 4", width: 2 },
  { colour: 3, dash: "9 3 2 3", width: 2 },
  { colour: 4, dash: "5 3", width: 2 },
  { colour: null, dash: "", width: 1 },
  { colour: 5, dash: "14 3 3 3 3 3", width: 2 },
]
const LATER = "0.5 5" // dots, with round ends
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")

export default function familyTree(component) {
  return show(View, component)
}

class View {
  zoom = 1
  focus = null // id of the node pointed at or focused
  stop = null // id of the node that Tab leads to
  pressed = null // id of the node whose card is awaited

  constructor(parent) {
    this.root = element("div", "part tree", parent)
    this.buildBar(element("div", "bar", this.root))
    const frame = element("div", "frame", this.root)
    this.scroll = element("div", "scroll", frame, { tabindex: 0, role: "group" })
    this.words = element("p", "words", frame, { "aria-live": "polite" })
    this.scroll.addEventListener("keydown", event => this.press(event))
    this.scroll.addEventListener("scroll", () => this.moveTitles(), { passive: true })
    this.scroll.addEventListener("wheel", event => this.wheel(event), { passive: false })
    new Dragging(this)
    this.sizes = new ResizeObserver(() => this.resize())
    this.sizes.observe(this.scroll)
    this.onWindow = () => this.resize()
    addEventListener("resize", this.onWindow)
  }

  leave() {
    this.sizes.disconnect()
    removeEventListener("resize", this.onWindow)
  }

  buildBar(bar) {
    const add = (label, title, act) => button(label, "", bar, act, { title, "aria-label": title })
    add("−", "Zoom out", () => this.zoomBy(1 / STEP))
    add("+", "Zoom in", () => this.zoomBy(STEP))
    add("Whole", "Show the whole time line", () => this.zoomTo(this.layout.leastZoom))
    add("◀", "Earlier", () => this.panBy(-0.6))
    add("▶", "Later", () => this.panBy(0.6))
    add("LLaMA", "Go to LLaMA", () => this.goTo(this.data.root))
    this.buildLegend(bar)
    element("span", "gap", bar)
    add("Save as SVG", "Save the time line as SVG", () => this.save())
  }

  // One press away, over the drawing.
  buildLegend(bar) {
    const folded = element("details", "", bar)
    element("summary", "", folded).textContent = "Legend"
    this.legend = element("ul", "legend", folded, { "aria-label": "Legend" })
    folded.addEventListener("keydown", event => event.key === "Escape" && (folded.open = false))
  }

  update({ data, setTriggerValue }) {
    const before = this.data
    this.data = data
    this.setTrigger = setTriggerValue
    this.theme = themeOf(this.root)
    this.byId = new Map(data.nodes.map(node => [node.id, node]))
    const same = before && JSON.stringify(before.nodes) === JSON.stringify(data.nodes)
    if (!same) {
      this.focus = null
      this.stop = [data.chosen, data.root, data.nodes[0].id].find(id => this.byId.has(id))
    }
    this.scroll.setAttribute("aria-label", data.alt)
    if (!before) [this.width, this.window] = [this.scroll.clientWidth, innerHeight]
    if (!same) this.layOut()
    this.drawLegend()
    this.draw()
    if (!before) this.open()
    if (before && before.chosen !== data.chosen) this.pressed = data.chosen // by whatever press
    if (this.pressed === data.chosen) this.showCard()
    this.say()
  }

  resize() {
    const width = this.scroll.clientWidth
    const isOther = Math.abs(innerHeight - this.window) > OTHER_WINDOW
      || (innerHeight === this.window && this.limit() !== this.layout.limit)
    if (!this.data || !width || (width === this.width && !isOther)) return
    const isFirst = !this.width
    ;[this.width, this.window] = [width, innerHeight]
    this.layOut()
    this.draw()
    if (isFirst) this.open()
  }

  // -- Places ------------------------------------------------------------------------------------

  x(at) {
    return this.layout.x(at, this.zoom)
  }

  y(node) {
    return this.layout.y(node)
  }

  get fullWidth() {
    return this.layout.base * this.zoom
  }

  layOut() {
    const page = parseFloat(getComputedStyle(document.documentElement).fontSize)
    const letters = Math.max(LEAST_LETTERS, 0.875 * page, 0.0165 * this.window)
    this.layout = new Layout(this.data, this.width, this.limit(), Math.round(letters))
  }

  // How high the drawing may become, as the style says, which may come later than the data.
  limit() {
    return parseFloat(getComputedStyle(this.scroll).maxHeight) || innerHeight
  }

  // -- Drawing -----------------------------------------------------------------------------------

  draw() {
    if (!this.width) return
    this.svg = svgRoot(null, {
      width: Math.round(this.fullWidth), height: this.layout.height, role: "presentation",
      "font-family": "system-ui, sans-serif", "font-size": this.layout.letters,
    })
    this.drawLanes()
    this.drawLines()
    this.edgeLayer = svgElement("g", this.svg, { fill: "none" })
    this.drawEdges()
    this.drawTitles()
    this.marks = new Map(this.data.nodes.map(node => [node.id, this.drawNode(node)]))
    this.drawYears()
    this.above = svgElement("g", this.svg, { "aria-hidden": true, "pointer-events": "none" })
    this.drawFocus()
    const held = this.root.getRootNode().activeElement?.dataset?.id
    const { scrollLeft, scrollTop } = this.scroll
    this.scroll.replaceChildren(this.svg)
    this.scroll.scrollTo({ left: scrollLeft, top: scrollTop })
    if (held) this.marks.get(held)?.group.focus({ preventScroll: true })
    this.moveTitles()
  }

  drawLanes() {
    this.layout.lanes.forEach(({ top, height }, lane) => {
      if (lane % 2) return
      svgElement("rect", this.svg, { x: 0, y: top, width: "100%", height, fill: this.theme.band })
    })
  }

  drawTitles() {
    this.titles = this.data.lanes.map((title, lane) => {
      const text = svgElement("text", this.svg, {
        x: 8, y: this.layout.lanes[lane].top + this.layout.letters, fill: this.theme.text, "font-weight": 600,
        stroke: this.theme.background, "stroke-width": 3, "paint-order": "stroke",
      })
      text.textContent = title
      return text
    })
  }

  drawLines() {
    for (const [, at] of this.data.ticks) {
      const x = this.x(at)
      svgElement("line", this.svg, {
        x1: x, x2: x, y1: this.layout.top - 6, y2: this.layout.height, stroke: this.theme.line,
      })
    }
  }

  // The years stay above whatever is panned beneath them.
  drawYears() {
    this.years = svgElement("g", this.svg, { class: "years" })
    svgElement("rect", this.years, {
      x: 0, y: 0, width: "100%", height: this.layout.top - 6, fill: this.theme.background,
    })
    let free = -Infinity
    const { letters } = this.layout
    this.data.ticks.forEach(([year, at], number) => {
      const x = this.x(at)
      const next = this.data.ticks[number + 1]
      if (!next) return
      const width = this.x(next[1]) - x
      if (x >= free && (width > 1.3 * letters || !number)) {
        const text = svgElement("text", this.years, { x: x + 3, y: letters + 2, fill: this.theme.faint })
        const isShort = width < 2.9 * letters && number > 0
        text.textContent = isShort ? `’${String(year).slice(2)}` : year
        free = x + (isShort ? 1.8 : 2.9) * letters
      }
      if (width / 12 > 3 * letters) this.drawMonths(year, x, width)
    })
  }

  drawMonths(year, x, width) {
    MONTHS.slice(1).forEach((month, number) => {
      const text = svgElement("text", this.years, {
        x: x + ((number + 1) * width) / 12 + 3, y: this.layout.letters + 2, fill: this.theme.faint,
      })
      text.textContent = width / 12 > 6.5 * this.layout.letters ? `${month} ${year}` : month
    })
  }

  drawEdges() {
    this.curves = this.data.edges.map(([from, to, relation, later]) => {
      const [one, other] = [this.byId.get(from), this.byId.get(to)]
      const look = LOOKS[relation]
      return svgElement("path", this.edgeLayer, {
        d: this.curve(one, other), stroke: this.theme.colours[relation], "stroke-width": look.width,
        "stroke-dasharray": later ? LATER : look.dash, "stroke-linecap": later ? "round" : "butt",
      })
    })
  }

  curve(one, other) {
    const [x1, y1, x2, y2] = [this.x(one.at), this.y(one), this.x(other.at), this.y(other)]
    const bend = Math.max(18, Math.min(Math.abs(x2 - x1) / 2, 160))
    if (y1 === y2) {
      const lift = y1 - Math.min(13, 5 + Math.abs(x2 - x1) / 20)
      return `M${x1} ${y1}C${x1 + 8} ${lift} ${x2 - 8} ${lift} ${x2} ${y2}`
    }
    return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
  }

  drawNode(node) {
    const { theme } = this
    const isRoot = node.id === this.data.root
    const group = svgElement("g", this.svg, {
      class: "node", role: "button", tabindex: node.id === this.stop ? 0 : -1,
      "aria-label": node.words, "aria-pressed": node.id === this.data.chosen, "data-id": node.id,
      transform: `translate(${this.x(node.at)} ${this.y(node)})`,
    })
    svgElement("rect", group, {
      x: -MARK - 3, y: -this.layout.rowHeight / 2, width: 2 * MARK + 6,
      height: this.layout.rowHeight, fill: "transparent",
    })
    const mark = svgElement("path", group, {
      d: shape(node.kind, isRoot ? MARK + 2 : MARK), stroke: isRoot ? theme.primary : theme.text,
      "stroke-width": 1.4, fill: node.closed ? theme.background : isRoot ? theme.primary : theme.text,
    })
    const text = svgElement("text", group, {
      x: MARK + 5, y: 0.34 * this.layout.letters, fill: theme.text, stroke: theme.background, "stroke-width": 3,
      "stroke-linejoin": "round", "paint-order": "stroke", "font-weight": isRoot ? 700 : 400,
    })
    text.textContent = node.name
    group.addEventListener("pointerenter", event => event.pointerType === "mouse" && this.point(node.id))
    group.addEventListener("pointerleave", event => event.pointerType === "mouse" && this.point(null))
    group.addEventListener("focus", () => this.point(node.id))
    group.addEventListener("blur", () => this.point(null))
    group.addEventListener("click", () => this.openCard(node.id))
    return { group, mark, text }
  }

  // Which names are shown: those that collide with none that matters more.
  shownNames() {
    const { root, chosen } = this.data
    const weight = node => (node.id === root ? 2000 : node.id === chosen ? 1000 : this.layout.links.get(node.id))
    const order = [...this.data.nodes].sort((one, other) => weight(other) - weight(one))
    const taken = new Map() // lane and row -> [from, to]
    const shown = new Set()
    const rowOf = node => `${node.lane} ${node.row}`
    for (const node of this.data.nodes) {
      const x = this.x(node.at)
      taken.set(rowOf(node), [...(taken.get(rowOf(node)) ?? []), [x - MARK, x + MARK, node.id]])
    }
    for (const node of order) {
      const from = this.x(node.at) + MARK + 3
      const to = from + 2 + node.length
      const beside = taken.get(rowOf(node))
      const isFree = beside.every(([start, end, id]) => id === node.id || end < from || start > to)
      if (!isFree && node.id !== root) continue
      if (node.id !== root && to > this.fullWidth) continue
      shown.add(node.id)
      beside.push([from, to, node.id])
    }
    return shown
  }

  // Show the node that is pointed at, what it owes and who owes to it; without one, the chosen one.
  drawFocus() {
    const { chosen } = this.data
    const id = this.focus ?? (this.byId.has(chosen) ? chosen : null)
    const kin = new Set([id])
    this.curves.forEach((curve, number) => {
      const [from, to, relation, later] = this.data.edges[number]
      const isOwn = from === id || to === id
      if (isOwn) kin.add(from).add(to)
      const plain = later ? 0.4 : LOOKS[relation].colour === null ? 0.45 : 0.7
      curve.setAttribute("stroke-width", LOOKS[relation].width + (isOwn ? 1 : 0))
      curve.setAttribute("opacity", isOwn ? 1 : this.focus ? 0.12 : plain)
      if (isOwn) this.edgeLayer.append(curve)
    })
    const names = this.shownNames()
    for (const node of this.data.nodes) {
      const { group, mark, text } = this.marks.get(node.id)
      const isIt = node.id === this.focus
      text.setAttribute("visibility", names.has(node.id) || isIt ? "visible" : "hidden")
      text.setAttribute("text-decoration", isIt || node.id === chosen ? "underline" : "none")
      group.setAttribute("opacity", this.focus && !kin.has(node.id) ? 0.45 : 1)
      mark.setAttribute("stroke-width", isIt || node.id === chosen ? 3 : 1.4)
      const isMarked = isIt || node.id === chosen || node.id === this.data.root
      mark.setAttribute("stroke", isMarked ? this.theme.primary : this.theme.text)
      const overflows = this.x(node.at) + MARK + 5 + node.length > this.fullWidth
      text.setAttribute("text-anchor", overflows ? "end" : "start")
      text.setAttribute("x", overflows ? -MARK - 5 : MARK + 5)
    }
    this.raise(this.focus)
  }

  // Draw a node once more, above all others; moving it itself would take the keyboard's focus away.
  raise(id) {
    this.above.replaceChildren()
    if (!id) return
    const copy = this.marks.get(id).group.cloneNode(true)
    for (const name of ["role", "tabindex", "class", "data-id", "aria-label", "aria-pressed"]) {
      copy.removeAttribute(name)
    }
    this.above.append(copy)
  }

  save() {
    const copy = onPaper(this.svg)
    copy.querySelector(".years").removeAttribute("transform")
    saveSvg(copy, "family-tree.svg")
  }

  moveTitles() {
    for (const title of this.titles ?? []) title.setAttribute("x", this.scroll.scrollLeft + 8)
    this.years?.setAttribute("transform", `translate(0 ${this.scroll.scrollTop})`)
  }

  drawLegend() {
    const { relations, edges } = this.data
    const used = new Set(edges.map(([, , relation]) => relation))
    const entries = relations
      .map((relation, number) => ({ number, text: relation.title, hint: relation.meaning }))
      .filter(({ number }) => used.has(number))
      .map(entry => ({ ...entry, look: LOOKS[entry.number], colour: this.theme.colours[entry.number] }))
    if (edges.some(([, , , later]) => later)) {
      entries.push({
        text: "Dotted, in the colour of its relation: holds for a later version alone",
        hint: "so it may lead back in time", look: { dash: LATER, width: 2 }, colour: this.theme.faint,
      })
    }
    this.legend.replaceChildren()
    for (const { text, hint, look, colour } of entries) {
      const item = element("li", "", this.legend, { title: hint })
      const svg = svgElement("svg", item, { width: 44, height: 10, "aria-hidden": true })
      svgElement("line", svg, {
        x1: 1, x2: 43, y1: 5, y2: 5, stroke: colour, "stroke-width": look.width,
        "stroke-dasharray": look.dash, "stroke-linecap": look.dash === LATER ? "round" : "butt",
      })
      element("span", "", item).textContent = text
    }
    const kinds = new Set(this.data.nodes.map(node => node.kind))
    for (const [kind, text] of Object.entries({ research: "Research", model: "Model", software: "Software" })) {
      if (kinds.has(kind)) this.addMark(shape(kind, MARK), text, this.theme.text)
    }
    if (this.data.nodes.some(node => node.closed)) {
      this.addMark(shape("model", MARK), "Hollow: weights not released", this.theme.background)
    }
  }

  addMark(d, text, fill) {
    const item = element("li", "", this.legend)
    const svg = svgElement("svg", item, { width: 14, height: 14, "aria-hidden": true })
    svgElement("path", svg, {
      d, transform: "translate(7 7)", fill, stroke: this.theme.text, "stroke-width": 1.4,
    })
    element("span", "", item).textContent = text
  }

  // -- Zoom and pan ------------------------------------------------------------------------------

  // The opening view: all of it; on a narrow screen, the part that begins a little before LLaMA.
  open() {
    const from = [this.data.root, this.data.nodes[0].id].find(id => this.byId.has(id))
    this.scroll.scrollLeft = this.x(this.byId.get(from).at) - 0.1 * this.width
    this.reveal(from)
    const { chosen } = this.data
    if (chosen !== this.data.root && this.byId.has(chosen)) this.reveal(chosen)
  }

  zoomBy(factor, middle = this.width / 2) {
    this.zoomTo(this.zoom * factor, middle)
  }

  // Zoom, and keep the moment at `middle`, in pixels from the left edge, where it is.
  zoomTo(zoom, middle = this.width / 2) {
    const at = (this.scroll.scrollLeft + middle - LEFT) / (this.x(1) - LEFT)
    this.zoom = clamp(zoom, this.layout.leastZoom, MOST_ZOOM)
    this.draw()
    this.scroll.scrollLeft = this.x(at) - middle
    this.moveTitles()
  }

  panBy(share) {
    this.scroll.scrollBy({ left: share * this.width, behavior: scrolling() })
  }

  goTo(id) {
    if (!this.byId.has(id)) return
    const node = this.byId.get(id)
    this.scroll.scrollTo({
      left: this.x(node.at) - this.width / 3,
      top: this.y(node) - this.scroll.clientHeight / 2,
      behavior: scrolling(),
    })
  }

  reveal(id) {
    const [from, to] = [this.scroll.scrollLeft, this.scroll.scrollLeft + this.width]
    const node = this.byId.get(id)
    const x = this.x(node.at)
    if (x - 20 < from || x + node.length + 20 > to) this.scroll.scrollLeft = x - this.width / 3
    const [top, bottom] = [this.scroll.scrollTop + this.layout.top, this.scroll.scrollTop + this.scroll.clientHeight]
    const [y, row] = [this.y(node), this.layout.rowHeight]
    if (y - row < top || y + row > bottom) this.scroll.scrollTop = y - this.scroll.clientHeight / 2
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return
    event.preventDefault()
    const middle = event.clientX - this.scroll.getBoundingClientRect().left
    this.zoomBy(Math.exp(-event.deltaY / 300), middle)
  }

  // -- Focus -------------------------------------------------------------------------------------

  point(id) {
    if (id === this.focus || (id && !this.byId.has(id))) return
    this.focus = id
    this.drawFocus()
    this.say()
  }

  press(event) {
    const acts = {
      "+": () => this.zoomBy(STEP), "=": () => this.zoomBy(STEP), "-": () => this.zoomBy(1 / STEP),
      0: () => this.zoomTo(1), Enter: () => this.openCard(this.focus), " ": () => this.openCard(this.focus),
      ArrowLeft: () => this.walk(-1), ArrowRight: () => this.walk(1),
      ArrowUp: () => this.climb(-1), ArrowDown: () => this.climb(1),
      Home: () => this.moveTo(this.data.nodes[0].id), End: () => this.moveTo(this.data.nodes.at(-1).id),
      Escape: () => this.point(null),
    }
    const isPan = event.shiftKey && event.key.startsWith("Arrow")
    const act = isPan ? {
      ArrowLeft: () => this.panBy(-0.2), ArrowRight: () => this.panBy(0.2),
      ArrowUp: () => this.scroll.scrollBy({ top: -80 }), ArrowDown: () => this.scroll.scrollBy({ top: 80 }),
    }[event.key] : acts[event.key]
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    act()
  }

  walk(step) {
    const ids = this.data.nodes.map(node => node.id)
    const next = this.focus ? ids.indexOf(this.focus) + step : ids.indexOf(this.stop)
    this.moveTo(ids[clamp(next, 0, ids.length - 1)])
  }

  // To the nearest node above or below, which is not far to the side.
  climb(step) {
    if (!this.focus) return this.moveTo(this.stop)
    const from = this.byId.get(this.focus)
    const cost = node => {
      const down = step * (this.y(node) - this.y(from))
      return down <= 0 ? Infinity : 4 * down + Math.abs(this.layout.x(node.at) - this.layout.x(from.at))
    }
    const best = this.data.nodes.reduce((one, other) => (cost(other) < cost(one) ? other : one))
    if (cost(best) < Infinity) this.moveTo(best.id)
  }

  moveTo(id) {
    this.marks.get(this.stop)?.group.setAttribute("tabindex", -1)
    this.stop = id
    this.reveal(id)
    const { group } = this.marks.get(id)
    group.setAttribute("tabindex", 0)
    group.focus({ preventScroll: true })
  }

  openCard(id) {
    if (!id || this.wasDragged) return
    if (id === this.data.chosen) {
      this.pressed = id
      this.showCard()
      return
    }
    this.pressed = id
    this.setTrigger("opened", id)
  }

  // Bring the card that has been asked for onto the screen, once the page has it, if it is not
  // there; of the tree something stays in sight, too.
  showCard(tries = 40) {
    const id = this.pressed
    const card = document.querySelector(`.st-key-card_of_${id.replace(/[^a-zA-Z0-9_-]/g, "-")}`)
    if (!card) {
      if (tries) setTimeout(() => this.pressed === id && this.showCard(tries - 1), 50)
      return
    }
    this.pressed = null
    const { top } = card.getBoundingClientRect()
    if (top >= 0 && top < 0.75 * innerHeight) return
    card.style.scrollMarginTop = "60vh"
    card.scrollIntoView({ block: "start", behavior: scrolling() })
  }

  say() {
    const node = this.byId.get(this.focus)
    this.words.classList.toggle("over", Boolean(node))
    if (!node) {
      this.words.textContent =
        "Point at an entry to see what it owes and who owes to it; press it to open its card. " +
        "By keyboard: Tab to it, arrows walk in time and between rows, Enter opens, + − 0 zoom, " +
        "Shift and arrows move."
      return
    }
    const said = (ends, most = 6) => {
      const shown = ends.slice(0, most).join(", ")
      return ends.length > most ? `${shown} and ${ends.length - most} more` : shown
    }
    const { edges, relations } = this.data
    const name = id => this.byId.get(id).name
    const up = edges.filter(([, to]) => to === node.id).map(([from, , relation]) => `${relations[relation].child} ${name(from)}`)
    const down = edges.filter(([from]) => from === node.id).map(([, to]) => name(to))
    const isLow = this.y(node) - this.scroll.scrollTop > this.scroll.clientHeight * 0.6
    this.words.classList.toggle("high", isLow)
    const parts = [node.words, up.length ? `It ${said(up)}` : "", down.length ? `After it: ${said(down)}` : ""]
    this.words.textContent = `${parts.filter(Boolean).join(". ")}.`
  }
}

// -- Small things --------------------------------------------------------------------------------

function shape(kind, r) {
  const paths = {
    research: `M${-r} ${-r}H${r}V${r}H${-r}Z`,
    software: `M0 ${-r * 1.25}L${r * 1.2} ${r}H${-r * 1.2}Z`,
    model: `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`,
  }
  return paths[kind]
}

function themeOf(root) {
  const theme = readTheme(root)
  const { text, background, colours } = theme
  const faint = mixed(text, background, 0.7)
  return {
    ...theme,
    faint,
    line: mixed(text, background, 0.16),
    band: mixed(text, background, 0.04),
    // A little of the text's colour, so that thin lines keep a contrast of 3 to 1.
    colours: LOOKS.map(({ colour }) => (colour === null ? faint : mixed(colours[colour], text, 0.78))),
  }
}
