// All heads of a model at a glance: a small map each, with its role scores; a press opens a head.
//
// data: { layers: [[head]], size, alt }
// head: { map (size x size bytes, base64), label, scores: [[short title, title, share or null]] }

const BLUES = "#F5F8FB,#98C5E1,#2173B2,#062A54" // where the theme names no scale

export default function headGrid(component) {
  const { parentElement, data, setTriggerValue } = component
  const root = parentElement.querySelector(".grid") ?? element("div", "grid", parentElement)
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", data.alt)
  const colours = scale(root)
  root.replaceChildren()
  data.layers.forEach((heads, layer) => {
    const row = element("section", "layer", root)
    element("h2", "", row).textContent = `Layer ${layer}`
    const maps = element("div", "heads", row)
    heads.forEach((head, number) => {
      const button = drawHead(maps, head, number, data.size, colours)
      button.addEventListener("click", () => setTriggerValue("chosen", [layer, number]))
    })
  })
  const save = element("button", "save", root)
  save.type = "button"
  save.textContent = "Save as PNG"
  save.addEventListener("click", () => saveGrid(root, data))
}

function drawHead(parent, head, number, size, colours) {
  const button = element("button", "head", parent)
  button.type = "button"
  button.title = "Open this head"
  const name = element("span", "name", button)
  name.textContent = `Head ${number}`
  const canvas = element("canvas", "map", button)
  canvas.setAttribute("aria-hidden", "true")
  drawMap(canvas, head.map, size, colours)
  element("span", "label", button).textContent = head.label
  const scores = element("span", "scores", button)
  for (const [short, title, share] of head.scores) {
    const score = element("span", "score", scores)
    score.title = title
    element("span", "short", score).textContent = short
    const bar = element("span", "bar", score)
    bar.style.setProperty("--share", share ?? 0)
    element("span", "value", score).textContent = share === null ? "–" : share.toFixed(2)
  }
  return button
}

function drawMap(canvas, base64, size, colours) {
  canvas.width = canvas.height = size
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))
  const context = canvas.getContext("2d")
  const image = context.createImageData(size, size)
  bytes.forEach((byte, place) => {
    // A square root, since most cells are faint, and a faint one should still be seen.
    const colour = colours[Math.round(255 * Math.sqrt(byte / 255))]
    image.data.set(colour, 4 * place)
  })
  context.putImageData(image, 0, 0)
}

// All maps with their names and roles in one picture.
function saveGrid(root, { layers }) {
  const [cell, gap, words] = [160, 16, 40]
  const style = getComputedStyle(root)
  const picture = document.createElement("canvas")
  picture.width = gap + Math.max(...layers.map(heads => heads.length)) * (cell + gap)
  picture.height = gap + layers.length * (cell + gap + words)
  const context = picture.getContext("2d")
  context.fillStyle = style.getPropertyValue("--st-background-color").trim() || "#FFFFFF"
  context.fillRect(0, 0, picture.width, picture.height)
  context.imageSmoothingEnabled = false
  context.fillStyle = style.color
  context.font = "13px sans-serif"
  const maps = [...root.querySelectorAll("canvas")]
  layers.forEach((heads, layer) => heads.forEach((head, number) => {
    const [x, y] = [gap + number * (cell + gap), gap + layer * (cell + gap + words)]
    context.fillText(`Layer ${layer}, head ${number}`, x, y + 13)
    context.fillText(head.label, x, y + 30)
    context.drawImage(maps.shift(), x, y + words, cell, cell)
  }))
  picture.toBlob(blob => {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(blob)
    link.download = "heads.png"
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  })
}

// 256 colours of the theme's scale, as [red, green, blue, 255].
function scale(root) {
  const style = getComputedStyle(root)
  const named = style.getPropertyValue("--st-chart-sequential-colors").trim() || BLUES
  const strip = document.createElement("canvas")
  strip.width = 256
  strip.height = 1
  const context = strip.getContext("2d")
  const gradient = context.createLinearGradient(0, 0, 256, 0)
  const colours = named.split(",").map(each => each.trim())
  colours.forEach((colour, at) => gradient.addColorStop(at / (colours.length - 1), colour))
  context.fillStyle = gradient
  context.fillRect(0, 0, 256, 1)
  const { data } = context.getImageData(0, 0, 256, 1)
  return Array.from({ length: 256 }, (_, at) => data.slice(4 * at, 4 * at + 4))
}

function element(tag, className, parent) {
  const made = document.createElement(tag)
  if (className) made.className = className
  parent.append(made)
  return made
}
