// What several browser-side parts need: a place on the page, elements, the theme's colours, pictures
// to keep, numbers in words.
//
// Streamlit serves the whole folder `components` to each part, which so finds this as
// "../shared.js"; stand_alone.py packs both into a page that needs no server.

// -- On the page ---------------------------------------------------------------------------------

const views = new WeakMap() // parentElement -> view

// Show a view where a component is: one and the same at every change of data or theme. It is built
// with its parent, and has `update(component)` and `leave()`.
export function show(View, component) {
  const { parentElement } = component
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement))
  views.get(parentElement).update(component)
  return () => {
    // Also called when one update overtakes another; the view is then still on the page.
    if (parentElement.isConnected) return
    views.get(parentElement)?.leave()
    views.delete(parentElement)
  }
}

// Whether the page's picture fills the screen; a part that looks otherwise then finds out when its
// size changes.
export function isFullSize() {
  return document.documentElement.hasAttribute("data-full-size")
}

// Whether something lies over the page that takes keys first; one that is shut is no such thing.
export function hasDialog() {
  return [...document.querySelectorAll("[role=dialog]")].some(each => each.checkVisibility())
}

// How many pixels of the screen's height the frame takes above the picture.
export function above(root) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize)
  return rem * (parseFloat(getComputedStyle(root).getPropertyValue("--above")) || 6.75)
}

// How to scroll for somebody who may not want to see things move.
export function scrolling() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth"
}

const LONGEST = 15_000 // milliseconds to wait for what may never be drawn

// Say something to the server once the page neither runs nor is drawn; gives what forgoes it. An
// answer amid a page run starts the next beside it, and Streamlit 1.67 then lets two threads change
// what it knows of the page's widgets, by which either may fail. An answer while a widget is still on
// the way to the screen lacks this widget's choice, and it then shows none.
export function whenQuiet(act) {
  const end = performance.now() + LONGEST
  let waiting
  const look = () => {
    const app = document.querySelector("[data-testid=stApp]")
    const isRunning = ["running", "rerunRequested"].includes(app?.dataset.testScriptState)
    const isDrawing = document.querySelector("[data-testid=stSkeleton]") && performance.now() < end
    if (isRunning || isDrawing) waiting = setTimeout(look, 20)
    else act()
  }
  look()
  return () => clearTimeout(waiting)
}

// -- Elements ------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg"

export function element(tag, className, parent, attributes = {}) {
  const made = document.createElement(tag)
  if (className) made.className = className
  return placed(made, parent, attributes)
}

export function svgElement(tag, parent, attributes = {}) {
  return placed(document.createElementNS(SVG, tag), parent, attributes)
}

// A drawing that is also a file when it is saved.
export function svgRoot(parent, attributes) {
  return svgElement("svg", parent, { xmlns: SVG, ...attributes })
}

export function button(words, className, parent, press, attributes = {}) {
  const made = element("button", className, parent, { type: "button", ...attributes })
  made.textContent = words
  made.addEventListener("click", press)
  return made
}

// A text that stays is left alone, and with it what a student has selected.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

function placed(made, parent, attributes) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  parent?.append(made)
  return made
}

// -- Colours -------------------------------------------------------------------------------------

// For a page without Streamlit's theme: what .streamlit/config.toml says of the light one.
const PLAIN = {
  "text-color": "#0E1620",
  "background-color": "#FFFFFF",
  "primary-color": "#00639C",
  "border-color": "#C9D0D9",
  "chart-categorical-colors": "#0072B2,#D55E00,#009E73,#CC79A7,#E69F00,#56B4E9",
  "chart-sequential-colors": "#F5F8FB,#98C5E1,#2173B2,#062A54",
}

// The theme's colours where an element is: `colours` tell things apart, `scale` goes from nothing to
// all.
export function readTheme(root) {
  const style = getComputedStyle(root)
  const read = name => style.getPropertyValue(`--st-${name}`).trim() || PLAIN[name]
  const list = name => read(name).split(",").map(colour => colour.trim())
  return {
    text: read("text-color"),
    background: read("background-color"),
    primary: read("primary-color"),
    border: read("border-color"),
    colours: list("chart-categorical-colors"),
    scale: list("chart-sequential-colors"),
    font: style.fontFamily,
  }
}

