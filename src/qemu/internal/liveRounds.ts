import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Progress } from "../../migration/Progress.ts"
import type { Client } from "../QmpClient.ts"
import type { QmpError } from "../QmpError.ts"
import * as Vm from "./vm.ts"

/**
 * The rounds of a guest that is captured live, and their limits.
 *
 * @internal
 */
export interface Options {
  readonly progress: Progress
  /** Waits until the migration has started. */
  readonly begun: Effect.Effect<void>
  readonly maxRounds: number | undefined
  readonly maxTime: Duration.Input | undefined
  /** Stops the guest, so that only the rest is left to copy. */
  readonly stop: Effect.Effect<void, QmpError>
  readonly onProblem: (problem: string) => Effect.Effect<void>
}

/** After this many consecutive rounds that leave as much as they found, more will follow. */
const HOPELESS = 3

/** Reports a lack of progress, once. */
const makeTrend = () => {
  let last: number | undefined
  let stuck = 0
  return (left: number): boolean => {
    stuck = last !== undefined && left > 0 && left >= last ? stuck + 1 : 0
    last = left
    return stuck === HOPELESS
  }
}

const MEBIBYTE = 1024 * 1024

const hopeless = (peer: string, left: number): string =>
  `${peer}: ${HOPELESS} rounds in a row did not shrink what is left (${Math.ceil(left / MEBIBYTE)} MiB): the guest writes as fast as ` +
  "it is copied; a limit of rounds (--max-rounds) or of time (--max-seconds), or a longer downtime (--downtime-limit), ends that"

/**
 * Follows the rounds until the scope ends. `MIGRATION_PASS` means that a round ends and the next one begins.
 *
 * @internal
 */
export const follow = Effect.fnUntraced(function* (
  qmp: Client,
  { begun, maxRounds, maxTime, onProblem, progress, stop }: Options
): Effect.fn.Return<void, never, Scope.Scope> {
  const events = yield* qmp.subscribe
  const isHopeless = makeTrend()
  let hasWarned = false

  const stopNow = Effect.catch(stop, ({ message }) => onProblem(message))
  const onPass = Effect.fnUntraced(function* (pass: number): Effect.fn.Return<void, QmpError> {
    if (maxRounds !== undefined && pass > maxRounds) yield* stopNow
    const { ram } = yield* Vm.statistics(qmp)
    const left = ram?.remaining
    if (left === undefined || pass < 2) return
    yield* progress.round(left)
    if (!isHopeless(left) || hasWarned) return
    hasWarned = true
    yield* onProblem(hopeless(qmp.peer, left))
  })
  const passes = Stream.filterMap(events, ({ data, name }) => {
    const pass = name === "MIGRATION_PASS" ? Number(data["pass"]) : NaN
    return Number.isNaN(pass) ? Result.failVoid : Result.succeed(pass)
  })
  yield* Stream.runForEach(passes, onPass).pipe(Effect.ignore, Effect.forkScoped)
  if (maxTime === undefined) return
  yield* begun.pipe(Effect.andThen(Effect.sleep(maxTime)), Effect.andThen(stopNow), Effect.forkScoped)
})
