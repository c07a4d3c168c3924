/** A small generator of reproducible numbers in [0, 1): mulberry32. */
const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Where submitted work waits, as in a thread pool: nothing happens during the call that submits it, one thing happens per
 * turn of the event loop, in the order of submission or in one that a seed chooses.
 *
 * @internal
 */
export class EventLoop {
  readonly #waiting: Array<() => void> = []
  readonly #random: () => number

  constructor(seed: number | undefined) {
    this.#random = seed === undefined ? () => 0 : randomFrom(seed)
  }

  submit(work: () => void): void {
    this.#waiting.push(work)
    setImmediate(() => this.#next())
  }

  #next(): void {
    const index = Math.floor(this.#random() * this.#waiting.length)
    const [work] = this.#waiting.splice(index, 1)
    work?.()
  }
}
