/**
 * A virtual machine out of an image.
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
import * as AddressWarnings from "../io/sockets/AddressWarnings.ts"
import type { FileError } from "../io/files/FileError.ts"
import * as SocketAddress from "../io/sockets/SocketAddress.ts"
import type { Image } from "../image/Image.ts"
import { Migration, type Summary } from "../migration/Migration.ts"
import type { SendError, SendOptions } from "../migration/SendOptions.ts"
import * as Problem from "../ram/Problem.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import { runBothEnds } from "./internal/bothEnds.ts"
import * as BorrowedSettings from "./internal/borrowedSettings.ts"
import * as Destination from "./internal/destination.ts"
import * as Marks from "./internal/marks.ts"
import * as MigrationWatch from "./internal/migrationWatch.ts"
import { privateAddress } from "./internal/privateAddress.ts"
import { rollback } from "./internal/rollback.ts"
import * as Unreachable from "./internal/unreachable.ts"
import * as Vm from "./internal/vm.ts"
import * as Waits from "./internal/waits.ts"
import type { Version } from "./QmpClient.ts"
import * as QmpCommands from "./QmpCommands.ts"
import { QmpDisconnectedError, type QmpError, type QmpEventsError } from "./QmpError.ts"
import type { QemuMigrationError, SocketUnreachableError, VmNotReadyError } from "./VmError.ts"
import type { VmOptions } from "./VmOptions.ts"

/**
 * What to resume, and how.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options extends VmOptions {
  /** Every image that can be opened: of a capture, of QEMU, of libvirt. */
  readonly image: Image
  /** Whether the guest stays stopped. Default `false`: it goes on. */
  readonly paused?: boolean | undefined
  /**
   * Whether a machine with another uuid than the image's takes it, as a clone. Default `false`; an image that has no uuid needs
   * none.
   */
  readonly newIdentity?: boolean | undefined
  /** Whether an image is loaded although pages of it were lost in a recovery, and are zeros. Default `false`. */
  readonly allowLost?: boolean | undefined
  /**
   * Where QEMU listens; a TCP address has to have a port. Default: a Unix socket in a private directory, in which QEMU's user has
   * to be able to make it.
   */
  readonly listen?: SocketAddress.SocketAddress | undefined
  /**
   * Told what went wrong while settings were put back, that the image is loaded without multifd, and who else could reach where QEMU
   * listens. Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
}

/**
 * What was resumed.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Resumed extends Summary {
  /** The run state in the end: `running`, or why not. */
  readonly runState: string
}

/**
 * Why it failed. Errors of QEMU's side are those that name its monitor; all others are of this side.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ResumeError =
  VmNotReadyError | SocketUnreachableError | QemuMigrationError | QmpError | QmpEventsError | SendError | FileError

/** Who else could come to where QEMU listens. */
const exposuresOf = (listen: SocketAddress.SocketAddress | undefined): ReadonlyArray<string> =>
  listen === undefined ? [] : AddressWarnings.ofListener(SocketAddress.withHost(listen), undefined)

const listenProblems = (listen: SocketAddress.SocketAddress | undefined): ReadonlyArray<Problem.Problem> =>
  listen?._tag === "Tcp" && listen.port === 0
    ? [Problem.make("QEMU cannot listen on the TCP port 0", "name a port (--listen tcp:HOST:PORT)")]
    : []

const problemsOf = (vm: Vm.Vm, channels: number): ReadonlyArray<Problem.Problem> => [
  ...(vm.runState.status === "inmigrate" && vm.status === "none"
    ? []
    : [
        Problem.make(
          `QEMU does not wait for a machine: it is ${vm.runState.status}, with a migration ${vm.status}`,
          "start a new one with -incoming defer"
        )
      ]),
  ...Vm.missing(vm, channels > 0 ? ["multifd"] : [])
]

/** Since 9.1 a QEMU that could not load a machine stays, and can be asked why. */
const canStay = ({ major, minor }: Version): boolean => major > 9 || (major === 9 && minor >= 1)

/** Before 9.1 QEMU does not tell its monitor that it could not load a machine: it exits. */
const saysWhy = (error: ResumeError): ResumeError =>
  error._tag === "QmpDisconnectedError"
    ? new QmpDisconnectedError({
        ...error,
        hint: "a QEMU that cannot load the image exits, and its standard error says why"
      })
    : error

