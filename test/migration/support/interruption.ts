/** Interrupts a program at a place that is chosen by number, whatever it is doing there. */
import type * as Exit from "effect/Exit"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** Counts the operations that fibers are about to evaluate, and tells of each. */
class CountingScheduler extends Scheduler.MixedScheduler {
  steps = 0
  readonly #atStep: (step: number) => void

  constructor(atStep: (step: number) => void) {
    super()
    this.#atStep = atStep
  }

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.#atStep(++this.steps)
    return super.shouldYield(fiber)
  }
}

export interface Interrupted<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** Operations that were evaluated, by all fibers together. */
  readonly steps: number
}

/** Runs `self` and interrupts it in front of its `step`-th operation, from 1; 0 lets it run to its end. */
export const at = <A, E, R>(self: Effect.Effect<A, E, R>, step: number): Effect.Effect<Interrupted<A, E>, never, R> =>
  Effect.gen(function* () {
    let running: Fiber.Fiber<A, E> | undefined
    const scheduler = new CountingScheduler((now) => {
      if (now === step) running?.interruptUnsafe()
    })
    running = yield* Effect.forkChild(Effect.provideService(self, Scheduler.Scheduler, scheduler))
    const exit = yield* Fiber.await(running)
    return { exit, steps: scheduler.steps }
  })
