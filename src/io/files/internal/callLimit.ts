/**
 * Lets so many calls be with the kernel at the same time; the others wait here, in the order in which they came.
 *
 * @internal
 */
export class CallLimit {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor(calls: number) {
    this.#free = calls
  }

  /** Begins a call when it may; whoever began has to `leave` when the call is through. */
  enter(begin: () => void): void {
    if (this.#free === 0) return void this.#waiting.push(begin)
    this.#free--
    begin()
  }

  /** The place of a call that is through goes to the next one. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
