import * as Effect from "effect/Effect"
import type { TransferError } from "../../io/sockets/Connection.ts"
import type { Chunk } from "./background.ts"
import type { PageCache } from "./pageCache.ts"
import type { PageOutlet, Units } from "./pages.ts"
import type { Request } from "./requests.ts"
import type { Session } from "./session.ts"

/** An unreadable page that the guest waits for. @internal */
export interface Unreadable<E> {
  readonly _tag: "Unreadable"
  readonly idstr: string
  readonly offset: number
  readonly cause: E
}

/** @internal */
export interface Serving<E> {
  readonly session: Session
  readonly cache: PageCache<E>
  readonly main: PageOutlet
  /** The channel for urgent pages, as soon as it may be used. */
  readonly urgent: () => PageOutlet | undefined
  /** `true` while unrequested pages are sent. */
  readonly isGenerous: () => boolean
  /** Called when the first of these could not be read: from then on only requested pages are sent. */
  readonly onDamage: (error: E) => Effect.Effect<void>
  /** Called with the milliseconds from a request until the socket had its answer. */
  readonly onAnswered: (milliseconds: number) => void
}

/** At this number of missing units, requested pages move to the main channel: END then comes after all of them. */
const LAST_UNITS = 64

/** Two concurrent loops. @internal */
export interface Loops<E> {
  /** Sends pages until all present ones were sent. */
  readonly all: Effect.Effect<void, TransferError | Unreadable<E>>
  /** Answers requests over the channel for urgent pages. It does not end by itself. */
  readonly urgent: Effect.Effect<never, TransferError | Unreadable<E>>
}

/**
 * Requested pages first, all others in small chunks in between.
 *
 * ```text
 *   without a channel for urgent pages     main     request, else chunk
 *   with one                               main     chunk                     urgent   request
 *   the last units                         main     request, else chunk
 *   after END                                                                 urgent   request: zero pages only
 * ```
 *
 * With a channel for urgent pages, QEMU waits at END until the last requested page has arrived: requests are answered
 * after END as well. Without such a channel END releases all waiting threads.
 *
 * @internal
 */
export const serve = <E>(serving: Serving<E>): Loops<E> => {
  const { cache, isGenerous, main, onAnswered, onDamage, session, urgent } = serving
  const { background, ledger, requests } = session
  let isUrgentBusy = false
  let isDamaged = false

  const answer = Effect.fnUntraced(function* (
    { idstr, since, unit }: Request,
    outlet: PageOutlet
  ): Effect.fn.Return<void, TransferError | Unreadable<E>> {
    const entry = ledger.entry(idstr)
    if (entry.sent.has(unit)) return
    const { hostPageSize, usedLength } = entry.block
    const offset = unit * hostPageSize
    const bytes = entry.present.has(unit)
      ? yield* Effect.mapError(
          cache.read(idstr, offset, Math.min(hostPageSize, usedLength - offset)),
          (cause): Unreadable<E> => ({ _tag: "Unreadable", idstr, offset, cause })
        )
      : new Uint8Array(0)
    if (!ledger.claim(idstr, unit)) return
    yield* outlet.write([{ entry, unit, bytes }])
    onAnswered(performance.now() - since)
  })
  const send = Effect.fnUntraced(function* ({ idstr, unit, units }: Chunk): Effect.fn.Return<void, TransferError> {
    const entry = ledger.entry(idstr)
    const { hostPageSize, usedLength } = entry.block
    const offset = unit * hostPageSize
    const read = yield* Effect.result(cache.read(idstr, offset, Math.min(units * hostPageSize, usedLength - offset)))
    if (read._tag === "Failure") {
      isDamaged = true
      return yield* onDamage(read.failure)
    }
    const claimed: Array<Units> = []
    for (let i = 0; i < units; i++) {
      if (!ledger.claim(idstr, unit + i)) continue
      const bytes = read.success.subarray(i * hostPageSize, (i + 1) * hostPageSize)
      claimed.push({ entry, unit: unit + i, bytes })
    }
    yield* main.write(claimed)
  })
  /**
   * `true` if the channel for urgent pages answers requests. Both loops check this, so that exactly one of them
   * answers.
   */
  const isForUrgent = () => urgent() !== undefined && (session.state() === "ending" || ledger.missing() > LAST_UNITS)
  const chunk = () => (isGenerous() && !isDamaged ? background.next() : undefined)

  const onMain = Effect.gen(function* () {
    const rest = session.makeRest()
    for (;;) {
      const request = isForUrgent() ? undefined : requests.take()
      if (request !== undefined) {
        yield* answer(request, main)
        continue
      }
      const next = chunk()
      if (next !== undefined) {
        yield* send(next)
        continue
      }
      if (ledger.missing() === 0 && !isUrgentBusy && session.state() === "serving") return
      yield* rest
    }
  })
  const onUrgent = Effect.gen(function* () {
    const rest = session.makeRest()
    for (;;) {
      const outlet = urgent()
      const request = isForUrgent() ? requests.take() : undefined
      if (outlet === undefined || request === undefined) {
        yield* rest
        continue
      }
      isUrgentBusy = true
      yield* answer(request, outlet)
      isUrgentBusy = false
      session.wake()
    }
  })
  return { all: onMain, urgent: onUrgent }
}
