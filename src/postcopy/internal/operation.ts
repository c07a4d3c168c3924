import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as PostcopyCommand from "../../format/postcopy/PostcopyCommand.ts"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import * as Progress from "../../migration/Progress.ts"
import * as Watchdog from "../../multifd/Watchdog.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { Options, PostcopyError, Sent } from "./model.ts"
import { PostcopyPausedError } from "../PostcopyPausedError.ts"
import * as PostcopyState from "../PostcopyState.ts"
import * as Links from "./links.ts"
import * as PageLedger from "../PageLedger.ts"
import * as PageCache from "./pageCache.ts"
import { makeOutlet, type PageOutlet } from "./pages.ts"
import * as Plan from "./plan.ts"
import * as Preamble from "./preamble.ts"
import { serve, type Unreadable } from "./serve.ts"
import * as Session from "./session.ts"

interface Failing {
  readonly message: string
}

const DEFAULT_CONNECT = Duration.seconds(30)
const DEFAULT_IDLE = Duration.seconds(60)

/** The parts of a working source. */
interface Working<E> {
  readonly options: Options<E>
  readonly session: Session.Session
  readonly cache: PageCache.PageCache<E>
  readonly progress: Progress.Progress
  readonly watchdog: Watchdog.Watchdog
  readonly main: Connection
  /** Opened when the guest may run: from then on, a silent destination simply needs nothing. */
  readonly loaded: Latch.Latch
}

const onMain = <A, X extends ConnectionError.ConnectionError>(self: Effect.Effect<A, X>): Effect.Effect<A, X> =>
  Effect.mapError(self, ConnectionError.at({ channel: "main" }))

const writeMain = ({ main }: Pick<Working<unknown>, "main">, parts: ReadonlyArray<Uint8Array>) =>
  onMain(main.write(parts))

/** Pages that arrive before the guest runs. */
const writePrefix = Effect.fnUntraced(function* <E>(
  { cache, options, session }: Working<E>,
  outlet: PageOutlet
): Effect.fn.Return<void, E | TransferError> {
  const { ledger } = session
  for (const { idstr, unit } of Plan.prefixOf(ledger, options)) {
    const entry = ledger.entry(idstr)
    const { hostPageSize, usedLength } = entry.block
    const offset = unit * hostPageSize
    const bytes = yield* cache.read(idstr, offset, Math.min(hostPageSize, usedLength - offset))
    if (ledger.claim(idstr, unit)) yield* outlet.write([{ entry, unit, bytes }])
  }
})

const writePackage = Effect.fnUntraced(function* <E>(working: Working<E>): Effect.fn.Return<void, E | TransferError> {
  const { deviceState } = working.options.source.machineState
  const { before, after } = Preamble.packageAround(deviceState.length)
  yield* writeMain(working, [before])
  yield* ByteSource.forEach(deviceState, (bytes) => writeMain(working, [bytes.slice()]))
  yield* writeMain(working, [after])
})

/** A destination that closes a channel for urgent pages does not want it: data on it is lost. */
const watchUrgent = (urgent: Connection): Effect.Effect<never, TransferError | ConnectionError.ConnectionEndedError> =>
  Effect.flatMap(Effect.mapError(urgent.readSome(new Uint8Array(1)), ConnectionError.at({ channel: 0 })), () =>
    Effect.fail(new ConnectionError.ConnectionEndedError({ peer: urgent.peer, expected: 1, found: 0, channel: 0 }))
  )

/** A destination that has finished closes that channel first. */
const untilEnding = <X>(session: Session.Session, self: Effect.Effect<never, X>): Effect.Effect<never, X> =>
  Effect.catchIf(
    self,
    () => session.state() === "ending" || session.state() === "completed",
    () => Effect.never
  )

const outletsOf = <E>({ main, options, progress, watchdog }: Working<E>) => {
  const { counters } = progress
  const onWritten = () => watchdog.alive()
  return {
    main: makeOutlet({ connection: main, channel: "main", framing: options.source.machineState, counters, onWritten }),
    urgent: (connection: Connection) => makeOutlet({ connection, channel: 0, framing: undefined, counters, onWritten })
  }
}

