/**
 * A virtual machine out of an image whose guest runs at once: its pages come when it touches them.
 *
 * ```text
 *   here                                       QEMU, started with -incoming defer
 *     │ ── query-… ───────────────────────────▶ │   as for `Resume`; may it use userfaultfd?
 *     │ ── postcopy-ram, postcopy-preempt ────▶ │
 *     │ ── migrate-incoming unix:… ───────────▶ │
 *     │ ══ device state ══════════════════════▶ │   RESUME: the guest runs
 *     │ ◀═ requests ═══════════════════════════ │
 *     │ ══ pages ═════════════════════════════▶ │   completed
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { FileError } from "../io/files/FileError.ts"
import * as SocketAddress from "../io/sockets/SocketAddress.ts"
import * as Problem from "../ram/Problem.ts"
import * as Postcopy from "../postcopy/Postcopy.ts"
import { PostcopyPausedError } from "../postcopy/PostcopyPausedError.ts"
import * as BorrowedSettings from "./internal/borrowedSettings.ts"
import * as Destination from "./internal/destination.ts"
import { privateAddress } from "./internal/privateAddress.ts"
import * as ResumeChecks from "./internal/resumeChecks.ts"
import { rollback } from "./internal/rollback.ts"
import * as Unreachable from "./internal/unreachable.ts"
import * as Vm from "./internal/vm.ts"
import * as Waits from "./internal/waits.ts"
import type { TaggedError } from "./CaptureOptions.ts"
import * as QmpCommands from "./QmpCommands.ts"
import type { QmpCommandError, QmpError } from "./QmpError.ts"
import type * as Resume from "./Resume.ts"
import { type SocketUnreachableError, VmNotReadyError } from "./VmError.ts"

/**
 * Options of an instant resume.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> extends Omit<
  Resume.Options<E>,
  "channels" | "compression" | "onStatistics" | "interval"
> {
  /**
   * `on` to send requested pages over a connection of their own, `off` for one connection. Default `auto`: on if QEMU
   * has `postcopy-preempt` (7.1 and later).
   */
  readonly preempt?: "auto" | "on" | "off" | undefined
  /** Sends nothing unasked until this ends. Default: everything is sent as fast as QEMU takes it. */
  readonly lazyUntil?: Effect.Effect<void> | undefined
  /**
   * Called when the guest runs, or with `paused` when its devices are loaded, with the milliseconds since the
   * connection was opened.
   */
  readonly onRunning?: ((milliseconds: number) => Effect.Effect<void>) | undefined
}

/**
 * Outcome of an instant resume.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Resumed extends Postcopy.Sent {
  /** The final run state: `running`, or the reason why not. */
  readonly runState: string
}

/**
 * Failures of an instant resume. After a `PostcopyPausedError` the guest runs and waits for `recover`; after any other
 * it has not run.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type InstantResumeError =
  VmNotReadyError | SocketUnreachableError | QmpError | FileError | Postcopy.PostcopyError

const USERFAULTFD =
  "allow it (/dev/userfaultfd for QEMU's user, or sysctl vm.unprivileged_userfaultfd=1), give the guest RAM that is " +
  "anonymous, memfd or hugetlbfs instead of a file, or resume without --instant"

/** QEMU checks userfaultfd and the guest's RAM as soon as the capability is set. */
const refusedBy = ({ description, peer }: QmpCommandError): VmNotReadyError =>
  new VmNotReadyError({
    peer,
    operation: "resume",
    problems: [Problem.make(`QEMU cannot run a guest before its memory is there: ${description}`, USERFAULTFD)]
  })

const preemptOf = (vm: Vm.Vm, preempt: Options["preempt"]): boolean =>
  preempt === "on" || (preempt !== "off" && "postcopy-preempt" in vm.capabilities)

const pagesOf = (blocks: Destination.Destination["blocks"]): ReadonlyMap<string, number> =>
  new Map(
    blocks?.flatMap(({ hostPageSize, idstr }) => (hostPageSize === undefined ? [] : [[idstr, hostPageSize] as const]))
  )

/** The command that recovers a paused guest. */
const recoveryOf = ({ peer }: { readonly peer: string }, name: string): string =>
  `multifd resume --qmp ${peer} ${name} --recover`

const named =
  <E>({ qmp, source }: Pick<Options<E>, "qmp" | "source">) =>
  <X>(error: X): X | PostcopyPausedError =>
    error instanceof PostcopyPausedError
      ? new PostcopyPausedError({ ...error, cause: error.cause, recovery: recoveryOf(qmp, source.name) })
      : error

