import type { Later } from "../Simulation.ts"
import { randomFrom } from "./random.ts"

/**
 * In another turn of Node's event loop.
 *
 * @internal
 */
export const nextTurn: Later = (run) => void setImmediate(run)

/**
 * Queues submitted work, as a thread pool does: nothing happens during the submitting call. One job runs per turn of
 * the event loop, in the order of submission or in one that a seed selects.
 *
 * @internal
 */
export class EventLoop {
  readonly #waiting: Array<() => void> = []
  readonly #random: () => number
  readonly #later: Later

  constructor(seed: number | undefined, later: Later = nextTurn) {
    this.#random = seed === undefined ? () => 0 : randomFrom(seed)
    this.#later = later
  }

  submit(work: () => void): void {
    this.#waiting.push(work)
    this.#later(() => this.#next())
  }

  #next(): void {
    const index = Math.floor(this.#random() * this.#waiting.length)
    const [work] = this.#waiting.splice(index, 1)
    work?.()
  }
}
