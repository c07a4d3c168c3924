import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

interface Hands {
  /** Has a task run at some moment, those of a lower priority number first. */
  readonly schedule: (task: () => void, priority: number) => void
  /** Told of each operation that a fiber is about to evaluate; whether the fiber gives way in front of it. */
  readonly atOperation: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
}

/**
 * Lets somebody else decide which fiber goes on, and where it gives way to others.
 *
 * @internal
 */
export class SeededScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly #hands: Hands

  constructor(hands: Hands) {
    this.#hands = hands
  }

  /**
   * A fiber does not give way in front of its very first operation, as it never does otherwise: one that was interrupted before it
   * began would be about to end, be begun nevertheless, and forget that it was interrupted.
   */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.#hands.atOperation(fiber) && fiber.currentOpCount > 1
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task, priority) => this.#hands.schedule(task, priority),
      // Nothing waits here: it is all on the agenda.
      flush: () => {}
    }
  }
}
