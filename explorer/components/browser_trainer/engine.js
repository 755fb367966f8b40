// The engine, compiled from C: what it can do, and where in its memory the numbers lie.

// Each is a module that a browser finds valid only if it has vectors, or their relaxed products.
const HEAD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10]
const VECTORS = [...HEAD, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]
const RELAXED = [...HEAD, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11]

// Which build this browser can run: the faster one, the plain one, or none (""). A page's content
// policy, too, may forbid to compile any.
export function bestBuild() {
  return compiles(RELAXED) ? "relaxed" : compiles(VECTORS) ? "plain" : ""
}

function compiles(bytes) {
  try {
    return Boolean(new WebAssembly.Module(Uint8Array.from(bytes)))
  } catch {
    return false
  }
}

export class Engine {
  // Compile a build, and set up a model as `shape.py` writes it down.
  static async of(build, shape) {
    const { cos, sin, log, pow } = Math
    const { instance } = await WebAssembly.instantiate(build, { host: { cos, sin, log, pow } })
    return new Engine(instance.exports, shape)
  }

  constructor(calls, { sizes, reals, windows, thetas }) {
    this.calls = calls
    this.count = calls.set_up(
      this.put(Int32Array.from(sizes)),
      this.put(Float32Array.from(reals)),
      this.put(Int32Array.from(windows)),
      this.put(Float64Array.from(thetas)),
    )
    calls.prepare_optimizer(this.count)
    this.step = this.put(new Uint8Array(48)) // of the struct in optimizer.c
    this.vocabularySize = sizes[0]
  }

  // All of the model's numbers in one row, their gradients, and what AdamW remembers of each: views of
  // the memory, to be read and set at once.
  get weights() { return this.floats(this.calls.parameters_at(), this.count) }
  get gradients() { return this.floats(this.calls.gradients_at(), this.count) }
  get means() { return this.floats(this.calls.means_at(), this.count) }
  get squares() { return this.floats(this.calls.squares_at(), this.count) }

  // Hand over texts, both rows of as many numbers; a target below 0 does not count.
  read(inputs, targets) {
    const { buffer } = this.calls.memory
    new Int32Array(buffer, this.calls.tokens_at(), inputs.length).set(inputs)
    new Int32Array(buffer, this.calls.targets_at(), targets.length).set(targets)
  }

  // Find the mean loss of the texts that were read, and the gradient.
  differentiate(texts, smoothing) {
    return this.calls.differentiate(texts, smoothing)
  }

  // Move all weights by the gradient; gives its length before it was clipped.
  takeStep({ learningRate, beta1, beta2, weightDecay, clip, step }) {
    const at = new DataView(this.calls.memory.buffer, this.step)
    const reals = [learningRate, beta1, beta2, weightDecay, clip]
    reals.forEach((value, place) => at.setFloat64(8 * place, value, true))
    at.setInt32(40, step, true)
    return this.calls.take_step(this.step)
  }

  // The sum of the losses of the texts that were read, how many tokens count, and of how many the
  // right one is found likeliest.
  judge(texts) {
    const loss = this.calls.judge(texts)
    return { loss, counted: this.calls.counted(), right: this.calls.right() }
  }

  // Read one more token and score each that may come next; those before it must have been read.
  readToken(place, token) {
    return this.floats(this.calls.read_token(place, token), this.vocabularySize)
  }

  put(array) {
    const at = this.calls.room(Math.max(8, array.byteLength))
    new Uint8Array(this.calls.memory.buffer, at).set(new Uint8Array(array.buffer))
    return at
  }

  floats(at, count) {
    return new Float32Array(this.calls.memory.buffer, at, count)
  }
}
