/**
 * A running virtual machine into an image.
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
 * A guest that goes on is not migrated to the end: a QEMU whose migration has completed keeps its guest in `postmigrate`, and
 * refuses to migrate it again. Called off at the very last, it gives the guest back in the run state that it had, by itself
 * even if nobody tells it to any more.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { FileError } from "../io/FileError.ts"
import * as SocketAddress from "../io/SocketAddress.ts"
import type { Location } from "../migration/Location.ts"
import { Migration, type Summary } from "../migration/Migration.ts"
import * as MigrationStatus from "../migration/MigrationStatus.ts"
import type { ReceiveError, ReceiveIntoImage } from "../migration/ReceiveOptions.ts"
import * as Limits from "../multifd/Limits.ts"
import * as PipelineOptions from "../multifd/PipelineOptions.ts"
import * as RateLimit from "../multifd/RateLimit.ts"
import { bothSides } from "./internal/bothSides.ts"
import * as BorrowedSettings from "./internal/borrowedSettings.ts"
import * as Identity from "./internal/identity.ts"
import { liftable } from "./internal/liftable.ts"
import * as MigrationWatch from "./internal/migrationWatch.ts"
import { privateAddress } from "./internal/privateAddress.ts"
import { impatient, type Step, tidyUp } from "./internal/tidyUp.ts"
import * as Unreachable from "./internal/unreachable.ts"
import * as Vm from "./internal/vm.ts"
import type { QemuStatistics } from "./QemuStatistics.ts"
import type { Client } from "./QmpClient.ts"
import * as QmpCommands from "./QmpCommands.ts"
import type { QmpError, QmpEventsError } from "./QmpError.ts"
import type { QemuMigrationError, SocketUnreachableError, VmNotReadyError } from "./VmError.ts"
import type { VmOptions } from "./VmOptions.ts"

/**
 * What becomes of the machine when it has been captured.
 *
 * - `running`: the guest runs
 * - `paused`: the guest does not run any further than the image; one that was captured live is in `postmigrate`, in which QEMU
 *   does not migrate it again before it has run
 * - `quit`: QEMU is ended
 *
 * @category models
 * @since 0.1.0
 */
export type Leave = "running" | "paused" | "quit"

/**
 * What to capture, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends VmOptions, Pick<ReceiveIntoImage, "seal" | "keepPartial" | "checkpointBytes"> {
  /** The image to be written; a path stands for the whole file. */
  readonly target: string | Location
  /** Whether the guest goes on running while it is saved. Default `false`: it is stopped first. */
  readonly live?: boolean | undefined
  /**
   * Bytes a second over all channels; 0: no limit, the default. It is kept by reading no faster. A guest that is captured live
   * does not have to stand still for it: there is no limit for the last pages. A `RateLimit` can be changed while it goes on.
   */
  readonly maxBandwidth?: number | RateLimit.RateLimit | undefined
  /** Default: the guest runs if it ran before. */
  readonly leave?: Leave | undefined
  /** O_DIRECT for the image's pages. Default `false`. */
  readonly directIo?: boolean | undefined
  /**
   * Where to listen for QEMU. Default: a Unix socket in a private directory, which QEMU's user has to be able to reach; one of
   * another user can connect to a `SocketAddress.unix` with `everyUser`.
   */
  readonly listen?: SocketAddress.SocketAddress | undefined
  /** What QEMU may ask for, and how long it may take. `maxRam`: default twice what it says that it has, at least 1 TiB. */
  readonly limits?: Limits.Input | undefined
  /**
   * Told what went wrong while the machine was left as it was or as asked, what could not be undone, and that an earlier
   * capture was killed. Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
}

/**
 * What was captured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Captured extends Summary {
  /** The machine type with its version. */
  readonly machine: string
  /** What QEMU's side said when everything had arrived. */
  readonly statistics: QemuStatistics
}

/**
 * Why a capture failed. Errors of QEMU's side are those that name its monitor; all others are of this side.
 *
 * @category errors
 * @since 0.1.0
 */
export type CaptureError =
  VmNotReadyError | SocketUnreachableError | QemuMigrationError | QmpError | QmpEventsError | ReceiveError | FileError

/** Run states in which QEMU does not send a machine. */
const unsendable: Readonly<Record<string, string>> = {
  inmigrate: "it waits for a machine itself",
  postmigrate: "an earlier migration stopped it; it can be captured again when it has run (cont)",
  "finish-migrate": "a migration is about to end"
}

