// A model as a picture: boxes that compute, wires with the shapes that they carry; a press opens one.
//
// data: { panels: [{ name, title, width, height, boxes, wires }], alt, isPresented }
// box: { name, title, detail, kind, x, y, width, height, count, formula, weights: [line],
//        label, key, isOpen }
// wire: { start, end, points: [[x, y]], label: [x, y] or null, letters, numbers }
//
// Pointing and keys say what a box computes, on this side alone; only a press goes to the server.

import {
  button, element, hasDialog, isFullSize, readTheme, resolver, saveSvg, svgElement, svgRoot,
} from "../shared.js"

const [LETTER, DIGIT] = [10.4, 9.5] // widths on a wire, a little more than they are
const [ROOM, PART] = [240, 4] // for the numbers on a wire, and between those side by side
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }

export default function blockDiagram(component) {
  const { parentElement, data, setTriggerValue } = component
  const root = parentElement.querySelector(".diagram") ?? made(parentElement)
  const focused = root.querySelector("[data-box]:focus")?.dataset.box
  const left = root.querySelector(".box.open")?.dataset.box
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", data.alt)
  root.replaceChildren()
  const tip = element("div", "tip", root)
  tip.hidden = true
  const frame = element("div", "frame", root)
  const panels = element("div", "panels", frame)
  const tall = Object.fromEntries(data.panels.map(panel => [panel.name, panel.height]))
  const { model, block = 0, attention = 0, feed_forward: last = 0 } = tall
  frame.style.setProperty("--tall-3", Math.max(model + last, block, attention))
  frame.style.setProperty("--tall-4", Math.max(model, block, attention, last))
  for (const panel of data.panels) {
    const figure = element("figure", `panel ${panel.name}`, panels)
    element("figcaption", "", figure).textContent = panel.title
    drawPanel(figure, panel, tip, key => setTriggerValue("opened", key))
  }
  const buttons = element("div", "buttons", root)
  button("Save as SVG", "", buttons, () => savePicture(root, data))
  root.classList.toggle("presented", data.isPresented)
  fit(root)
  const isOpen = root.querySelector(".box.open")
  if (isOpen) clearTimeout(waiting)
  if (focused) focusOn(root, focused)
  else if (left && !isOpen) whenFree(() => focusOn(root, left))
}

let waiting

function made(parent) {
  const root = element("div", "part diagram", parent)
  new ResizeObserver(() => fit(root)).observe(root) // at full size it is wider
  return root
}

const fit = root => root.classList.toggle("full", isFullSize())

const focusOn = (root, box) => root.querySelector(`[data-box="${CSS.escape(box)}"]`)?.focus()

// A dialog that closes would give the focus back to the box that opened it, which is drawn anew.
function whenFree(act) {
  if (hasDialog()) waiting = setTimeout(whenFree, 20, act)
  else if (document.activeElement === document.body) act()
}

function drawPanel(figure, panel, tip, open) {
  const size = { viewBox: `0 0 ${panel.width} ${panel.height}`, preserveAspectRatio: "xMidYMin" }
  const svg = svgElement("svg", figure, size)
  for (const wire of panel.wires) drawWire(svg, wire, roomOf(wire, panel.wires))
  const boxes = panel.boxes.map(box => drawBox(svg, box, panel, tip, open))
  boxes.forEach((group, at) => {
    group.setAttribute("tabindex", at ? -1 : 0)
    group.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault()
        open(panel.boxes[at].key)
      }
      if (event.key === "Escape") tip.hidden = true
      const next = boxes[at + (STEPS[event.key] ?? NaN)]
      if (!next) return
      event.preventDefault()
      boxes.forEach(each => each.setAttribute("tabindex", each === next ? 0 : -1))
      next.focus()
    })
  })
}

// How wide words on a wire may be beside those of its neighbours.
function roomOf({ label }, wires) {
  if (!label) return 0
  const beside = wires
    .filter(other => other.label && Math.abs(other.label[1] - label[1]) < 20)
    .map(other => Math.abs(other.label[0] - label[0]))
    .filter(Boolean)
  return Math.min(ROOM, ...beside) - PART
}

