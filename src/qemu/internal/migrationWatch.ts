import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import * as MigrationStatus from "../../migration/MigrationStatus.ts"
import type { QemuStatistics } from "../QemuStatistics.ts"
import type { Client, Event } from "../QmpClient.ts"
import * as QmpCommands from "../QmpCommands.ts"
import type { QmpError, QmpEventsError } from "../QmpError.ts"
import { QemuMigrationError } from "../VmError.ts"
import * as Vm from "./vm.ts"

/**
 * Follows the migration of a QEMU that is about to begin.
 *
 * @internal
 */
export interface MigrationWatch {
  /** Starts it with a command, and waits for its end. Fails if it failed, or was cancelled by somebody else. */
  readonly run: (
    command: Effect.Effect<void, QmpError>
  ) => Effect.Effect<void, QmpError | QmpEventsError | QemuMigrationError>
  /** Calls it off if it was started, and waits until it is. However it ends now is well. In vain once is in vain for ever. */
  readonly callOff: (qmp: Client) => Effect.Effect<void, QmpError>
  /** Whether it was started. */
  readonly isStarted: () => boolean
  /** Waits until QEMU has said that it was. What it says of its migration is of this one from then on. */
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
 * Subscribes to what happens from now on, until the scope ends.
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

  /** A command that is not answered may have been done; one that is refused leaves somebody else's migration alone. */
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
    const status = final!.value
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

/** What the end of the other side looks like from here. */
const consequences: ReadonlySet<string> = new Set([
  "ConnectionLostError",
  "ConnectionEndedError",
  "ConnectError",
  "PeerFailedError",
  "QemuMigrationError"
])

/**
 * Whether an error may come of nothing else than that the other side has failed.
 *
 * @internal
 */
export const isConsequence = ({ _tag }: { readonly _tag: string }): boolean => consequences.has(_tag)

/**
 * Of an error of this side and one of QEMU's, the one that it began with: ours, unless it says only that QEMU has gone.
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
 * Tells what QEMU says of its migration, again and again until the scope ends, from its beginning on: before, it says what
 * became of the last one. What it does not answer is left out.
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