const problemsOf = ({ blockedReasons, capabilities, runState, status }: Vm.Vm, channels: number) => [
  ...(MigrationStatus.isKnown(status) && MigrationStatus.isRunning(status)
    ? [`expected no migration under way, found one that is ${status}`]
    : []),
  ...(runState.status in unsendable
    ? [`expected a guest that can be migrated, found it ${runState.status}: ${unsendable[runState.status]}`]
    : []),
  ...blockedReasons.map((reason) => `expected a machine that can be migrated, found in QEMU's words: ${reason}`),
  ...[...(channels > 0 ? ["multifd"] : []), "return-path", "events"]
    .filter((name) => !(name in capabilities))
    .map((name) => `expected a QEMU that knows ${name}, found none of it`)
]

/** What a capture that was killed leaves behind: a guest that it had stopped, and settings that nobody chooses together. */
const isAbandoned = ({ capabilities, parameters, runState }: Vm.Vm): boolean =>
  runState.status === "paused" &&
  capabilities["return-path"] === true &&
  parameters["max-bandwidth"] === 0 &&
  parameters["downtime-limit"] === 0

const abandoned = ({ peer }: Client): string =>
  `${peer}: the guest is stopped, and QEMU's settings are those of a capture that was killed: the guest stays stopped unless it ` +
  "is left running, and the settings stay as they are"

/** A capture that is under way. */
interface Capture {
  readonly options: Options
  readonly vm: Vm.Vm
  readonly channels: number
  /** Whether the guest was stopped by us, and not by the migration. */
  readonly stops: boolean
  /** Whether QEMU is told that it is done: then the guest stays stopped. */
  readonly completes: boolean
  /** Whether the guest runs in the end. */
  readonly runs: boolean
  readonly watch: MigrationWatch.MigrationWatch
}

const plan = (options: Options, vm: Vm.Vm, watch: MigrationWatch.MigrationWatch): Capture => {
  const { channels = PipelineOptions.limits.channels.default, leave, live = false } = options
  const wasRunning = vm.runState.running
  const runs = leave === undefined ? wasRunning : leave === "running"
  const completes = leave === "quit" || (wasRunning && live && !runs)
  return { options, vm, channels, stops: wasRunning && !live, completes, runs, watch }
}

const settingsOf = ({ channels, options, vm }: Capture): BorrowedSettings.Settings => {
  const isStill = !vm.runState.running || options.live !== true
  return BorrowedSettings.forSockets({
    channels,
    compression: options.compression ?? "none",
    capabilities: { "return-path": true },
    parameters: {
      // QEMU's own limit does not hold: it leaves out what its channels have under way.
      "max-bandwidth": 0,
      // A guest that stands still is in no hurry to be stopped: the limit then holds up to the last page.
      ...(isStill ? { "downtime-limit": 0 } : {})
    }
  })
}

/** How much RAM there is is no secret, however much it is; beside the guest's own there are ROMs and video memory. */
const limitsOf = ({ options: { limits }, vm }: Capture): Limits.Input => ({
  ...limits,
  maxRam:
    limits?.maxRam ?? Math.min(Number.MAX_SAFE_INTEGER, Math.max(Limits.defaults.maxRam, Math.ceil(2 * vm.memory)))
})

/** Has QEMU send, and follows it to the end. What is called off is so while it can still be told: it then says that it was. */
const drive = Effect.fnUntraced(function* (
  { options: { qmp }, stops, watch }: Capture,
  address: SocketAddress.SocketAddress
): Effect.fn.Return<void, QmpError | QmpEventsError | QemuMigrationError> {
  if (stops) yield* QmpCommands.stop(qmp)
  yield* Effect.onInterrupt(watch.run(QmpCommands.migrate(qmp, SocketAddress.format(address))), () =>
    Effect.ignore(watch.callOff(impatient(qmp)))
  )
})

/**
 * Everything has arrived. A guest that is to go on does so now; what is still to be done on this side does not concern it.
 */
const arrived = Effect.fnUntraced(function* ({
  completes,
  options: { qmp },
  runs,
  watch
}: Capture): Effect.fn.Return<QemuStatistics, QmpError> {
  const statistics = yield* Vm.statistics(qmp)
  if (!completes) {
    yield* watch.callOff(qmp)
    yield* Vm.setRunning(qmp, runs)
  }
  return statistics
})

/** A guest that is captured live stands still for the last pages only: then there is no limit any more. */
const liftWhenStopped = ({ options: { live = false, qmp }, vm }: Capture, lift: Effect.Effect<void>) =>
  live && vm.runState.running
    ? Effect.forkScoped(Effect.andThen(Stream.runHead(Stream.filter(qmp.events, ({ name }) => name === "STOP")), lift))
    : Effect.void

