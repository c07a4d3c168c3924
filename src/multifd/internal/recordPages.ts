import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Invariant from "../../ram/Invariant.ts"
import * as Finding from "../../format/Finding.ts"
import * as MultifdPacket from "../../format/multifd/MultifdPacket.ts"
import type { Event, Extent, ZeroExtent } from "../../format/stream/SocketStream.ts"
import * as Xbzrle from "../../format/stream/Xbzrle.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { OneAhead } from "../../transfer/OneAhead.ts"
import type { PageSink } from "../../transfer/PageSink.ts"
import * as ProtocolError from "../ProtocolError.ts"
import type { Watchdog } from "../Watchdog.ts"
import { makeBuffer, makeBufferPair } from "../../transfer/ChannelBuffer.ts"
import { reportingFailure } from "../../transfer/FirstError.ts"
import { placePages } from "./placePages.ts"

/** @internal */
export type PageEvent = Extract<Event, { readonly _tag: "Pages" | "Zeros" | "Changes" }>

/**
 * Stores the pages that are records of the main channel: all pages without multifd, or zero pages if the sender detects
 * them before its channels do.
 *
 * Headers separate the bytes of records, so they are gathered in one of two buffers, and written from there while the
 * next ones are read.
 *
 * @internal
 */
export const makeRecordPages = <E>(options: {
  readonly peer: string
  readonly sinks: ReadonlyMap<string, PageSink<E>>
  readonly ahead: OneAhead<E, never>
  readonly watchdog: Pick<Watchdog, "alive" | "working">
}): ((event: PageEvent) => Effect.Effect<void, E | ProtocolError.ProtocolError>) => {
  const { ahead, peer, sinks, watchdog } = options
  const page = makeBuffer()
  const buffers = makeBufferPair()

  const handOver = (sink: PageSink<E>, store: Effect.Effect<void, E>): Effect.Effect<void, E> => {
    const work = watchdog.working(reportingFailure(store))
    if (sink.view !== undefined) return work
    buffers.swap()
    return ahead.submit(work)
  }

  const storePages = (sink: PageSink<E>, extents: ReadonlyArray<Extent>) => {
    const normal = extents.map(({ offset }) => offset)
    const { pages, targets } = placePages({ normal, zero: [] }, sink, () => buffers.take(MultifdPacket.MAX_DATA_BYTES))
    gather(extents, targets)
    return handOver(sink, sink.store(pages))
  }
  const storeZeros = (sink: PageSink<E>, extents: ReadonlyArray<ZeroExtent>) => {
    const zero = zeroRuns(extents, sink.pageSize)
    return handOver(sink, sink.store({ extents: [], normal: PageRuns.empty, zero, gaps: PageRuns.empty }))
  }
  const change = Effect.fnUntraced(function* (
    sink: PageSink<E>,
    { bytes, offset }: Extent
  ): Effect.fn.Return<void, E | ProtocolError.ProtocolError> {
    if (sink.read === undefined) return yield* ProtocolError.fromFinding(peer, "main", unreadable(sink))
    const whole = page(sink.pageSize)
    yield* watchdog.working(sink.read(offset, whole))
    const decoded = Xbzrle.decode(whole, bytes, whole)
    if (Result.isFailure(decoded)) return yield* ProtocolError.fromFinding(peer, "main", decoded.failure)
    yield* storePages(sink, [{ offset, bytes: whole }])
    yield* ahead.drained
  })
  return (event) =>
    Effect.suspend(() => {
      watchdog.alive()
      const sink = Invariant.defined(sinks.get(event.idstr), "the parser knows the blocks of all records")
      switch (event._tag) {
        case "Pages":
          return storePages(sink, event.extents)
        case "Zeros":
          return storeZeros(sink, event.extents)
        case "Changes":
          return Effect.andThen(
            ahead.drained,
            Effect.forEach(event.extents, (extent) => change(sink, extent), { discard: true })
          )
      }
    })
}

/** Copies consecutive pieces into consecutive places. */
const gather = (pieces: ReadonlyArray<Extent>, places: ReadonlyArray<Uint8Array>): void => {
  let at = 0
  let index = 0
  for (const { bytes } of pieces) {
    const place = Invariant.defined(places[index], "the places hold all pieces")
    place.set(bytes, at)
    at += bytes.length
    if (at < place.length) continue
    index++
    at = 0
  }
}

const zeroRuns = (extents: ReadonlyArray<ZeroExtent>, pageSize: number): PageRuns.PageRuns =>
  PageRuns.fromRanges(extents.flatMap(({ length, offset }) => [offset / pageSize, length / pageSize]))

const unreadable = ({ idstr }: PageSink<unknown>): Finding.Finding =>
  Finding.make({
    code: "record-unexpected",
    offset: 0,
    block: idstr,
    expected: "whole pages, since the block can only be written",
    found: "changes of a page (XBZRLE)"
  })
