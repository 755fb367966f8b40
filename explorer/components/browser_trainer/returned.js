// What the server is given of a run, as explorer/engine/server/returned.py reads it.

// Of where it stands: { nextStep } and the three arrays; `rows` are plain ones.
export function message({ nextStep, weights, means, squares }, rows) {
  const numbers = Object.fromEntries(
    Object.entries({ weights, means, squares }).map(([name, row]) => [name, base64Of(row)]))
  return { next_step: nextStep, rows, ...numbers }
}

// What only this browser knows of a step; the rest follows from the setup.
export function plainRow(row) {
  const numbers = ["loss", "gradient_norm", "seconds", "held_out_loss", "bits_per_byte"]
    .filter(name => name in row)
    .map(name => [name, Number(row[name].toPrecision(7))])
  const sample = row.sample && { sample: row.sample.tokens }
  return { step: row.step, ...Object.fromEntries(numbers), ...sample }
}

function base64Of(numbers) {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  const pieces = []
  for (let at = 0; at < bytes.length; at += 32768) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32768)))
  }
  return btoa(pieces.join(""))
}
