// How a model writes on, token by token, as tiny_llama/generation.py has it.

export class Writer {
  visible = [] // tokens that the model sees
  done = 0 // how many of them it has read

  // `dice` gives numbers from 0 to below 1.
  constructor(engine, context, dice) {
    Object.assign(this, { engine, context, dice })
  }

  // Add a token; at the end of the context, the first half is forgotten.
  push(token) {
    if (this.visible.length === this.context) {
      this.visible = this.visible.slice(-Math.floor(this.context / 2))
      this.done = 0
    }
    this.visible.push(token)
  }

  // Draw what comes next, bolder below a temperature of 1, and add it.
  write(temperature) {
    const token = this.draw(weightsOf(this.nextScores(), temperature))
    this.push(token)
    return token
  }

  nextScores() {
    let scores
    for (; this.done < this.visible.length; this.done++) {
      scores = this.engine.readToken(this.done, this.visible[this.done])
    }
    return scores
  }

  draw(weights) {
    let left = this.dice() * weights.reduce((sum, weight) => sum + weight, 0)
    const token = weights.findIndex(weight => (left -= weight) < 0)
    return token < 0 ? weights.length - 1 : token
  }
}

function weightsOf(scores, temperature) {
  const most = scores.reduce((one, other) => Math.max(one, other))
  return Float64Array.from(scores, score => Math.exp((score - most) / temperature))
}
