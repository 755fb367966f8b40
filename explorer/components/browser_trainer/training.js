// A training run, piece by piece, as tiny_llama/training.py has it: the same batches, the same steps,
// the same looks at held-out text.

import { Random } from "./random.js"
import { Writer } from "./writer.js"

// The learning rate of a step, counted from 1, as tiny_llama/train_config.py has it.
export function learningRateAt(config, step) {
  const { steps, warmup_steps: warmup, learning_rate: peak, schedule } = config
  if (step < warmup) return (peak * step) / warmup
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup))
  if (schedule === "constant") return peak
  const height = schedule === "linear" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2
  const low = peak * 0.1
  return low + height * (peak - low)
}

export class Training {
  pieces = null // of the step that is being done
  awaits = null // a promise: the next piece of work comes after it
  spent = 0 // milliseconds of training on that step

  // `material` is what `material.py` packs: the setup and where the run stands, and the text. With a
  // partner (see partner.js), it finds half of each gradient itself.
  constructor(engine, material, partner = null) {
    Object.assign(this, { engine, material, partner, config: material.training })
    this.context = material.context
    this.nextStep = material.next_step // the step whose weights come next; 0: a look at the model
    const room = this.config.batch_size * this.context
    this.inputs = new Int32Array(room)
    this.targets = new Int32Array(room)
    this.restore(material)
  }

  restore({ weights, means, squares }) {
    this.engine.weights.set(weights)
    if (means) this.engine.means.set(means)
    if (squares) this.engine.squares.set(squares)
  }

  // Go on alone.
  leave() {
    this.partner?.dismiss()
    this.partner = null
  }

  get isDone() {
    return this.nextStep > this.config.steps
  }

  // Whether a step has begun and is not reported: weights may then be ahead of the reports.
  get isAmid() {
    return this.pieces !== null
  }

  // Do the next piece of work: a step's training or a part of it, a look at some held-out texts, or a
  // token. Gives the report, as a row of metrics.jsonl, once a step and all that is due after it are
  // done. Does nothing while there is something to wait for. Throws an Error with a sentence where the
  // numbers have overflowed.
  advance() {
    if (this.awaits) return null
    this.pieces ??= this.step(this.nextStep)
    const { done, value } = this.pieces.next()
    if (!done) return null
    this.pieces = null
    this.nextStep += 1
    return value
  }

  * step(step) {
    const { config } = this
    const report = { step, n_tokens: step * this.inputs.length }
    if (step) Object.assign(report, yield* this.train(step))
    if (isDue(step, config.evaluate_every, config.steps)) {
      yield
      Object.assign(report, yield* this.look(step))
    }
    if (isDue(step, config.sample_every, config.steps)) report.sample = yield* this.write()
    return report
  }

  * train(step) {
    const { config, engine } = this
    this.spent = 0
    this.timed(() => this.drawBatch(step))
    const loss = yield* this.differentiate(step)
    this.check(step, "loss", loss)
    const learningRate = learningRateAt(config, step)
    const settings = { ...this.settings(), learningRate, step }
    const length = this.timed(() => engine.takeStep(settings))
    this.check(step, "gradient", length)
    return { loss, learning_rate: learningRate, gradient_norm: length, seconds: this.spent / 1000 }
  }

  // Find the batch's loss and gradient: those of its first half, and of its second, each rounded, so
  // that the sum is the same whoever finds which.
  * differentiate(step) {
    const own = yield* this.half(this.partner?.isFirst ?? true ? 0 : 1)
    const other = (yield* this.fromPartner(step, own)) ?? (yield* this.half(1))
    return this.timed(() => {
      const { gradients } = this.engine
      for (let i = 0; i < gradients.length; i++) gradients[i] = own.gradient[i] + other.gradient[i]
      return own.loss + other.loss
    })
  }

