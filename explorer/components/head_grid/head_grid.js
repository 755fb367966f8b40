// All heads of a model at a glance: a small map each, with its role scores; a press opens a head.
//
// data: { layers: [[head]], size, alt, isHalf }
// isHalf: whether another grid stands beside this one; scores have no room then
// head: { map (size x size bytes, base64), label, scores: [[short title, title, share or null]] }

import { bytesOf, button, element, readTheme, saveCanvas, shades } from "../shared.js"

export default function headGrid(component) {
  const { parentElement, data, setTriggerValue } = component
  const root = parentElement.querySelector(".grid") ?? element("div", "part grid", parentElement)
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", data.alt)
  root.classList.toggle("half", Boolean(data.isHalf))
  const shade = shades(readTheme(root).scale)
  root.style.setProperty("--layers", data.layers.length)
  root.replaceChildren()
  data.layers.forEach((heads, layer) => {
    const row = element("section", "layer", root)
    element("h2", "", row).textContent = `Layer ${layer}`
    const maps = element("div", "heads", row)
    heads.forEach((head, number) => {
      const open = () => setTriggerValue("chosen", [layer, number])
      drawHead(button("", "head", maps, open, { title: `Open head ${number} of layer ${layer}` }), head, number, data.size, shade)
    })
  })
  button("Save as PNG", "", root, () => saveGrid(root, data))
}

function drawHead(parent, head, number, size, shade) {
  drawMap(element("canvas", "map", parent, { "aria-hidden": true }), head.map, size, shade)
  element("span", "label", parent).textContent = `${number}: ${head.label}`
  const scores = element("span", "scores", parent)
  for (const [short, title, share] of head.scores) {
    const score = element("span", "score", scores, { title })
    element("span", "short", score).textContent = short
    const bar = element("span", "bar", score)
    bar.style.setProperty("--share", share ?? 0)
    element("span", "value", score).textContent = share === null ? "–" : share.toFixed(2)
  }
}

function drawMap(canvas, base64, size, shade) {
  canvas.width = canvas.height = size
  const context = canvas.getContext("2d")
  const image = context.createImageData(size, size)
  bytesOf(base64).forEach((byte, place) => image.data.set(shade(byte / 255), 4 * place))
  context.putImageData(image, 0, 0)
}

// All maps with their names and roles in one picture.
function saveGrid(root, { layers }) {
  const [cell, gap, words] = [160, 16, 40]
  const theme = readTheme(root)
  const picture = element("canvas", "", null, {
    width: gap + Math.max(...layers.map(heads => heads.length)) * (cell + gap),
    height: gap + layers.length * (cell + gap + words),
  })
  const context = picture.getContext("2d")
  context.fillStyle = theme.background
  context.fillRect(0, 0, picture.width, picture.height)
  context.imageSmoothingEnabled = false
  context.fillStyle = theme.text
  context.font = "13px sans-serif"
  const maps = [...root.querySelectorAll("canvas")]
  layers.forEach((heads, layer) => heads.forEach((head, number) => {
    const [x, y] = [gap + number * (cell + gap), gap + layer * (cell + gap + words)]
    context.fillText(`Layer ${layer}, head ${number}`, x, y + 13)
    context.fillText(head.label, x, y + 30)
    context.drawImage(maps.shift(), x, y + words, cell, cell)
  }))
  saveCanvas(picture, "heads.png")
}
