/**
 * Limits the number of concurrent system calls; the others wait here, in order of arrival.
 *
 * @internal
 */
export class CallLimit {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor(calls: number) {
    this.#free = calls
  }

  /** Starts a call when the limit allows. The caller must `leave` when the call has returned. */
  enter(begin: () => void): void {
    if (this.#free === 0) return void this.#waiting.push(begin)
    this.#free--
    begin()
  }

  /** Passes the slot of a finished call to the next one. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
