// What Python packs for the browser: some JSON, and arrays after it (see material.py).

const KINDS = { int32: Int32Array, uint16: Uint16Array, float32: Float32Array, uint8: Uint8Array }

// Give all of it by name; arrays are views of the bytes, which are copied where they lie askew.
export function unpack(bytes) {
  const whole = bytes.byteOffset % 8 ? bytes.slice() : bytes
  const length = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true)
  const words = new TextDecoder().decode(whole.subarray(8, 8 + length))
  const { arrays, ...values } = JSON.parse(words)
  for (const [name, kind, start, count] of arrays) {
    values[name] = new KINDS[kind](whole.buffer, whole.byteOffset + 8 + length + start, count)
  }
  return values
}
