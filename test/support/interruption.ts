/** Interrupts a program in front of an operation that is chosen by number, whatever the program is doing there. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

export interface Interrupted<out A, out E> {
  readonly exit: Exit.Exit<A, E>
  /** Operations that the effect's own fibers were about to evaluate. */
  readonly steps: number
  /** Milliseconds, as `now` counts them, and operations, from the interruption to the end. */
  readonly farewell: { readonly millis: number; readonly steps: number }
}

/** Counts the operations of those fibers that it is provided to, and leaves the rest to another scheduler. */
const counting = (inner: Scheduler.Scheduler, atStep: () => void): Scheduler.Scheduler => ({
  executionMode: inner.executionMode,
  makeDispatcher: () => inner.makeDispatcher(),
  shouldYield: (fiber) => {
    atStep()
    return inner.shouldYield(fiber)
  }
})

/** Runs `self`, and interrupts it in front of its `step`-th operation, from 1; 0 lets it run to its end. */
export const at = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  step: number,
  now: () => number = Date.now
): Effect.Effect<Interrupted<A, E>, never, R> =>
  Effect.gen(function* () {
    let fiber: Fiber.Fiber<A, E> | undefined
    let steps = 0
    let began = Number.NaN
    const scheduler = counting(yield* Scheduler.Scheduler, () => {
      if (++steps !== step) return
      began = now()
      fiber?.interruptUnsafe()
    })
    fiber = yield* Effect.forkChild(Effect.provideService(self, Scheduler.Scheduler, scheduler))
    // It may have begun before it was known here.
    if (step > 0 && steps >= step) fiber.interruptUnsafe()
    const exit = yield* Fiber.await(fiber)
    return { exit, steps, farewell: { millis: now() - began, steps: steps - step } }
  })
