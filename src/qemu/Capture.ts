/**
 * Captures a running virtual machine into an image.
 *
 * ```text
 *   here                                             QEMU
 *     │ ── query-… ───────────────────────────────▶  │   version, run state, RAM, settings
 *     │ ── migrate-set-…, not live: stop ──────────▶ │
 *     │ listens on a private socket                  │
 *     │ ── migrate unix:… ─────────────────────────▶ │
 *     │ ◀═ main channel, N channels ════════════════ │   RAM, round after round while the guest runs
 *     │                                              │   guest stopped: the last pages, device state
 *     │ everything has arrived                       │   waits for an answer
 *     │ ── migrate_cancel ─────────────────────────▶ │   the guest is given back as it was; or
 *     │ ══ answer ════════════════════════════════▶  │   completed: the guest stays stopped, or QEMU quits
 *     │ image durable under its name                 │
 *     │ ── migrate-set-… ──────────────────────────▶ │   as before
 * ```
 *
 * The migration of a guest that keeps running is not completed: after a completed migration QEMU keeps the guest in
 * `postmigrate`, and refuses to migrate it again. When the migration is cancelled at the very end, QEMU itself returns
 * the guest to its former run state, even if no further command arrives.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SocketAddress from "../io/sockets/SocketAddress.ts"
import * as Location from "../image/Location.ts"
import { Migration, type Target, type Written } from "../migration/Migration.ts"
import * as Progress from "../migration/Progress.ts"
import * as SnapshotTarget from "../snapshot/SnapshotTarget.ts"
import * as RateLimit from "../transfer/RateLimit.ts"
import type { Captured, CaptureError, Options, TaggedError } from "./CaptureOptions.ts"
import { runBothEnds } from "./internal/bothEnds.ts"
import * as BorrowedSettings from "./internal/borrowedSettings.ts"
import * as Plan from "./internal/capturePlan.ts"
import * as Guest from "./internal/guest.ts"
import * as Identity from "./internal/identity.ts"
import { releasable } from "./internal/releasable.ts"
import * as LiveRounds from "./internal/liveRounds.ts"
import * as MigrationWatch from "./internal/migrationWatch.ts"
import { privateAddress } from "./internal/privateAddress.ts"
import { withShortTimeout, type Step, rollback } from "./internal/rollback.ts"
import * as Unreachable from "./internal/unreachable.ts"
import * as Vm from "./internal/vm.ts"
import * as Waits from "./internal/waits.ts"
import type { QemuStatistics } from "./QemuStatistics.ts"
import * as QmpCommands from "./QmpCommands.ts"
import type { QmpError, QmpEventsError } from "./QmpError.ts"
import type { QemuMigrationError } from "./VmError.ts"

export type { Captured, CaptureError, Leave, Options, TaggedError } from "./CaptureOptions.ts"

type Problems = (problem: string) => Effect.Effect<void>

/** A capture in progress. */
interface Capture extends Plan.Plan {
  readonly watch: MigrationWatch.MigrationWatch
  readonly guest: Guest.Guest
  readonly progress: Progress.Progress
  readonly onProblem: Problems
  /** QEMU's report when everything had arrived; fails if the guest could not be left as requested. */
  readonly left: Deferred.Deferred<QemuStatistics, QmpError>
}

/** QEMU reports the start at once, and connects afterwards: a connection is never refused, and may never come. */
const connected = ({ options: { qmp, timeout }, progress, watch }: Capture) =>
  Effect.andThen(
    watch.begun,
    progress.status.changes.pipe(
      Stream.filter((status) => status !== "none" && status !== "setup"),
      Stream.runHead,
      Waits.within(qmp.peer, "QEMU to connect and to announce its machine", timeout)
    )
  )

/**
 * Starts QEMU's migration and follows it. On interruption, cancels it while the monitor is still open, so that QEMU
 * reports `cancelled`.
 */
const runQemuMigration = Effect.fnUntraced(function* (
  capture: Capture,
  address: SocketAddress.SocketAddress
): Effect.fn.Return<void, QmpError | QmpEventsError | QemuMigrationError> {
  const { during, guest, left, options, watch } = capture
  const { qmp } = options
  if (during._tag === "Stopped") yield* guest.stop
  const ended = Effect.onInterrupt(watch.run(QmpCommands.migrate(qmp, SocketAddress.format(address))), () =>
    Effect.ignore(watch.callOff(withShortTimeout(qmp)))
  )
  const patient = Effect.andThen(Effect.all([connected(capture), Deferred.await(left)], CONCURRENTLY), Effect.never)
  yield* Effect.raceFirst(ended, patient)
})

