import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

interface Hands {
  /** Schedules a task for a later moment, lower priority numbers first. */
  readonly schedule: (task: () => void, priority: number) => void
  /** Called before each operation of a fiber; returns `true` to make the fiber yield first. */
  readonly atOperation: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
}

/**
 * Delegates the order of fibers, and the points at which they yield.
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
   * A fiber never yields before its very first operation, as in Effect itself: one that was interrupted before its
   * start would be about to end, be started anyway, and forget the interruption.
   */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.#hands.atOperation(fiber) && fiber.currentOpCount > 1
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task, priority) => this.#hands.schedule(task, priority),
      // Nothing waits here: everything is on the agenda.
      flush: () => {}
    }
  }
}
