/**
 * Resumes a virtual machine from an image.
 *
 * ```text
 *   here                                             QEMU, started with -incoming defer
 *     │ ── query-… ───────────────────────────────▶  │   version, run state, settings; whether the image fits: machine type,
 *     │                                              │   RAM blocks, vCPUs, uuid
 *     │ ── migrate-set-… ──────────────────────────▶ │
 *     │ ── stop: it will not run by itself ────────▶ │
 *     │ ── migrate-incoming unix:… ────────────────▶ │   listens on a private socket
 *     │ ══ main channel, N channels ═══════════════▶ │   RAM, device state
 *     │ ◀═ answer ══════════════════════════════════ │   completed
 *     │ ── migrate-set-… ──────────────────────────▶ │   as before
 *     │ ── cont ───────────────────────────────────▶ │   the guest goes on where it was
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { FileError } from "../io/files/FileError.ts"
import * as SocketAddress from "../io/sockets/SocketAddress.ts"
import type { SnapshotSource } from "../snapshot/SnapshotSource.ts"
import { Migration, type Summary } from "../migration/Migration.ts"
import type { SendError, SendOptions } from "../migration/SendOptions.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import { runBothEnds } from "./internal/bothEnds.ts"
import * as BorrowedSettings from "./internal/borrowedSettings.ts"
import * as Destination from "./internal/destination.ts"
import * as Marks from "./internal/marks.ts"
import * as MigrationWatch from "./internal/migrationWatch.ts"
import { privateAddress } from "./internal/privateAddress.ts"
import * as ResumeChecks from "./internal/resumeChecks.ts"
import { rollback } from "./internal/rollback.ts"
import * as Unreachable from "./internal/unreachable.ts"
import * as Vm from "./internal/vm.ts"
import * as Waits from "./internal/waits.ts"
import * as QmpCommands from "./QmpCommands.ts"
import { QmpDisconnectedError, type QmpError, type QmpEventsError } from "./QmpError.ts"
import type { QemuMigrationError, SocketUnreachableError, VmNotReadyError } from "./VmError.ts"
import type { TaggedError } from "./CaptureOptions.ts"
import type { VmOptions } from "./VmOptions.ts"

/**
 * Options of a resume.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> extends VmOptions {
  /** Any image that can be opened, from a capture, from QEMU, from libvirt; or another snapshot. */
  readonly source: SnapshotSource<E>
  /** `true` to leave the guest stopped. Default `false`: it runs. */
  readonly paused?: boolean | undefined
  /**
   * `true` to load it into a machine with another UUID than the image's, as a clone. Default `false`; irrelevant for an
   * image without a UUID.
   */
  readonly newIdentity?: boolean | undefined
  /** `true` to load an image even if some of its pages were lost in a recovery, and are zeros. Default `false`. */
  readonly allowLost?: boolean | undefined
  /**
   * The address on which QEMU listens; a TCP address needs a port. Default: a Unix socket in a private directory, in
   * which QEMU's user must be able to create it.
   */
  readonly listen?: SocketAddress.SocketAddress | undefined
  /**
   * Called with problems: failures while settings were restored, an image that is loaded without multifd, and warnings
   * about who else could reach QEMU's address. Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
}

/**
 * The result of a resume.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Resumed extends Summary {
  /** The final run state: `running`, or the reason why not. */
  readonly runState: string
}

/**
 * Errors of a resume. Errors on QEMU's side name its monitor; all others are from this side.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ResumeError =
  VmNotReadyError | SocketUnreachableError | QemuMigrationError | QmpError | QmpEventsError | SendError | FileError

/** Before 9.1 QEMU does not tell its monitor that it could not load a machine: it exits. */
const saysWhy = <E extends TaggedError>(error: E): E | QmpDisconnectedError =>
  error instanceof QmpDisconnectedError
    ? new QmpDisconnectedError({
        ...error,
        hint: "a QEMU that cannot load the image exits, and its standard error says why"
      })
    : error