/** From the first byte to RUN. The value is the channel for urgent pages. */
const begin = Effect.fnUntraced(function* <E>(
  working: Working<E>,
  outlet: PageOutlet
): Effect.fn.Return<
  Connection | undefined,
  E | Effect.Error<ReturnType<typeof Links.connect>> | TransferError | PostcopyState.PostcopyTransitionError,
  Scope.Scope
> {
  const { options, session } = working
  const { channels = 0, preempt = false, source } = options
  const { machineState } = source
  const blocks = [...session.ledger.entries.values()].map(({ block }) => block)
  yield* session.enter("preamble")
  const preamble = Preamble.encodePreamble(machineState, blocks, { flush: channels > 0 })
  yield* writeMain(working, [preamble])
  yield* Links.connectIdle(options, Preamble.pageSizeOf(blocks))
  yield* session.pong(Preamble.Ping.begun)
  const urgent = preempt ? yield* Links.connect(options, 0) : undefined
  yield* session.enter("prefix")
  yield* writeMain(working, [machineState.early, Preamble.encodeDiscard(session.ledger)])
  yield* writePrefix(working, outlet)
  yield* session.enter("package")
  yield* writePackage(working)
  return urgent
})

/** Asks the destination for the pages that it has, and resumes it. */
const resume = Effect.fnUntraced(function* <E>(
  working: Working<E>
): Effect.fn.Return<
  Connection | undefined,
  Effect.Error<ReturnType<typeof Links.connect>> | TransferError | PostcopyState.PostcopyTransitionError,
  Scope.Scope
> {
  const { options, session } = working
  yield* session.enter("recovering")
  const asks = [...session.ledger.entries.keys()].map((idstr) =>
    PostcopyCommand.encode({ _tag: "RequestBitmap", idstr })
  )
  yield* writeMain(working, asks)
  session.ledger.replace(yield* session.bitmaps)
  const urgent = options.preempt === true ? yield* Links.connect(options, 0) : undefined
  yield* writeMain(working, [PostcopyCommand.encode({ _tag: "Resume" })])
  yield* session.resumed
  return urgent
})

/** Serves pages until all have arrived, and waits for the answer. */
const serveAll = Effect.fnUntraced(function* <E extends Failing>(
  working: Working<E>,
  urgent: Connection | undefined,
  how: "begin" | "recover"
) {
  const { cache, options, progress, session } = working
  const { lazyUntil, onAnswered = () => {}, onProblem = Effect.logWarning, onRunning = Effect.void } = options
  const outlets = outletsOf(working)
  const outlet = urgent === undefined ? undefined : outlets.urgent(urgent)
  let isGenerous = lazyUntil === undefined
  if (lazyUntil !== undefined) {
    const finish = Effect.map(lazyUntil, () => {
      isGenerous = true
      session.wake()
    })
    yield* Effect.forkScoped(finish)
  }
  const isRunning = () => session.state() === "serving"
  const running = Effect.gen(function* () {
    if (how === "begin") yield* session.pong(Preamble.Ping.loaded)
    yield* session.enter("serving")
    yield* working.loaded.open
    yield* Effect.orDie(progress.status.enter("postcopy-active"))
    yield* onRunning
  })
  const serving = serve({
    session,
    cache,
    main: outlets.main,
    urgent: () => (isRunning() || session.state() === "ending" ? outlet : undefined),
    isGenerous: () => isRunning() && isGenerous,
    onDamage: (error) => onProblem(`${error.message}; from here on, only requested pages are sent`),
    onAnswered
  })
  const send = Effect.gen(function* () {
    yield* Effect.all([running, serving.all], { concurrency: 2, discard: true })
    if (urgent !== undefined) {
      // The PONG proves that the destination has read all pages of this channel.
      yield* writeMain(working, [PostcopyCommand.encode({ _tag: "Ping", value: Preamble.Ping.drained })])
      yield* session.pong(Preamble.Ping.drained)
    }
    yield* session.enter("ending")
    yield* progress.enter("sync")
    yield* writeMain(working, [Preamble.encodeEnd(options.source.machineState)])
    yield* session.shut
    yield* session.enter("completed")
  })
  yield* Effect.raceFirst(send, untilEnding(session, serving.urgent))
  yield* Effect.ignore(working.main.end)
  if (urgent !== undefined) yield* Effect.ignore(urgent.end)
})

type Inner<E> = E | Exclude<PostcopyError, PostcopyPausedError> | Unreadable<E>

const isUnreadable = <E>(error: Inner<E>): error is Unreadable<E> =>
  (error as { readonly _tag?: unknown })._tag === "Unreadable"

/** Once the guest may have run, any failure leaves it waiting. */
const explain =
  <E extends Failing>(session: Session.Session, peer: string) =>
  (error: Inner<E>): E | PostcopyError => {
    const cause = isUnreadable(error) ? error.cause : (error as E | Exclude<PostcopyError, PostcopyPausedError>)
    if (!PostcopyState.mayRun(session.state())) return cause
    return new PostcopyPausedError({
      peer,
      reason: cause.message,
      missingBytes: session.ledger.missingBytes(),
      waitsFor: isUnreadable(error) ? { idstr: error.idstr, offset: error.offset } : undefined,
      cause
    })
  }

