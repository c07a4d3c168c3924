/** Time for tests of faults, which passes where nothing else is left to do: no test waits for it, and none is outrun by it. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

/** Turns of the event loop after which nothing more will happen by itself: more than any call is delayed. */
const IDLE_TURNS = 100
/** What passes then. Whoever waits, waits for a minute at the most. */
const STEP = "10 seconds"
/** Steps after which something waits that will not end. */
const MAX_STEPS = 60

/** What goes on: a number that grows with every call that is made, `undefined` while something is under way elsewhere. */
export type Activity = () => number | undefined

/** Waits until nothing has happened for a while, or until it is over. */
const idle = (activity: Activity, isOver: () => boolean): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const look = (last: number | undefined, turns: number): void => {
      if (isOver() || turns === IDLE_TURNS) return resume(Effect.void)
      const now = activity()
      setImmediate(look, now, now === undefined || now !== last ? 0 : turns + 1)
    }
    look(undefined, 0)
  })

/**
 * Waits for all fibers, and lets time pass whenever none of them has anything to do but to wait for it. `whenIdle` is run in
 * front of each step.
 */
export const awaitAll = Effect.fnUntraced(function* (
  fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>,
  {
    activity,
    place,
    whenIdle
  }: { readonly activity: Activity; readonly place: string; readonly whenIdle: Effect.Effect<unknown> }
) {
  const isOver = () => fibers.every((fiber) => fiber.pollUnsafe() !== undefined)
  for (let step = 0; ; step++) {
    yield* idle(activity, isOver)
    if (isOver()) return
    if (step === MAX_STEPS) return yield* Effect.die(new Error(`${place}: it does not end`))
    yield* whenIdle
    yield* TestClock.adjust(STEP)
  }
})