/** The moment at which the guest runs, by QEMU's own word; without RESUME the devices are loaded. */
const watchRunning = Effect.fnUntraced(function* (
  { onRunning, paused = false, qmp }: Pick<Options<unknown>, "onRunning" | "paused" | "qmp">,
  since: () => number
): Effect.fn.Return<Effect.Effect<void>, never, Scope.Scope> {
  const report = (): Effect.Effect<void> => onRunning?.(performance.now() - since()) ?? Effect.void
  if (paused) return Effect.suspend(report)
  const events = yield* qmp.subscribe
  const resumed = events.pipe(
    Stream.filter(({ name }) => name === "RESUME"),
    Stream.take(1),
    Stream.runDrain
  )
  yield* Effect.forkScoped(Effect.ignore(Effect.andThen(resumed, Effect.suspend(report))))
  return Effect.void
})

const common = <E>(options: Options<E>, preempt: boolean) => {
  const { allowLost, lazyUntil, onProblem, progress, source, timeout } = options
  const { handshakeTimeout, idleTimeout } = Waits.limitsOf(timeout)
  return { source, allowLost, preempt, lazyUntil, onProblem, progress, connectTimeout: handshakeTimeout, idleTimeout }
}

const transfer = Effect.fnUntraced(function* <E extends TaggedError>(
  options: Options<E>,
  preempt: boolean,
  hostPageSizes: ReadonlyMap<string, number>
): Effect.fn.Return<Postcopy.Sent, InstantResumeError | E, Scope.Scope> {
  const { listen, paused = false, qmp } = options
  const address = SocketAddress.withHost(listen ?? (yield* privateAddress(qmp)))
  let since = 0
  const onRunning = yield* watchRunning(options, () => since)
  // Without it RUN starts the guest, whatever run state is in the image.
  if (paused) yield* QmpCommands.stop(qmp)
  yield* QmpCommands.migrateIncoming(qmp, SocketAddress.format(address), {
    exitOnError: ResumeChecks.canStay(qmp.version) ? false : undefined
  })
  since = performance.now()
  return yield* Postcopy.send({ ...common(options, preempt), to: address, hostPageSizes, onRunning }).pipe(
    Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "destination", address }))
  )
})

const finished = Effect.fnUntraced(function* (
  { paused = false, qmp }: Pick<Options<unknown>, "paused" | "qmp">,
  sent: Postcopy.Sent
): Effect.fn.Return<Resumed, QmpError> {
  yield* Vm.settled(qmp)
  const { status } = yield* QmpCommands.queryStatus(qmp)
  if (!paused && status === "paused") yield* Vm.setRunning(qmp, true)
  return { ...sent, runState: (yield* QmpCommands.queryStatus(qmp)).status }
})

/** Time for QEMU to notice that its source has gone. */
const PAUSE_LIMIT = "5 seconds"

const whenPaused = (qmp: Resume.Options["qmp"]): Effect.Effect<boolean, QmpError> =>
  Vm.statistics(qmp).pipe(
    Effect.map(({ status }) => status === "postcopy-paused"),
    Effect.tap((isPaused) => (isPaused ? Effect.void : Effect.sleep("20 millis"))),
    Effect.repeat({ until: (isPaused) => isPaused }),
    Effect.timeoutOrElse({ duration: PAUSE_LIMIT, orElse: () => Effect.succeed(false) })
  )

/** Serves a paused destination over another connection. */
const again = Effect.fnUntraced(function* <E extends TaggedError>(
  options: Options<E>
): Effect.fn.Return<Postcopy.Sent, InstantResumeError | E, Scope.Scope> {
  const { listen, qmp } = options
  const { capabilities } = yield* Vm.query(qmp)
  const blocks = (yield* Destination.query(qmp, 0)).blocks
  const address = SocketAddress.withHost(listen ?? (yield* privateAddress(qmp)))
  yield* QmpCommands.migrateRecover(qmp, SocketAddress.format(address))
  const preempt = capabilities["postcopy-preempt"] === true
  return yield* Postcopy.recover({
    ...common(options, preempt),
    to: address,
    hostPageSizes: pagesOf(blocks)
  }).pipe(Effect.mapError(Unreachable.explain({ peer: qmp.peer, role: "destination", address })))
})

