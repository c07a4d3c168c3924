import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Finding from "../../format/Finding.ts"
import type * as ReturnPath from "../../format/stream/ReturnPath.ts"
import type { Connection } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import { PeerFailedError } from "../../multifd/PeerFailedError.ts"
import * as ProtocolError from "../../multifd/ProtocolError.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import type { PageLedger } from "../PageLedger.ts"
import * as PostcopyState from "../PostcopyState.ts"
import * as Background from "./background.ts"
import type { ReadError } from "./errors.ts"
import type { Unit } from "./preamble.ts"
import { Requests } from "./requests.ts"
import { ReturnWindow } from "./returnWindow.ts"

/**
 * State of one postcopy source: pages, requests and answers. It outlives a connection.
 *
 * @internal
 */
export interface Session {
  readonly ledger: PageLedger
  readonly requests: Requests
  readonly background: Background.Background
  readonly state: () => PostcopyState.PostcopyState
  readonly enter: (to: PostcopyState.PostcopyState) => Effect.Effect<void, PostcopyState.PostcopyTransitionError>
  /** Wakes all loops. */
  readonly wake: () => void
  /** A loop's wait until something has happened since the last time. */
  readonly makeRest: () => Effect.Effect<void>
  /** Waits for the answer to a PING. */
  readonly pong: (value: number) => Effect.Effect<void>
  /** Waits until the destination confirms that it has everything. */
  readonly shut: Effect.Effect<void>
  /** Waits for the bitmaps of all blocks, and for RESUME_ACK. */
  readonly bitmaps: Effect.Effect<ReadonlyMap<string, PageBitmap>>
  readonly resumed: Effect.Effect<void>
  /** Reads the destination's messages until it confirms that it has everything. */
  readonly read: (connection: Connection) => Effect.Effect<void, ReadError>
}

/** @internal */
export interface Options {
  readonly ledger: PageLedger
  readonly order: ReadonlyArray<Unit>
  /** Called with each unit that is requested and was not sent. */
  readonly onRequest: (idstr: string, offset: number) => void
  /** Called with each message. */
  readonly onMessage: () => void
}

const outside = (peer: string, offset: number, expected: string, found: string): ProtocolError.ProtocolError =>
  ProtocolError.fromFinding(peer, "main", Finding.make({ code: "request-out-of-range", offset, expected, found }))

/**
 * @internal
 */
export const make = ({ ledger, onMessage, onRequest, order }: Options): Session => {
  const requests = new Requests()
  const background = Background.make(ledger, order)
  const rests = new Set<Latch.Latch>()
  const pongs = new Map<number, Latch.Latch>()
  const shut = Deferred.makeUnsafe<void>()
  const bitmaps = Deferred.makeUnsafe<ReadonlyMap<string, PageBitmap>>()
  const received = new Map<string, PageBitmap>()
  const resumed = Latch.makeUnsafe()
  let state: PostcopyState.PostcopyState = "connecting"
  let asked: string | undefined

  const wake = () => rests.forEach((rest) => rest.openUnsafe())
  const latchOf = (value: number): Latch.Latch => {
    const latch = pongs.get(value) ?? Latch.makeUnsafe()
    pongs.set(value, latch)
    return latch
  }
  const request = (
    connection: Connection,
    { length, offset }: { readonly length: number; readonly offset: number }
  ): ProtocolError.ProtocolError | undefined => {
    const at = connection.bytesRead
    const entry = asked === undefined ? undefined : ledger.entries.get(asked)
    if (entry === undefined) return outside(connection.peer, at, "an announced block", "another one")
    const { hostPageSize, idstr, usedLength } = entry.block
    if (length === 0 || offset + length > Math.ceil(usedLength / hostPageSize) * hostPageSize) {
      return outside(
        connection.peer,
        at,
        `pages of the ${usedLength} bytes of "${idstr}"`,
        `${length} from ${offset} on`
      )
    }
    const last = Math.min(entry.units, Math.ceil((offset + length) / hostPageSize)) - 1
    for (let unit = Math.floor(offset / hostPageSize); unit <= last; unit++) {
      if (ledger.isSent(idstr, unit) || !requests.add(idstr, unit, performance.now())) continue
      onRequest(idstr, unit * hostPageSize)
      background.jumpTo(idstr, unit)
    }
    wake()
    return undefined
  }
  const handle = (
    connection: Connection,
    message: ReturnPath.Message,
    bitmap: PageBitmap | undefined
  ): ReadError | undefined => {
    const { peer } = connection
    switch (message._tag) {
      case "Pong":
        return void latchOf(message.value).openUnsafe()
      case "RequestPagesOfBlock":
        asked = message.idstr
        return request(connection, message)
      case "RequestPages":
        return request(connection, message)
      case "ReceivedBitmap":
        if (bitmap === undefined) {
          return outside(peer, connection.bytesRead, "an announced block", "another one")
        }
        received.set(message.idstr, bitmap)
        if (received.size === ledger.entries.size) Deferred.doneUnsafe(bitmaps, Effect.succeed(received))
        return undefined
      case "ResumeAck":
        return void resumed.openUnsafe()
      case "SwitchoverAck":
        return undefined
      case "Shut": {
        if (message.value !== 0) return new PeerFailedError({ peer, answer: "failed" })
        if (state !== "ending") return new PeerFailedError({ peer, answer: "early" })
        Deferred.doneUnsafe(shut, Effect.void)
        return undefined
      }
    }
  }
  const read = Effect.fnUntraced(function* (connection: Connection): Effect.fn.Return<void, ReadError> {
    const { peer } = connection
    const window = new ReturnWindow(new Map([...ledger.entries].map(([idstr, { block }]) => [idstr, block])))
    while (!Deferred.isDoneUnsafe(shut)) {
      const bytes = yield* Effect.mapError(connection.readSome(window.space()), ConnectionError.at({ channel: "main" }))
      if (bytes === 0)
        return yield* new ConnectionError.ConnectionEndedError({ peer, expected: 8, found: 0, channel: "main" })
      window.filled(bytes)
      for (;;) {
        const said = window.next()
        if (Result.isFailure(said)) return yield* ProtocolError.fromFinding(peer, "main", said.failure)
        if (said.success === undefined) break
        onMessage()
        const problem = handle(connection, said.success.message, said.success.received)
        if (problem !== undefined) return yield* problem
      }
    }
  })
  return {
    ledger,
    requests,
    background,
    state: () => state,
    enter: (to) =>
      Effect.suspend(() => Effect.fromResult(PostcopyState.next(state, to, ledger.missing()))).pipe(
        Effect.map((next) => {
          state = next
          wake()
        })
      ),
    wake,
    makeRest: () => {
      const latch = Latch.makeUnsafe(true)
      rests.add(latch)
      return Effect.suspend(() => Effect.map(latch.await, () => void latch.closeUnsafe()))
    },
    pong: (value) => latchOf(value).await,
    shut: Deferred.await(shut),
    bitmaps: Deferred.await(bitmaps),
    resumed: resumed.await,
    read
  }
}