  // Find what a half of the batch adds to its loss and gradient, some texts at a time.
  * half(which) {
    const { context, engine, inputs, targets } = this
    const { batch_size: texts, label_smoothing: smoothing } = this.config
    const middle = Math.ceil(texts / 2)
    const [begin, end] = which ? [middle, texts] : [0, middle]
    this.halves ??= [0, 1].map(() => new Float32Array(engine.count))
    const gradient = this.halves[which].fill(0)
    let loss = 0
    for (let text = begin; text < end; text += this.textsAtOnce) {
      const n = Math.min(this.textsAtOnce, end - text)
      const [from, to] = [text * context, (text + n) * context]
      loss += (n / texts) * this.timed(() => {
        engine.read(inputs.subarray(from, to), targets.subarray(from, to))
        const found = engine.differentiate(n, smoothing)
        addShare(gradient, engine.gradients, n / texts)
        return found
      })
      yield
    }
    return { loss, gradient }
  }

  // Give the partner one half, and wait for the other; null: there is no partner, or not any more.
  * fromPartner(step, own) {
    if (!this.partner) return null
    this.timed(() => this.partner.give(step, own, this.spent))
    const began = performance.now()
    let other = null
    this.awaits = this.partner.take(step).then(half => {
      this.spent += performance.now() - began
      this.awaits = null
      other = half
    })
    yield
    if (this.partner.isGone) this.partner = null
    return other
  }

  // Do something, and count the milliseconds that it takes.
  timed(act) {
    const began = performance.now()
    const found = act()
    this.spent += performance.now() - began
    return found
  }

  settings() {
    const { beta1, beta2, weight_decay: weightDecay, gradient_clip: clip } = this.config
    return { beta1, beta2, weightDecay, clip }
  }

  // The windows of a step, as `TokenizedText.batch` draws them.
  drawBatch(step) {
    const { context, config, inputs, targets } = this
    const { tokens, n_places: places, seed_of_data: seed } = this.material
    const random = new Random([seed, step])
    for (let text = 0; text < config.batch_size; text++) {
      const start = random.below(places)
      inputs.set(tokens.subarray(start, start + context), text * context)
      targets.set(tokens.subarray(start + 1, start + 1 + context), text * context)
    }
  }

  get textsAtOnce() {
    return this.material.texts_at_once
  }

  // Look at the held-out texts, as many at a time as training reads.
  * look(step) {
    const { held_out_inputs: inputs, held_out_targets: targets, held_out_bytes } = this.material
    const room = this.textsAtOnce * this.context
    let [loss, counted] = [0, 0]
    for (let at = 0; at < inputs.length; at += room) {
      this.engine.read(inputs.subarray(at, at + room), targets.subarray(at, at + room))
      const found = this.engine.judge(Math.min(room, inputs.length - at) / this.context)
      loss += found.loss
      counted += found.counted
      yield
    }
    this.check(step, "held-out loss", loss)
    const bits = loss / Math.log(2) / Math.max(1, held_out_bytes)
    return { held_out_loss: loss / counted, bits_per_byte: bits }
  }

  // Write on from the text's usual beginning; gives tokens, since only Python reads all of them.
  * write() {
    const { prompt, temperature } = this.material
    const random = new Random([this.config.seed])
    const writer = new Writer(this.engine, this.context, () => random.share())
    prompt.forEach(token => writer.push(token))
    const said = []
    for (let count = 0; count < this.config.sample_tokens; count++) {
      said.push(writer.write(temperature))
      yield
    }
    return { prompt, tokens: said }
  }

  check(step, name, value) {
    if (Number.isFinite(value)) return
    const rate = Number(learningRateAt(this.config, step).toPrecision(6))
    throw new Error(
      `Training ended at step ${step}: the ${name} became ${value}; usually the learning rate (here `
      + `${rate}) is too high, or norm or gradient clipping is missing, so start again with a lower `
      + "rate or longer warm-up.")
  }
}

function addShare(sum, numbers, share) {
  for (let i = 0; i < sum.length; i++) sum[i] += share * numbers[i]
}

function isDue(step, every, last) {
  return step === 0 || step === last || (every > 0 && step % every === 0)
}
