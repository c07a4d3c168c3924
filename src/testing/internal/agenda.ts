// A heap indexes inside its length by construction, at every step of a simulation.
// oxlint-disable typescript/no-non-null-assertion -- see above
/**
 * A future event. `time` is in milliseconds.
 *
 * @internal
 */
export interface Appointment {
  readonly time: number
  /** The order among events at the same time. */
  readonly rank: number
  /** Counts all appointments from 0. */
  readonly id: number
  readonly run: () => void
}

const isEarlier = (a: Appointment, b: Appointment): boolean => (a.time === b.time ? a.rank < b.rank : a.time < b.time)

/**
 * Future events, the earliest first: a binary heap.
 *
 * @internal
 */
export class Agenda {
  readonly #heap: Array<Appointment> = []

  add(appointment: Appointment): void {
    const heap = this.#heap
    let at = heap.push(appointment) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isEarlier(appointment, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = appointment
  }

  /** Removes the earliest event. */
  next(): Appointment | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) this.#sink(last)
    return first
  }

  /** Puts an event at the root and sinks it to its position. */
  #sink(appointment: Appointment): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < heap.length && isEarlier(heap[child + 1]!, heap[child]!)) child++
      if (child >= heap.length || !isEarlier(heap[child]!, appointment)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = appointment
  }
}
