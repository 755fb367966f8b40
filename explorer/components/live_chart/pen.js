// How lines look: a current run and up to five earlier ones can be told apart without colours, too.

import { isCalm } from "./points.js"

const DASHES = [[7, 4], [2, 3], [10, 3, 2, 3], [14, 6], [8, 3, 2, 3, 2, 3]] // of earlier runs
const MARKERS = ["circle", "square", "triangle", "diamond"]
const SAMPLE = [36, 12] // pixels of a line in the legend, as in the style sheet: two dashes or more

// A canvas with as many pixels as the screen has there, measured in CSS pixels.
export function fit(canvas, width, height) {
  const dots = devicePixelRatio || 1
  canvas.width = Math.round(width * dots)
  canvas.height = Math.round(height * dots)
  const pen = canvas.getContext("2d")
  pen.scale(dots, dots)
  return pen
}

export function drawSample(canvas, line, theme) {
  const [width, height] = SAMPLE
  const pen = fit(canvas, width, height)
  const dashes = dashesOf(line)
  const period = dashes.reduce((sum, length) => sum + length, 0)
  const start = (width - (dashes[0] ?? 200)) / 2 - 40 * period // a dash and a marker in the middle
  const points = [start, width / 2, 200].map(x => [x, height / 2])
  drawSeries(pen, line, theme, isCalm(line) ? [] : points, line.smooth && points)
}

function dashesOf(line) {
  return line.age === 0 ? [] : DASHES[(line.age - 1) % DASHES.length]
}

// A noisy line is pale under its average; another has markers, where there is room for them and for
// the dashes between them.
export function drawSeries(pen, line, theme, points, average) {
  const colour = theme.colour(line)
  const current = line.age === 0
  const strength = line.faint ? 0.15 : current ? 1 : 0.75
  const width = points.length && points.at(-1)[0] - points[0][0]
  pen.strokeStyle = colour
  pen.lineJoin = "round"
  pen.setLineDash(dashesOf(line))
  pen.lineWidth = average ? 1 : 1.75
  pen.globalAlpha = strength * (!average ? 1 : points.length > 2 * width ? 0.25 : 0.4)
  stroke(pen, points) // of earlier runs' noisy lines there are none
  pen.globalAlpha = strength
  if (average) {
    pen.lineWidth = current ? 2.5 : 2
    stroke(pen, average)
  }
  pen.setLineDash([])
  const marker = MARKERS[line.shape % MARKERS.length]
  if (!average) drawMarkers(pen, points, marker, colour, current ? 10 : 60)
  pen.globalAlpha = 1
}

function drawMarkers(pen, points, shape, colour, room) {
  let last = -Infinity
  for (const [x, y] of points) {
    if (x - last < room) continue
    drawMarker(pen, shape, x, y, 3, colour)
    last = x
  }
}

export function stroke(pen, points) {
  pen.beginPath()
  for (const point of points) pen.lineTo(...point)
  pen.stroke()
}

export function drawMarker(pen, shape, x, y, size, colour) {
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