const CONCURRENTLY = { concurrency: "unbounded", discard: true } as const

/** Resumes the guest, or not, as requested. A failure of that is not an error: the image exists. */
const leaveGuest = ({ ending, guest, onProblem, options: { qmp } }: Capture): Effect.Effect<void, QmpError> =>
  (ending._tag === "Leave" ? Vm.setRunning(qmp, ending.running) : guest.release(qmp)).pipe(
    Effect.catchTag("QmpCommandError", ({ message }) => onProblem(message))
  )

/** Everything has arrived. A guest that is to run resumes now; the remaining work on this side does not concern it. */
const arrived = Effect.fnUntraced(function* (capture: Capture): Effect.fn.Return<QemuStatistics, QmpError> {
  const { options, watch } = capture
  const statistics = yield* Vm.statistics(options.qmp)
  if (!Plan.completes(capture)) {
    yield* watch.callOff(options.qmp)
    yield* leaveGuest(capture)
  }
  return statistics
})

/** A guest that could not be left as requested ends the capture: nothing is made durable then. */
const onReceived = (capture: Capture): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(arrived(capture)), (exit) =>
    Effect.andThen(Deferred.done(capture.left, exit), Exit.isSuccess(exit) ? Effect.void : Effect.never)
  )

/** A guest that is captured live is stopped only for the last pages: then the limit is lifted. */
const liftWhenStopped = ({ during, options: { qmp } }: Capture, lift: Effect.Effect<void>) =>
  during._tag === "Live"
    ? Effect.forkScoped(Effect.andThen(Stream.runHead(Stream.filter(qmp.events, ({ name }) => name === "STOP")), lift))
    : Effect.void

const followRounds = ({ during, guest, onProblem, options, progress, watch }: Capture) => {
  const { maxRounds, maxTime, qmp } = options
  const rounds = { progress, begun: watch.begun, maxRounds, maxTime, stop: guest.stop, onProblem }
  return during._tag === "Live" ? LiveRounds.follow(qmp, rounds) : Effect.void
}

/** Both sides, from listening to the durable image. */
const transfer = Effect.fnUntraced(function* <A, E extends TaggedError>(
  capture: Capture,
  target: Target<A, E>,
  onDurable: Effect.Effect<void>
): Effect.fn.Return<Written<A>, CaptureError | E, Migration | Scope.Scope> {
  const { channels, options, progress, watch } = capture
  const { compression, directIo, maxBandwidth, qmp, timeout } = options
  const migration = yield* Migration
  const { lift, limit } = releasable(yield* RateLimit.of(maxBandwidth))
  const listen = options.listen ?? (yield* privateAddress(qmp))
  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const receiving = migration.receive({
    listen,
    onListening: (address) => Effect.asVoid(Deferred.succeed(listening, address)),
    onReceived: onReceived(capture),
    target,
    channels,
    compression,
    directIo,
    // QEMU's own `switchover-ack` is off.
    switchoverAck: false,
    maxBandwidth: limit,
    limits: Plan.limitsOf(capture),
    seal: options.seal,
    notes: yield* Identity.notesOf(qmp),
    keepPartial: options.keepPartial,
    checkpointBytes: options.checkpointBytes,
    progress
  })
  yield* liftWhenStopped(capture, lift)
  yield* followRounds(capture)
  yield* MigrationWatch.reportTo(qmp, watch, options)
  const driving = Effect.flatMap(Deferred.await(listening), (address) => runQemuMigration(capture, address))
  const sides = Waits.endTogether(Effect.tap(receiving, onDurable), driving, {
    peer: qmp.peer,
    timeout,
    expected: "QEMU to report the end of its migration"
  })
  const [summary] = yield* runBothEnds(...sides, {
    isConsequence: MigrationWatch.isConsequence,
    explain: MigrationWatch.explain
  }).pipe(Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "source", address: listen })))
  if (Plan.completes(capture)) yield* Vm.settled(qmp)
  return summary
})

/** After a failure the guest is restored; the settings always are. */
const undo = ({ guest, vm, watch }: Capture, settings: BorrowedSettings.Borrowed): ReadonlyArray<Step> => {
  const wasRunning = vm.runState.running
  const mayBeStopped = () => wasRunning && (guest.isStopped() || watch.isStarted())
  return [
    {
      run: watch.callOff,
      ifNotUndone: () => (watch.isStarted() ? "the migration, which ends by itself when QEMU continues" : undefined)
    },
    BorrowedSettings.step(settings),
    {
      run: (qmp) => (wasRunning ? guest.putBack(qmp) : Effect.void),
      ifNotUndone: () =>
        mayBeStopped() ? "the guest, which ran before and may be stopped: cont resumes it" : undefined
    }
  ]
}

