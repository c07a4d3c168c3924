/**
 * Inputs for decoders, the same ones each time: bytes that something made sense of, changed in places, and bytes that never
 * made any.
 */

/** A whole number below a bound. */
export type Random = (below: number) => number

/** Whole numbers, the same ones for each seed. */
export const randomFrom = (seed: number): Random => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Small numbers and the largest ones are where lengths and offsets go wrong. */
const BYTES = [0, 1, 0x7f, 0x80, 0xff]
const WORDS = [
  0n,
  1n,
  0x7fffn,
  0xffffn,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n
]
const MAX_CHANGES = 4
const MAX_SPAN = 64
const MAX_ARBITRARY = 400

type Change = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

/** A place and a length inside the bytes. */
const spanOf = (bytes: Uint8Array, random: Random) => {
  const at = random(bytes.length + 1)
  return { at, length: random(Math.min(MAX_SPAN, bytes.length - at) + 1) }
}

const changes: ReadonlyArray<Change> = [
  function anyByte(bytes, random) {
    bytes[random(bytes.length)] = random(2) === 0 ? BYTES[random(BYTES.length)]! : random(256)
    return bytes
  },
  function bit(bytes, random) {
    bytes[random(bytes.length)]! ^= 1 << random(8)
    return bytes
  },
  function oneMoreOrLess(bytes, random) {
    bytes[random(bytes.length)]! += random(2) === 0 ? 1 : -1
    return bytes
  },
  function number(bytes, random) {
    const width = [2, 4, 8][random(3)]!
    const value = BigInt.asUintN(8 * width, WORDS[random(WORDS.length)]!)
    const word = Buffer.from(value.toString(16).padStart(2 * width, "0"), "hex")
    if (random(4) === 0) word.reverse()
    bytes.set(word.subarray(0, bytes.length), random(Math.max(1, bytes.length - width + 1)))
    return bytes
  },
  function cut(bytes, random) {
    return bytes.slice(0, random(bytes.length + 1))
  },
  function removed(bytes, random) {
    const { at, length } = spanOf(bytes, random)
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]))
  },
  function repeated(bytes, random) {
    const { at, length } = spanOf(bytes, random)
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]))
  },
  function copied(bytes, random) {
    const { at, length } = spanOf(bytes, random)
    return bytes.copyWithin(random(bytes.length), at, at + length)
  },
  function spliced(bytes, random, other) {
    const [end, start] = [random(bytes.length + 1), random(other.length + 1)]
    return new Uint8Array(Buffer.concat([bytes.subarray(0, end), other.subarray(start)]))
  }
]

/** A copy of `bytes` with some changes, if any; `other` is where it may go on. */
export const mutate = (bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array => {
  let changed: Uint8Array = bytes.slice()
  for (let left = random(MAX_CHANGES + 1); left > 0 && changed.length > 0; left--) {
    changed = changes[random(changes.length)]!(changed, random, other)
  }
  return changed
}

/** Bytes without any sense, behind the beginning of some that have. */
const arbitrary = (bytes: Uint8Array, random: Random): Uint8Array => {
  const kept = random(3) === 0 ? bytes.subarray(0, random(MAX_SPAN)) : bytes.subarray(0, 0)
  const noise = Uint8Array.from({ length: random(MAX_ARBITRARY) }, () => random(256))
  return new Uint8Array(Buffer.concat([kept, noise]))
}

/** The next input: one in eight is arbitrary, the others are mutated. */
export const nextInput = (seeds: ReadonlyArray<Uint8Array>, random: Random): Uint8Array => {
  const [bytes, other] = [seeds[random(seeds.length)]!, seeds[random(seeds.length)]!]
  return random(8) === 0 ? arbitrary(bytes, random) : mutate(bytes, other, random)
}
