// The dice of numpy's default_rng: PCG64 (pcg-random.org), seeded through numpy's SeedSequence.

const MASK_64 = (1n << 64n) - 1n, MASK_128 = (1n << 128n) - 1n
const PCG_FACTOR = 0x2360ed051fc65da44385df649fccf645n
const POOL = 4 // words of 32 bits in which a seed is mixed

// What default_rng([...numbers]) draws; each number is a whole one below 2^53.
export class Random {
  constructor(numbers) {
    const [high, low, highOfWay, lowOfWay] = seedWords(numbers)
    this.way = ((((highOfWay << 64n) | lowOfWay) << 1n) | 1n) & MASK_128
    this.state = 0n
    this.next()
    this.state = (this.state + ((high << 64n) | low)) & MASK_128
    this.next()
    this.half = null // the upper half of 64 bits, of which the lower one has been given
  }

  next() {
    this.state = (this.state * PCG_FACTOR + this.way) & MASK_128
    const mixed = (this.state >> 64n) ^ (this.state & MASK_64)
    const turn = this.state >> 122n
    return ((mixed >> turn) | (mixed << (64n - turn))) & MASK_64
  }

  next32() {
    if (this.half !== null) {
      const given = this.half
      this.half = null
      return given
    }
    const both = this.next()
    this.half = Number(both >> 32n)
    return Number(both & 0xffffffffn)
  }

  // A number from 0 to below 1, as `random()`.
  share() {
    return Number(this.next() >> 11n) / 2 ** 53
  }

  // A whole number from 0 to below `end`, as `integers(0, end)` (arXiv:1805.10941); at most 2^32.
  below(end) {
    if (end === 1) return 0
    const least = BigInt((2 ** 32 - end) % end)
    for (;;) {
      const product = BigInt(this.next32()) * BigInt(end)
      if ((product & 0xffffffffn) >= least) return Number(product >> 32n)
    }
  }
}

function seedWords(numbers) {
  const entropy = numbers.flatMap(number => number < 2 ** 32
    ? [number] : [number % 2 ** 32, Math.floor(number / 2 ** 32)])
  const words = wordsFrom(mixedPool(entropy), 8)
  return [0, 2, 4, 6].map(at => BigInt(words[at]) | (BigInt(words[at + 1]) << 32n))
}

function mixedPool(entropy) {
  const hash = hasher(0x43b0d7e5, 0x931e8875)
  const pool = Array.from({ length: POOL }, (_, at) => hash(entropy[at] ?? 0))
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]))
  }
  for (const more of entropy.slice(POOL)) {
    for (let to = 0; to < POOL; to++) pool[to] = mix(pool[to], hash(more))
  }
  return pool
}

function wordsFrom(pool, count) {
  const hash = hasher(0x8b51f9dd, 0x58f38ded)
  return Array.from({ length: count }, (_, at) => hash(pool[at % POOL]))
}

function hasher(start, factor) {
  let constant = start
  return word => {
    const mixed = word ^ constant
    constant = Math.imul(constant, factor)
    return folded(Math.imul(mixed, constant))
  }
}

function mix(one, other) {
  return folded(Math.imul(0xca01f9dd, one) - Math.imul(0x4973f715, other))
}

function folded(word) {
  return ((word >>> 0) ^ (word >>> 16)) >>> 0
}