const nameOf = (target: Target<unknown, unknown>): string =>
  SnapshotTarget.isSnapshotTarget(target) ? target.name : Location.make(target).path

/**
 * Captures a running virtual machine: its RAM and all other state, into an image that QEMU loads, and that `Resume`
 * resumes.
 *
 * **Details**
 *
 * Works with QEMU 5.2 and later, even without support for mapped-ram. The necessary capabilities and parameters are set
 * and restored afterwards; auto-converge and the like are unchanged. The machine's disks are not included.
 *
 * A guest is resumed only if the capture stopped it. Changes by others in the meantime stay: an operator's stop, a
 * panic, a shutdown. There is one exception: a guest that was stopped for the capture and that an operator stops as
 * well is resumed, because QEMU does not report that. Before 8.2, QEMU leaves a guest that did not run in
 * `postmigrate`, where it must run before it can be captured again.
 *
 * **Failure effect**, also of an interruption: a guest that ran resumes, with its former settings; the target is as for
 * `Migration.receive`. If the connection to the monitor has ended, another one is made for the rollback. The rollback
 * gives up on a monitor that cannot be reached, or does not answer for five seconds, and `onProblem` gets a list of
 * what was not undone. One exception: if the image of a stopped guest could not be made durable at the very end, the
 * guest may already have resumed. If QEMU fails after the image, because it does not exit, `onProblem` gets a message
 * that the image is complete.
 *
 * **Example** (A snapshot of a guest that keeps running)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Capture, Migration, QmpClient, SocketAddress } from "effect-multifd"
 *
 * export const snapshot = Effect.gen(function* () {
 *   const qmp = yield* QmpClient.make({ address: SocketAddress.unix("/run/vm/qmp") })
 *   return yield* Capture.run({ qmp, target: "vm.img", live: true })
 * }).pipe(Effect.scoped, Effect.provide(Migration.layer))
 * ```
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Capture.run")(function* <A = void, E extends TaggedError = never>(
  options: Options<A, E>
): Effect.fn.Return<Captured<A>, CaptureError | E, Migration | Scope.Scope> {
  const { onProblem = Effect.logWarning, qmp } = options
  const vm = yield* Vm.query(qmp)
  const plan = Plan.make(options, vm)
  yield* Vm.refuse(qmp, "capture", Plan.problemsOf(vm, plan))
  if (Plan.isAbandoned(vm)) yield* onProblem(Plan.abandoned(qmp))
  const capture: Capture = {
    ...plan,
    watch: yield* MigrationWatch.make(qmp, "source"),
    guest: yield* Guest.make(qmp),
    progress: options.progress ?? (yield* Progress.makeDestination),
    onProblem,
    left: yield* Deferred.make<QemuStatistics, QmpError>()
  }
  const settings = BorrowedSettings.make(qmp, vm, Plan.settingsOf(plan))
  let isDurable = false
  let runState: string | undefined
  const lookAtGuest: Step = {
    run: (qmp) => Effect.map(QmpCommands.queryStatus(qmp), ({ status }) => void (runState = status)),
    ifNotUndone: () => undefined
  }
  const complete = `${nameOf(options.target)}: the image is complete`
  const tellOfImage = Effect.suspend(() => (isDurable ? onProblem(complete) : Effect.void))
  const finish = (failed: boolean) =>
    failed
      ? Effect.andThen(rollback(qmp, undo(capture, settings), onProblem), tellOfImage)
      : rollback(qmp, [lookAtGuest, BorrowedSettings.step(settings)], onProblem)
  const onDurable = Effect.sync(() => void (isDurable = true))
  const summary = yield* settings.set.pipe(
    Effect.andThen(Effect.scoped(transfer(capture, options.target, onDurable))),
    Effect.onExit(({ _tag }) => finish(_tag === "Failure"))
  )
  const quits = plan.ending._tag === "Quit"
  if (quits) {
    const gone = Waits.within(qmp.peer, "QEMU to exit", options.timeout)
    yield* Effect.tapError(gone(QmpCommands.quit(qmp)), () => tellOfImage)
  }
  const downtimeMillis = runState === "running" ? yield* capture.guest.downtime : undefined
  return {
    ...summary,
    machine: vm.machine,
    statistics: yield* Deferred.await(capture.left),
    runState: quits ? undefined : runState,
    downtimeMillis
  }
}, Effect.scoped)
