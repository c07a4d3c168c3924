import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Invariant from "../../ram/Invariant.ts"
import type { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import * as MigrationStatus from "../../migration/MigrationStatus.ts"
import type { QemuStatistics } from "../QemuStatistics.ts"
import type { Client, Event } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError, QmpEventsError } from "../QmpError.ts"
import { QemuMigrationError } from "../VmError.ts"
import * as Vm from "./vm.ts"

/**
 * Follows a migration of QEMU that is about to start.
 *
 * @internal
 */
export interface MigrationWatch {
  /** Starts it with a command, and waits for its end. Fails if it failed, or was cancelled by another client. */
  readonly run: (
    command: Effect.Effect<void, QmpError>
  ) => Effect.Effect<void, QmpError | QmpEventsError | QemuMigrationError>
  /** Cancels it if it was started, and waits until it has ended, with any outcome. A failed attempt is not repeated. */
  readonly callOff: (qmp: Client) => Effect.Effect<void, QmpError>
  /** `true` if it was started. */
  readonly isStarted: () => boolean
  /** Waits until QEMU has reported its start. From then on, QEMU's statistics are those of this migration. */
  readonly begun: Effect.Effect<void>
}

const MigrationEvent = Schema.Struct({ status: MigrationStatus.Status })
const decodeStatus = Schema.decodeUnknownOption(MigrationEvent)

const finalStatus = ({ data, name }: Event): Option.Option<MigrationStatus.Status> =>
  name === "MIGRATION"
    ? decodeStatus(data).pipe(
        Option.map(({ status }) => status),
        Option.filter(MigrationStatus.isFinal)
      )
    : Option.none()

/**
 * Subscribes to events from now on, until the scope ends.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (
  qmp: Client,
  role: MigrationStatus.Role
): Effect.fn.Return<MigrationWatch, never, Scope.Scope> {
  const events = yield* qmp.subscribe
  let isOurs = false
  let calledOff = false
  let gaveUp: PeerTimeoutError | undefined
  const begun = yield* Latch.make()

  /** A command without an answer may have been executed; a refused one leaves another client's migration alone. */
  const start = (command: Effect.Effect<void, QmpError>) =>
    Effect.suspend(() => {
      isOurs = true
      return command
    }).pipe(
      Effect.tapError(({ _tag }) =>
        Effect.sync(() => {
          if (_tag === "QmpCommandError") isOurs = false
        })
      ),
      Effect.andThen(begun.open)
    )
  const ended = Effect.gen(function* () {
    const finals = events.pipe(Stream.map(finalStatus), Stream.filter(Option.isSome), Stream.take(1))
    const [final] = yield* Stream.runCollect(finals)
    const status = Invariant.defined(final, "a stream of events fails or continues").value
    if (status === "completed" || calledOff) return
    const { "error-desc": description = "" } = yield* Vm.statistics(qmp)
    return yield* new QemuMigrationError({ peer: qmp.peer, role, status, description })
  })
  const callOff = (qmp: Client) =>
    Effect.suspend(() => {
      if (!isOurs) return Effect.void
      if (gaveUp !== undefined) return Effect.fail(gaveUp)
      calledOff = true
      return Effect.tapError(Vm.callOff(qmp), (error) =>
        Effect.sync(() => {
          if (error._tag === "PeerTimeoutError") gaveUp = error
        })
      )
    })
  return {
    run: (command) => Effect.andThen(start(command), ended),
    callOff,
    isStarted: () => isOurs,
    begun: begun.await
  }
})

/** The effects of the other side's end, as seen from here. */
const consequences: ReadonlySet<string> = new Set([
  "ConnectionLostError",
  "ConnectionEndedError",
  "ConnectError",
  "PeerFailedError",
  "QemuMigrationError"
])

/**
 * `true` if an error may be only a consequence of the other side's failure.
 *
 * @internal
 */
export const isConsequence = ({ _tag }: { readonly _tag: string }): boolean => consequences.has(_tag)

/**
 * The original one of an error on this side and one of QEMU's: ours, unless it says only that QEMU has gone.
 *
 * @internal
 */
export const explain = <E1 extends { readonly _tag: string; readonly message: string }, E2>(
  here: E1,
  there: E2
): E1 | E2 | QemuMigrationError => {
  if (!isConsequence(here)) return here
  return there instanceof QemuMigrationError ? new QemuMigrationError({ ...there, here: here.message }) : there
}

/**
 * Reports QEMU's statistics repeatedly from the start of its migration until the scope ends; before that, they are
 * those of the last one. Failed queries are skipped.
 *
 * @internal
 */
export const reportTo = (
  qmp: Client,
  { begun }: MigrationWatch,
  options: {
    readonly onStatistics?: ((statistics: QemuStatistics) => Effect.Effect<void>) | undefined
    readonly interval?: Duration.Input | undefined
  }
): Effect.Effect<void, never, Scope.Scope> => {
  const { interval = "500 millis", onStatistics } = options
  if (onStatistics === undefined) return Effect.void
  return QmpCommands.queryMigrate(qmp).pipe(
    Effect.flatMap(onStatistics),
    Effect.ignore,
    Effect.repeat(Schedule.spaced(interval)),
    (reporting) => Effect.andThen(begun, reporting),
    Effect.forkScoped,
    Effect.asVoid
  )
}