/** Both sides, from listening to the image that is durable. */
const transfer = Effect.fnUntraced(function* (
  capture: Capture
): Effect.fn.Return<Captured, CaptureError, Migration | Scope.Scope> {
  const { channels, options, vm } = capture
  const { compression, directIo, maxBandwidth, progress, qmp, target } = options
  const migration = yield* Migration
  const { lift, limit } = liftable(yield* RateLimit.of(maxBandwidth))
  const listen = options.listen ?? (yield* privateAddress(qmp))
  const listening = yield* Deferred.make<SocketAddress.SocketAddress>()
  const statistics = yield* Deferred.make<QemuStatistics, QmpError>()
  const receiving = migration.receive({
    listen,
    onListening: (address) => Effect.asVoid(Deferred.succeed(listening, address)),
    onReceived: Effect.asVoid(Deferred.into(arrived(capture), statistics)),
    target,
    channels,
    compression,
    directIo,
    // QEMU is told not to wait for one.
    switchoverAck: false,
    maxBandwidth: limit,
    limits: limitsOf(capture),
    seal: options.seal,
    notes: yield* Identity.notesOf(qmp),
    keepPartial: options.keepPartial,
    checkpointBytes: options.checkpointBytes,
    progress
  })
  yield* liftWhenStopped(capture, lift)
  const driving = Effect.flatMap(Deferred.await(listening), (address) => drive(capture, address))
  yield* MigrationWatch.reportTo(qmp, options)
  const [summary] = yield* bothSides(receiving, driving, {
    isConsequence: MigrationWatch.isConsequence,
    explain: MigrationWatch.explain
  }).pipe(Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "source", address: listen })))
  if (capture.completes) yield* Vm.settled(qmp)
  return { ...summary, machine: vm.machine, statistics: yield* Deferred.await(statistics) }
})

/** Whatever happened: the settings, and after a failure the guest too, are as they were. */
const putBack = (
  { options: { qmp }, vm, watch }: Capture,
  settings: BorrowedSettings.Borrowed,
  failed: boolean
): ReadonlyArray<Step> => {
  const hasty = impatient(qmp)
  const { running } = vm.runState
  const steps: ReadonlyArray<Step> = [
    {
      run: watch.callOff(hasty),
      otherwise: () => (watch.isStarted() ? "the migration, which ends by itself when QEMU goes on" : undefined)
    },
    BorrowedSettings.step(hasty, settings),
    {
      run: Vm.setRunning(hasty, running),
      otherwise: () => (running ? "the guest, which ran before and may be stopped: cont lets it go on" : undefined)
    }
  ]
  return failed ? steps : steps.slice(1, 2)
}

/**
 * Captures a running virtual machine: its RAM and everything else, into an image that QEMU loads, and that `Resume` resumes.
 *
 * **Details**
 *
 * Works with QEMU 5.2 and later, whatever its support for mapped-ram. The capabilities and parameters that are needed are set
 * and put back afterwards; auto-converge and the like stay as they are. The disks of the machine are not part of it.
 *
 * **Failure effect**, also of an interruption: the guest goes on as before if it ran, with its former settings; the target is
 * as for `Migration.receive`. Where QEMU has exited, nothing is left to put back. A monitor that does not answer for five
 * seconds is given up: `onProblem` is told what was not undone. Only a guest that was stopped and whose image could not be made
 * durable at the very last may have gone on already.
 *
 * **Example** (A snapshot of a guest that goes on)
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
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Capture.run")(function* (
  options: Options
): Effect.fn.Return<Captured, CaptureError, Migration | Scope.Scope> {
  const { onProblem = Effect.logWarning, qmp } = options
  const vm = yield* Vm.look(qmp)
  const capture = plan(options, vm, yield* MigrationWatch.make(qmp, "source"))
  yield* Vm.refuse(qmp, "capture", problemsOf(vm, capture.channels))
  if (isAbandoned(vm)) yield* onProblem(abandoned(qmp))
  const settings = BorrowedSettings.make(qmp, vm, settingsOf(capture))
  const captured = yield* settings.set.pipe(
    Effect.andThen(Effect.scoped(transfer(capture))),
    Effect.onExit(({ _tag }) => tidyUp(putBack(capture, settings, _tag === "Failure"), onProblem))
  )
  if (options.leave === "quit") yield* QmpCommands.quit(qmp)
  return captured
}, Effect.scoped)