/** Time for a failing destination to report it: it breaks its connections first. */
const FAILURE_GRACE = "2 seconds"

const withGrace = <A, X, R>(self: Effect.Effect<A, X, R>): Effect.Effect<A, X, R> =>
  Effect.catchIf(
    self,
    (error) => error instanceof ConnectionError.ConnectionLostError,
    (error) => Effect.andThen(Effect.sleep(FAILURE_GRACE), Effect.fail(error as X))
  )

const work = Effect.fnUntraced(function* <E extends Failing>(
  options: Options<E>,
  how: "begin" | "recover",
  progress: Progress.Progress
): Effect.fn.Return<number, E | PostcopyError, Scope.Scope> {
  const { connectTimeout = DEFAULT_CONNECT, idleTimeout = DEFAULT_IDLE, onRequest, order = [], source } = options
  yield* progress.enter("setup")
  const ledger = PageLedger.make(
    yield* Plan.ledgerBlocks({ ...options, allowLost: options.allowLost === true || how === "recover" })
  )
  yield* progress.begin(source.blocks)
  yield* progress.enter("ram")
  const main = yield* Links.connect({ ...options, connectTimeout }, "main")
  const { peer } = main
  const expected = how === "begin" ? "the destination to load the devices" : "the destination to continue"
  const watchdog = yield* Watchdog.make({ peer, idleTimeout: Duration.fromInputUnsafe(idleTimeout), expected })
  let requests = 0
  const session = Session.make({
    ledger,
    order: Plan.unitsOf(ledger, order),
    onMessage: watchdog.alive,
    onRequest: (idstr, offset) => {
      requests++
      onRequest?.({ idstr, offset })
    }
  })
  const readers = new Map(source.blocks.map((block) => [block.idstr, block]))
  const cache = PageCache.make(readers, source.readUnit)
  const loaded = Latch.makeUnsafe()
  const working: Working<E> = { options, session, cache, progress, watchdog, main, loaded }
  const writing = Effect.gen(function* () {
    const urgent = how === "begin" ? yield* begin(working, outletsOf(working).main) : yield* resume(working)
    const watched = urgent === undefined ? Effect.never : untilEnding(session, watchUrgent(urgent))
    yield* Effect.raceFirst(serveAll(working, urgent, how), watched)
  }).pipe(Effect.scoped, withGrace)
  const listening = Effect.andThen(session.read(main), Effect.never)
  const patience = Effect.andThen(watchdog.during(loaded.await), Effect.never)
  yield* writing.pipe(
    Effect.raceFirst(listening),
    Effect.raceFirst(patience),
    Effect.mapError(explain<E>(session, peer))
  )
  if (how === "begin") countAbsent(progress, source)
  return requests
})

/** The other pages are zero: END tells the destination. */
const countAbsent = ({ counters }: Progress.Progress, { blocks }: Options<unknown>["source"]): void => {
  const pages = blocks.reduce((sum, block) => sum + RamBlock.pageCount(block), 0)
  counters.zeroPages = pages - counters.normalPages
  counters.bytesHandled = blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
}

/** Records the end in the progress. */
const conclude = (progress: Progress.Progress, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (Exit.isSuccess(exit)) return yield* progress.enter("completed")
    const status = yield* progress.status.current
    if (status === "postcopy-active") yield* Effect.orDie(progress.status.enter("postcopy-paused"))
    if (Cause.hasInterruptsOnly(exit.cause)) {
      yield* progress.enter("cancelling")
      return yield* progress.enter("cancelled")
    }
    const reason = Cause.squash(exit.cause)
    progress.statistics.failed(reason instanceof Error ? reason.message : String(reason))
    return yield* progress.enter("failed")
  })

/**
 * @internal
 */
export const run = Effect.fnUntraced(function* <E extends Failing>(
  options: Options<E>,
  how: "begin" | "recover"
): Effect.fn.Return<Sent, E | PostcopyError> {
  const progress = options.progress ?? (yield* Progress.make)
  const requests = yield* Effect.scoped(work(options, how, progress)).pipe(
    Effect.onExit((exit) => conclude(progress, exit))
  )
  const { bytesTotal, bytesTransferred, normalPages, pages, phaseMillis, zeroPages } = yield* progress.snapshot
  return { bytesTotal, pages, normalPages, zeroPages, bytesTransferred, phaseMillis, requests }
})