const transfer = Effect.fnUntraced(function* (
  options: Options,
  way: Marks.Way & Pick<SendOptions, "uuid">
): Effect.fn.Return<Summary, ResumeError, Migration | Scope.Scope> {
  const { allowLost, image, progress, qmp, timeout } = options
  const migration = yield* Migration
  const address = SocketAddress.withHost(options.listen ?? (yield* privateAddress(qmp)))
  const watch = yield* MigrationWatch.make(qmp, "destination")
  // Whether the guest runs in the end is not left to the run state in the image.
  yield* QmpCommands.stop(qmp)
  yield* MigrationWatch.reportTo(qmp, watch, options)
  const listening = yield* Latch.make()
  const listen = QmpCommands.migrateIncoming(qmp, SocketAddress.format(address), {
    exitOnError: canStay(qmp.version) ? false : undefined
  })
  const limits = Waits.limitsOf(timeout)
  const sending = migration.send({ source: image, to: address, ...way, allowLost, limits, progress })
  const sides = Waits.endTogether(listening.whenOpen(sending), watch.run(Effect.andThen(listen, listening.open)), {
    peer: qmp.peer,
    timeout,
    expected: "QEMU to say that the machine is there"
  })
  const [summary] = yield* runBothEnds(...sides, {
    isConsequence: MigrationWatch.isConsequence,
    explain: MigrationWatch.explain
  }).pipe(Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "destination", address })))
  yield* Vm.settled(qmp)
  return summary
})

/**
 * Brings a machine back that was captured, or saved by QEMU or libvirt.
 *
 * **Details**
 *
 * QEMU is given the machine over a private socket, so it needs no support for mapped-ram; 5.2 and later will do. Its
 * capabilities and parameters are put back afterwards. The disks have to be as they were when the machine was captured.
 *
 * Before anything is touched, the image is compared with the machine that QEMU was told to make, as far as QEMU can be asked:
 * machine type, RAM blocks, number of vCPUs, uuid. QEMU itself does not notice vCPUs that the image does not have. A guest that
 * was shut down or had panicked is only loaded `paused`.
 *
 * **Failure effect**, also of an interruption: nothing has run. A QEMU that has begun to load cannot be used again; before
 * 9.1 it exits by itself. Its settings are put back; the image is never changed.
 *
 * **Example** (Going on where it was)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image, Migration, QmpClient, Resume, SocketAddress } from "effect-multifd"
 *
 * export const resume = Effect.gen(function* () {
 *   const qmp = yield* QmpClient.make({ address: SocketAddress.unix("/run/vm/qmp") })
 *   const image = yield* Image.open("vm.img")
 *   return yield* Resume.run({ qmp, image })
 * }).pipe(Effect.scoped, Effect.provide(Migration.layer))
 * ```
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Resume.run")(function* (
  options: Options
): Effect.fn.Return<Resumed, ResumeError, Migration> {
  const {
    allowLost = false,
    channels = PipelineOptions.limits.channels.default,
    compression = "none",
    image,
    newIdentity = false,
    onProblem = Effect.logWarning,
    paused = false,
    qmp
  } = options
  const vm = yield* Vm.look(qmp)
  const destination = yield* Destination.look(qmp, vm.memory)
  const { machine } = vm
  yield* Vm.refuse(qmp, "resume", [
    ...Vm.optionProblems(options),
    ...problemsOf(vm, channels),
    ...listenProblems(options.listen),
    ...Destination.problemsOf(image, destination, { machine, newIdentity, allowLost, paused })
  ])
  yield* Effect.forEach(exposuresOf(options.listen), onProblem, { discard: true })
  const way = yield* Marks.wayTo({ qmp, image, machine }, { channels, compression }, onProblem)
  const settings = BorrowedSettings.make(qmp, vm, BorrowedSettings.forSockets(way))
  const summary = yield* settings.set.pipe(
    Effect.andThen(Effect.mapError(Effect.scoped(transfer(options, { ...way, uuid: destination.uuid })), saysWhy)),
    Effect.ensuring(rollback(qmp, [BorrowedSettings.step(settings)], onProblem))
  )
  yield* Vm.setRunning(qmp, !paused)
  const { status } = yield* QmpCommands.queryStatus(qmp)
  return { ...summary, runState: status }
})
