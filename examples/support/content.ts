/**
 * Memory that looks like a guest's: half of it empty, the rest text, structures and noise in runs of different lengths.
 */
const PAGE = 4096
const WORDS =
  "the quick brown fox jumps over a lazy dog while migration moves pages of memory from here to there".split(" ")

/**
 * A small generator of pseudo-random numbers below 2^32 (xorshift), so that every run of a program sees the same
 * memory.
 */
export const numbers = (seed: number): (() => number) => {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

type Fill = (page: Uint8Array, next: () => number, number: number) => void

const text: Fill = (page, next) => {
  let at = 0
  while (at < page.length) {
    const word = `${WORDS[next() % WORDS.length]!} `
    at += new TextEncoder().encodeInto(word, page.subarray(at)).written || page.length
  }
}

/** What page tables and heaps look like: small differences from word to word. */
const structure: Fill = (page, _, number) => {
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  for (let at = 0; at < page.length; at += 8) view.setUint32(at, number * 512 + at / 8, true)
}

const noise: Fill = (page, next) => {
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  for (let at = 0; at < page.length; at += 4) view.setUint32(at, next(), true)
}

const zeros: Fill = (page) => void page.fill(0)

/** Zeros come up as often as everything else together. */
const kinds: ReadonlyArray<Fill> = [zeros, text, zeros, structure, zeros, noise]

/** Fills memory with runs of 1 to 256 pages of one kind each. */
export const write = (memory: Uint8Array, seed: number): void => {
  const next = numbers(seed)
  for (let page = 0, end = 0, kind = zeros; page * PAGE < memory.length; page++) {
    if (page === end) {
      end += 1 + (next() % 256)
      kind = kinds[next() % kinds.length]!
    }
    kind(memory.subarray(page * PAGE, (page + 1) * PAGE), next, page)
  }
}
