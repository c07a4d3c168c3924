import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Client } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError } from "../QmpError.ts"

/**
 * A guest, and our changes to its run state. Others may stop it, or it stops by itself: such changes are kept.
 *
 * @internal
 */
export interface Guest {
  /** Stops it, unless something else has stopped it. */
  readonly stop: Effect.Effect<void, QmpError>
  /** Resumes it if this side has stopped it. */
  readonly release: (qmp: Client) => Effect.Effect<void, QmpError>
  /** The same after a migration that was not meant to leave the guest in `postmigrate`. */
  readonly putBack: (qmp: Client) => Effect.Effect<void, QmpError>
  /** `true` if this side may have stopped it. */
  readonly isStopped: () => boolean
  /** Milliseconds for which it was stopped so far; `undefined` if it was not, or has not resumed. */
  readonly downtime: Effect.Effect<number | undefined>
}

/** Longest delay of an event after the answer that it precedes. */
const EVENT_MILLIS = 1000

/** Sums up the times between STOP and RESUME, by QEMU's clock. */
const makeStandstill = () => {
  let since: number | undefined
  let total: number | undefined
  return {
    record: (name: string, time: number): void => {
      if (name === "STOP") since ??= time
      if (name !== "RESUME" || since === undefined) return
      total = (total ?? 0) + Math.max(0, time - since)
      since = undefined
    },
    isOpen: () => since !== undefined,
    total: () => (since === undefined ? total : undefined)
  }
}

const contIf = (qmp: Client, mayGoOn: (status: string) => boolean): Effect.Effect<void, QmpError> =>
  Effect.flatMap(QmpCommands.queryStatus(qmp), ({ running, status }) =>
    !running && mayGoOn(status) ? QmpCommands.cont(qmp) : Effect.void
  )

/**
 * Watches a guest until the scope ends.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (qmp: Client): Effect.fn.Return<Guest, never, Scope.Scope> {
  const standstill = makeStandstill()
  const events = yield* qmp.subscribe
  yield* Stream.runForEach(events, ({ name, time }) => Effect.sync(() => standstill.record(name, time))).pipe(
    Effect.ignore,
    Effect.forkScoped
  )
  let stoppedHere = false

  // Before 8.2 a guest that was stopped is in `postmigrate` after its migration is cancelled.
  const isOurs = (status: string) => stoppedHere && (status === "paused" || status === "postmigrate")

  return {
    stop: Effect.gen(function* () {
      const { running } = yield* QmpCommands.queryStatus(qmp)
      if (!running) return
      stoppedHere = true
      yield* QmpCommands.stop(qmp)
    }),
    release: (qmp) => (stoppedHere ? contIf(qmp, isOurs) : Effect.void),
    putBack: (qmp) => contIf(qmp, (status) => isOurs(status) || status === "postmigrate"),
    isStopped: () => stoppedHere,
    downtime: Effect.gen(function* () {
      const arrived = Effect.repeat(Effect.sleep("5 millis"), { while: standstill.isOpen })
      if (standstill.isOpen()) yield* Effect.timeoutOption(arrived, EVENT_MILLIS)
      return standstill.total()
    })
  }
})