/** A broken connection is repaired once, unless it is the image that is damaged. */
const retryOnce =
  <E extends TaggedError>(options: Options<E>) =>
  (error: InstantResumeError | E): Effect.Effect<Postcopy.Sent, InstantResumeError | E> => {
    if (!(error instanceof PostcopyPausedError) || error.waitsFor !== undefined) return Effect.fail(error)
    const { onProblem = Effect.logWarning, progress: _, ...others } = options
    return Effect.gen(function* () {
      if (!(yield* whenPaused(options.qmp))) return yield* error
      yield* onProblem(`${error.message}; trying once to recover`)
      return yield* again<E>(others)
    }).pipe(Effect.scoped)
  }

/**
 * Resumes a machine whose guest runs at once, and sends its pages until all are there.
 *
 * **Details**
 *
 * The same checks as for `Resume.run`, and QEMU must be able to use userfaultfd: a refusal comes before anything is
 * touched. A broken connection is repaired once. QEMU must not be migrated, captured or saved before the end.
 *
 * **Failure effect**: before the guest runs, as for `Resume.run`. Afterwards it runs on until it touches a missing
 * page, and `recover` continues; the settings of QEMU stay as they are then.
 *
 * **Example** (A guest within milliseconds)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Image, InstantResume, QmpClient, SocketAddress } from "effect-multifd"
 *
 * export const resume = Effect.gen(function* () {
 *   const qmp = yield* QmpClient.make({ address: SocketAddress.unix("/run/vm/qmp") })
 *   const image = yield* Image.open("vm.img")
 *   return yield* InstantResume.run({
 *     qmp,
 *     source: image,
 *     onRunning: (milliseconds) => Effect.log(`running after ${milliseconds} ms`)
 *   })
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("InstantResume.run")(function* <E extends TaggedError = never>(
  options: Options<E>
): Effect.fn.Return<Resumed, InstantResumeError | E> {
  const { allowLost = false, newIdentity = false, onProblem = Effect.logWarning, paused = false, qmp, source } = options
  const vm = yield* Vm.query(qmp)
  const destination = yield* Destination.query(qmp, vm.memory)
  const { machine } = vm
  const preempt = preemptOf(vm, options.preempt)
  yield* Vm.refuse(qmp, "resume", [
    ...ResumeChecks.problemsOf(vm, preempt ? ["postcopy-ram", "postcopy-preempt"] : ["postcopy-ram"]),
    ...ResumeChecks.listenProblems(options.listen),
    ...Destination.problemsOf(source, destination, { machine, newIdentity, allowLost, paused })
  ])
  yield* Effect.forEach(ResumeChecks.exposuresOf(options.listen), onProblem, { discard: true })
  const capabilities = { "postcopy-ram": true, "postcopy-preempt": preempt }
  const settings = BorrowedSettings.make(
    qmp,
    vm,
    BorrowedSettings.forSockets({ channels: 0, compression: "none", capabilities })
  )
  const hasStarted = Latch.makeUnsafe()
  const restore = Effect.scoped(rollback(qmp, [BorrowedSettings.step(settings)], onProblem))
  const report = options.onRunning
  const started: Options<E> = {
    ...options,
    onRunning: (milliseconds) => Effect.andThen(hasStarted.open, report?.(milliseconds) ?? Effect.void)
  }
  const sent = yield* Effect.catchTag(settings.set, "QmpCommandError", (error) => Effect.fail(refusedBy(error))).pipe(
    Effect.andThen(
      Effect.scoped(transfer(started, preempt, pagesOf(destination.blocks))).pipe(
        Effect.catch(retryOnce(options)),
        Effect.mapError(named(options))
      )
    ),
    // Once the guest runs, it still needs the settings: `recover` continues with them.
    Effect.onError(() => Effect.suspend(() => (hasStarted.isOpen() ? Effect.void : restore)))
  )
  return yield* Effect.ensuring(finished(options, sent), restore)
})

/**
 * Continues an instant resume whose source has gone: a guest in `postcopy-paused` gets the pages that it misses.
 *
 * **Failure effect**: the guest is paused as before.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const recover = Effect.fn("InstantResume.recover")(function* <E extends TaggedError = never>(
  options: Options<E>
): Effect.fn.Return<Resumed, InstantResumeError | E> {
  const { qmp } = options
  const { status = "none" } = yield* Vm.statistics(qmp)
  yield* Vm.refuse(
    qmp,
    "resume",
    status === "postcopy-paused"
      ? []
      : [
          Problem.make(
            `no guest waits for its memory: the migration is ${status}`,
            "use --recover after a broken resume"
          )
        ]
  )
  const sent = yield* Effect.scoped(again(options)).pipe(Effect.mapError(named(options)))
  return yield* finished(options, sent)
})