// A share of one colour in another, for style sheets and drawings on the screen.
export function mixed(one, other, share) {
  return `color-mix(in srgb, ${one} ${100 * share}%, ${other})`
}

// Says colours so that other programs understand them, too: a file has no theme to mix from.
export function resolver(near) {
  const known = new Map()
  return colour => {
    if (!/^(color|var)/.test(colour)) return colour
    if (!known.has(colour)) known.set(colour, resolved(colour, near))
    return known.get(colour)
  }
}

function resolved(colour, near) {
  const probe = element("span", "", near)
  probe.style.color = colour
  const pen = canvasOf(1, 1).getContext("2d")
  pen.fillStyle = getComputedStyle(probe).color
  pen.fillRect(0, 0, 1, 1)
  probe.remove()
  const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data
  const solid = `${red},${green},${blue}`
  return alpha === 255 ? `rgb(${solid})` : `rgba(${solid},${(alpha / 255).toFixed(3)})`
}

// From a weight, 0 to 1, to its colour on a scale, as [red, green, blue, 255]. A square root, since
// most weights are faint, and a faint one should still be seen.
export function shades(colours) {
  const pen = canvasOf(256, 1).getContext("2d")
  const gradient = pen.createLinearGradient(0, 0, 256, 0)
  colours.forEach((colour, at) => gradient.addColorStop(at / (colours.length - 1), colour))
  pen.fillStyle = gradient
  pen.fillRect(0, 0, 256, 1)
  const { data } = pen.getImageData(0, 0, 256, 1)
  const all = Array.from({ length: 256 }, (_, at) => data.slice(4 * at, 4 * at + 4))
  return weight => all[Math.round(255 * Math.sqrt(clamp(weight, 0, 1)))]
}

function canvasOf(width, height) {
  return element("canvas", "", null, { width, height })
}

// -- Pictures to keep ----------------------------------------------------------------------------

// A copy of a drawing on the theme's background, as a file of its own needs it.
export function onPaper(svg) {
  const copy = svg.cloneNode(true)
  const fill = readTheme(svg).background
  copy.prepend(svgElement("rect", null, { width: "100%", height: "100%", fill }))
  const plain = resolver(svg.parentElement)
  for (const name of ["fill", "stroke"]) {
    for (const each of copy.querySelectorAll(`[${name}]`)) {
      each.setAttribute(name, plain(each.getAttribute(name)))
    }
  }
  return copy
}

export function saveSvg(svg, name) {
  download(fileOf(svg), name)
}

// With twice as many pixels each way as on the screen.
export function savePng(svg, name) {
  const url = URL.createObjectURL(fileOf(svg))
  const image = new Image()
  image.onload = () => {
    const [width, height] = ["width", "height"].map(side => 2 * svg.getAttribute(side))
    const canvas = canvasOf(width, height)
    canvas.getContext("2d").drawImage(image, 0, 0, width, height)
    URL.revokeObjectURL(url)
    saveCanvas(canvas, name)
  }
  image.src = url
}

export function saveCanvas(canvas, name) {
  canvas.toBlob(blob => download(blob, name))
}

// An address for a text, as long as the page lives.
export function addressOf(text, type) {
  return URL.createObjectURL(new Blob([text], { type }))
}

function fileOf(svg) {
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" })
}

function download(blob, name) {
  const url = URL.createObjectURL(blob)
  element("a", "", null, { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

// -- Numbers -------------------------------------------------------------------------------------

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value))
}

// What Python packed as bytes.
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))
}

export function whole(value) {
  return value.toLocaleString("en")
}

export function percent(share) {
  return `${Math.round(100 * share)}%`
}

// Says numbers with this many decimals.
export function fixed(decimals) {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return value => value.toLocaleString("en", options)
}

// Four digits are enough to read; `digits` asks for zeros at the end, as 1.700 beside 1.703.
export function number(value, digits = 1) {
  const size = Math.abs(value)
  if (size && (size < 0.001 || size >= 1e7)) {
    return value.toExponential(2).replace(/\.?0*e\+?/, "e") // 2.50e+12 is 2.5e12
  }
  if (size >= 1000 || Number.isInteger(value)) return whole(Math.round(value))
  const options = { minimumSignificantDigits: digits, maximumSignificantDigits: 4 }
  return value.toLocaleString("en", options)
}