// Numbers that find no room in letters large enough to read are left out; the legend has them.
function drawWire(svg, { points, label, letters, numbers, start, end }, room) {
  const group = svgElement("g", svg, { class: "wire", "data-start": start, "data-end": end })
  svgElement("polyline", group, { points: points.map(point => point.join()).join(" ") })
  const [[x, y], [toX, toY]] = [points.at(-2), points.at(-1)]
  const [dx, dy] = [Math.sign(toX - x), Math.sign(toY - y)]
  const [backX, backY] = [toX - 6 * dx, toY - 6 * dy]
  const head = [[toX, toY], [backX - 3.5 * dy, backY - 3.5 * dx], [backX + 3.5 * dy, backY + 3.5 * dx]]
  svgElement("polygon", group, { points: head.map(point => point.join()).join(" ") })
  if (!label) return
  const [wide, more] = [LETTER * letters.length, DIGIT * numbers.length]
  const isOneLine = wide + LETTER + more <= room
  const isTwo = !isOneLine && more <= room
  const width = isOneLine ? wide + LETTER + more : isTwo ? Math.max(wide, more) : wide
  const [[centre, middle], high] = [label, isTwo ? 30 : 16]
  const ground = { x: centre - width / 2, y: middle - high / 2, width, height: high }
  svgElement("rect", group, { class: "ground", ...ground })
  const words = svgElement("text", group, { class: "shape", x: centre, y: middle - (isTwo ? 7 : 0) })
  svgElement("tspan", words, { class: "letters" }).textContent = letters
  if (isOneLine) svgElement("tspan", words, { dx: LETTER }).textContent = numbers
  if (isTwo) svgElement("tspan", words, { x: centre, dy: 15 }).textContent = numbers
}

function drawBox(svg, box, panel, tip, open) {
  const group = svgElement("g", svg, {
    class: `box ${box.kind}${box.weights.length ? " learns" : ""}${box.isOpen ? " open" : ""}`,
    role: "button",
    "aria-label": box.label,
    "data-box": `${panel.name}.${box.name}`,
  })
  if (box.isOpen) group.setAttribute("aria-current", "true")
  const { x, y, width, height } = box
  const radius = { pill: height / 2, round: height / 2 }[box.kind] ?? 6
  if (box.kind === "fold") {
    svgElement("rect", group, { x: x + 4, y: y + 4, width, height, rx: radius, class: "behind" })
  }
  svgElement("rect", group, { x, y, width, height, rx: radius, class: "face" })
  const lines = [[box.title, "title"], [[box.detail, box.count].filter(Boolean).join(" · "), "detail"]]
  const shown = lines.filter(([words]) => words)
  shown.forEach(([words, kind], at) => {
    const middle = y + height / 2 + (shown.length > 1 ? 16 * at - 7.5 : 0)
    svgElement("text", group, { class: kind, x: x + width / 2, y: middle }).textContent = words
  })
  const say = () => showTip(tip, group, box)
  group.addEventListener("pointerenter", event => event.pointerType !== "touch" && say())
  group.addEventListener("focus", say)
  for (const kind of ["pointerleave", "blur"]) group.addEventListener(kind, () => (tip.hidden = true))
  group.addEventListener("click", () => open(box.key))
  return group
}

// What a box computes and learns, beside it.
function showTip(tip, group, box) {
  tip.replaceChildren()
  element("strong", "", tip).textContent = box.title
  if (box.formula) element("p", "formula", tip).textContent = box.formula
  for (const line of box.weights) element("p", "weight", tip).textContent = line
  element("p", "hint", tip).textContent = "Press to open"
  tip.hidden = false
  const root = tip.parentElement.getBoundingClientRect()
  const at = group.getBoundingClientRect()
  const left = Math.min(at.left - root.left, root.width - tip.offsetWidth)
  const below = at.bottom - root.top + 6
  const fits = below + tip.offsetHeight < root.height
  tip.style.left = `${Math.max(0, left)}px`
  tip.style.top = `${fits ? below : at.top - root.top - tip.offsetHeight - 6}px`
}

// All panels side by side in one picture, with the colours that are on the screen.
function savePicture(root, data) {
  const gap = 24
  const width = data.panels.reduce((sum, panel) => sum + panel.width + gap, gap)
  const height = Math.max(...data.panels.map(panel => panel.height)) + 2 * gap + 16
  const picture = svgRoot(null, { width, height })
  const { background, text } = readTheme(root)
  svgElement("rect", picture, { width, height, fill: background })
  const plain = resolver(root)
  let x = gap
  root.querySelectorAll("figure").forEach((figure, at) => {
    const words = { x, y: gap, fill: text, "font-family": "sans-serif", "font-size": 14 }
    svgElement("text", picture, words).textContent = data.panels[at].title
    const panel = svgElement("g", picture, { transform: `translate(${x}, ${gap + 16})` })
    for (const child of figure.querySelector("svg").children) panel.append(copy(child, plain))
    x += data.panels[at].width + gap
  })
  saveSvg(picture, "model.svg")
}

const LOOKS = [
  "fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-family", "font-weight",
  "text-anchor", "dominant-baseline",
]

// A copy that carries its looks itself, since a file has no style sheet.
function copy(node, plain) {
  const made = node.cloneNode(false)
  if (node.nodeType !== Node.ELEMENT_NODE) return made
  const style = getComputedStyle(node)
  for (const name of LOOKS) made.setAttribute(name, plain(style.getPropertyValue(name)))
  for (const name of ["class", "tabindex", "role"]) made.removeAttribute(name)
  for (const child of node.childNodes) made.append(copy(child, plain))
  return made
}
