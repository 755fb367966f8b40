// From values to pixels, and the ticks between.

import { fixed, number } from "../shared.js"
import { drawnValues, range, span } from "./points.js"

const UNITS = [[1e9, "B"], [1e6, "M"], [1e3, "k"], [0, ""]]

export function scale(low, high, from, to, log = false) {
  const f = log ? Math.log10 : v => v
  const place = value => from + ((f(value) - f(low)) / (f(high) - f(low))) * (to - from)
  place.invert = pixel => low + ((pixel - from) / (to - from)) * (high - low) // of linear ones
  return place
}

// The y range, and how many points lie above it. Every value in view is inside, unless one in a
// hundred would press the others into a quarter of the height.
export function visibleValues(lines, first, last, log) {
  const inView = lines.flatMap(line => drawnValues(line).slice(...span(line.x, first, last)))
  const values = Float64Array.from(log ? inView.filter(value => value > 0) : inView).sort()
  if (!values.length) return { low: log ? 0.1 : 0, high: 1, count: 0 }
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

export function ticks(low, high, count, log = false) {
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

// Labels of one axis have the same number of decimals, or are short like 500k and 1.5M.
export function tickLabel(all) {
  if (Math.max(...all.map(Math.abs)) >= 1e5 && all.every(tick => short(tick))) return short
  const decimals = Math.max(0, ...all.map(tick => (String(tick).split(".")[1] ?? "").length))
  if (decimals > 6 || all.some(tick => String(tick).includes("e"))) return tick => number(tick)
  return fixed(decimals)
}

// A number in thousands, millions or billions; nothing where that is too long or would not be true.
function short(value) {
  if (value === 0) return "0"
  const [size, letter] = UNITS.find(([size]) => Math.abs(value) >= size)
  const digits = Number((value / size).toPrecision(12))
  return digits < 1e4 && digits === Number(digits.toFixed(4)) ? `${digits}${letter}` : ""
}
