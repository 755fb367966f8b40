// A line's points: what arrives is kept, in the order of x.

const MOST_POINTS = 8000 // of a line; with more, half of them are dropped

export function newLine() {
  return { end: 0, whole: true, x: [], values: [], averages: [] }
}

export function addPoints(line, update) {
  let x = 0
  update.values.forEach((value, i) => {
    x = update.dx ? x + update.dx[i] : update.x[i]
    const index = update.start + i
    if (index >= line.end) append(line, x, value, index, update.averages?.[i])
  })
  line.end = Math.max(line.end, update.end)
  if (line.x.length > MOST_POINTS) thin(line)
}

// The moving average is that of `moving_average` in __init__.py.
function append(line, x, value, index, average) {
  if (value === null || x === null) return
  const before = line.averages.at(-1) ?? value
  line.whole &&= Number.isInteger(x)
  line.x.push(x)
  line.values.push(value)
  line.averages.push(average ?? before + (value - before) / (2 + 0.03 * index))
}

// Keep both ends, and the lowest and highest value of many stretches of equal length.
function thin(line) {
  const { x, values } = line
  const width = (x.at(-1) - x[0]) / (MOST_POINTS / 4)
  const lowest = new Map(), highest = new Map() // stretch -> index
  x.forEach((place, i) => {
    const stretch = Math.floor((place - x[0]) / width)
    if (!(values[i] >= values[lowest.get(stretch)])) lowest.set(stretch, i)
    if (!(values[i] <= values[highest.get(stretch)])) highest.set(stretch, i)
  })
  const kept = new Set([0, ...lowest.values(), ...highest.values(), x.length - 1])
  const order = [...kept].sort((a, b) => a - b)
  for (const name of ["x", "values", "averages"]) line[name] = order.map(i => line[name][i])
}

// Whether only its average is shown: one run's noise can be looked through, that of six cannot.
export function isCalm(line) {
  return line.smooth && line.age > 0
}

export function drawnValues(line) {
  return isCalm(line) ? line.averages : line.values
}

// Whether a line says anything about a place: it may have ended before, or begun later.
export function reaches({ x }, place) {
  const gap = (x.at(-1) - x[0]) / Math.max(x.length - 1, 1)
  return place >= x[0] - gap && place <= x.at(-1) + gap
}

export function range(from, to) {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i)
}

// The first index whose x is not below `place`.
export function lowerBound(x, place) {
  let [from, to] = [0, x.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (x[middle] < place) from = middle + 1
    else to = middle
  }
  return from
}

export function nearest(x, place) {
  const after = Math.min(lowerBound(x, place), x.length - 1)
  return after > 0 && place - x[after - 1] < x[after] - place ? after - 1 : after
}

// From the first index in view to the one after the last.
export function span(x, first, last) {
  const near = 1e-9 * (last - first)
  return [lowerBound(x, first - near), lowerBound(x, last + near)]
}
