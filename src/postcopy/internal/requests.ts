/** A unit of memory that the destination waits for. */
export interface Request {
  readonly idstr: string
  readonly unit: number
  /** Time of arrival, by `performance.now`. */
  readonly since: number
}

/**
 * Requests in order of arrival, each unit once.
 *
 * @internal
 */
export class Requests {
  readonly #waiting: Array<Request> = []
  readonly #keys = new Set<string>()
  #first = 0

  /** `false` if it already waits. */
  add(idstr: string, unit: number, since: number): boolean {
    const key = `${unit} ${idstr}`
    if (this.#keys.has(key)) return false
    this.#keys.add(key)
    this.#waiting.push({ idstr, unit, since })
    return true
  }

  take(): Request | undefined {
    const request = this.#waiting[this.#first]
    if (request === undefined) return undefined
    this.#keys.delete(`${request.unit} ${request.idstr}`)
    this.#first++
    if (this.#first === this.#waiting.length) {
      this.#waiting.length = 0
      this.#first = 0
    }
    return request
  }

  get size(): number {
    return this.#waiting.length - this.#first
  }
}