const transfer = Effect.fnUntraced(function* <E extends TaggedError>(
  options: Options<E>,
  way: Marks.Way & Pick<SendOptions, "uuid">
): Effect.fn.Return<Summary, ResumeError | E, Migration | Scope.Scope> {
  const { allowLost, progress, qmp, source, timeout } = options
  const migration = yield* Migration
  const address = SocketAddress.withHost(options.listen ?? (yield* privateAddress(qmp)))
  const watch = yield* MigrationWatch.make(qmp, "destination")
  // The run state in the image must not decide if the guest runs in the end.
  yield* QmpCommands.stop(qmp)
  yield* MigrationWatch.reportTo(qmp, watch, options)
  const listening = yield* Latch.make()
  const listen = QmpCommands.migrateIncoming(qmp, SocketAddress.format(address), {
    exitOnError: ResumeChecks.canStay(qmp.version) ? false : undefined
  })
  const limits = Waits.limitsOf(timeout)
  const sending = migration.send({ source, to: address, ...way, allowLost, limits, progress })
  const sides = Waits.endTogether(listening.whenOpen(sending), watch.run(Effect.andThen(listen, listening.open)), {
    peer: qmp.peer,
    timeout,
    expected: "QEMU to report that the machine has arrived"
  })
  const [summary] = yield* runBothEnds(...sides, {
    isConsequence: MigrationWatch.isConsequence,
    explain: MigrationWatch.explain
  }).pipe(Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "destination", address })))
  yield* Vm.settled(qmp)
  return summary
})

/**
 * Resumes a machine that was captured, or saved by QEMU or libvirt.
 *
 * **Details**
 *
 * QEMU gets the machine over a private socket, so it needs no support for mapped-ram; 5.2 and later work. Its
 * capabilities and parameters are restored afterwards. The disks must be as they were when the machine was captured.
 *
 * Before anything is touched, the image is compared with QEMU's machine, as far as QEMU can be queried: machine type,
 * RAM blocks, number of vCPUs, UUID. QEMU itself does not notice vCPUs that the image does not have. A guest that was
 * shut down or had panicked is loaded only with `paused`.
 *
 * **Failure effect**, also of an interruption: the guest has not run. A QEMU that has begun to load cannot be used
 * again; before 9.1 it exits by itself. Its settings are restored; the image is never changed.
 *
 * **Example** (Resuming where it was)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image, Migration, QmpClient, Resume, SocketAddress } from "effect-multifd"
 *
 * export const resume = Effect.gen(function* () {
 *   const qmp = yield* QmpClient.make({ address: SocketAddress.unix("/run/vm/qmp") })
 *   const image = yield* Image.open("vm.img")
 *   return yield* Resume.run({ qmp, source: image })
 * }).pipe(Effect.scoped, Effect.provide(Migration.layer))
 * ```
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Resume.run")(function* <E extends TaggedError = never>(
  options: Options<E>
): Effect.fn.Return<Resumed, ResumeError | E, Migration> {
  const {
    allowLost = false,
    channels = PipelineOptions.limits.channels.default,
    compression = "none",
    newIdentity = false,
    onProblem = Effect.logWarning,
    paused = false,
    qmp,
    source
  } = options
  const vm = yield* Vm.query(qmp)
  const destination = yield* Destination.query(qmp, vm.memory)
  const { machine } = vm
  yield* Vm.refuse(qmp, "resume", [
    ...Vm.optionProblems(options),
    ...ResumeChecks.problemsOf(vm, channels > 0 ? ["multifd"] : []),
    ...ResumeChecks.listenProblems(options.listen),
    ...Destination.problemsOf(source, destination, { machine, newIdentity, allowLost, paused })
  ])
  yield* Effect.forEach(ResumeChecks.exposuresOf(options.listen), onProblem, { discard: true })
  const way = yield* Marks.wayTo({ qmp, source, machine }, { channels, compression }, onProblem)
  const settings = BorrowedSettings.make(qmp, vm, BorrowedSettings.forSockets(way))
  const summary = yield* settings.set.pipe(
    Effect.andThen(Effect.mapError(Effect.scoped(transfer(options, { ...way, uuid: destination.uuid })), saysWhy)),
    Effect.ensuring(rollback(qmp, [BorrowedSettings.step(settings)], onProblem))
  )
  yield* Vm.setRunning(qmp, !paused)
  const { status } = yield* QmpCommands.queryStatus(qmp)
  return { ...summary, runState: status }
})
