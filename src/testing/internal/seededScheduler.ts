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

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.#hands.atOperation(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task, priority) => this.#hands.schedule(task, priority),
      // Nothing waits here: it is all on the agenda.
      flush: () => {}
    }
  }
}
