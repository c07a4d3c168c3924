/**
 * The channel that sends pages as multifd packets over a connection.
 *
 * ```text
 *   make         init ──────────────────────────────▶   64 bytes: which channel of which guest
 *   transfer     header │ normal pages ─────────────▶   up to 512 KiB of pages each, any number of times
 *                header │ normal pages, compressed ─▶
 *   sync         SYNC ──────────────────────────────▶   once a round; the main channel's mark follows behind the barrier
 *   finish       the end of our side ───────────────▶   with TLS a close_notify
 * ```
 *
 * Both lists of a packet, normal and zero pages, are in ascending order. QEMU's are not, because it swaps zero pages to
 * the end; no receiver requires any order.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Codec, Compressor } from "../compression/Compression.ts"
import type { CompressionError, CompressionLevelError } from "../compression/CompressionError.ts"
import * as MultifdInit from "../format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../format/multifd/MultifdPacket.ts"
import type { Connection, TransferError } from "../io/sockets/Connection.ts"
import * as ConnectionError from "../io/sockets/ConnectionError.ts"
import * as PageBatch from "../ram/PageBatch.ts"
import type { Channel } from "../transfer/Channel.ts"
import { makeBuffer } from "../transfer/ChannelBuffer.ts"
import { cutPackets, type PagesOfPacket } from "./internal/cutPackets.ts"
import { makeOutlet } from "./internal/outlet.ts"
import { transferBatches } from "./internal/transferBatches.ts"
import type { PacketNumbers } from "./PacketNumbers.ts"
import * as OneAhead from "../transfer/OneAhead.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import type { Watchdog } from "./Watchdog.ts"

/**
 * Options of a sending channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** A connection for this channel alone, to which nothing has been written. Its opener closes it. */
  readonly connection: Connection
  /** The guest's UUID, 16 bytes in textual order; zeros if it has none. The peer's must be the same. */
  readonly uuid: Uint8Array
  /** Bytes in a page, the same for all blocks: at most 512 KiB, the size of a packet. */
  readonly pageSize: number
  /** Counts the packets of all channels of the migration. */
  readonly packetNumbers: PacketNumbers
  /** `true` to detect zero pages and list them without their bytes; otherwise all pages are sent. Default `true`. */
  readonly detectZeroPages?: boolean | undefined
  /** Compresses the payloads; the peer must use the same method. Default: no compression. */
  readonly compression?: { readonly codec: Codec; readonly level?: number | undefined } | undefined
  /** Counts the sent data: all bytes of the channel, including headers, as QEMU's `multifd-bytes`. */
  readonly counters?: TransferCounters.TransferCounters | undefined
  /** The migration's limit. Default: none. */
  readonly rateLimit?: RateLimit | undefined
  /** Notified of everything that the peer takes, and of time in which we do not wait for the peer. */
  readonly watchdog?: Pick<Watchdog, "alive" | "working"> | undefined
}

/**
 * Errors of a sending channel, besides those of reading the pages.
 *
 * @category errors
 * @since 0.1.0
 */
export type SocketChannelError = TransferError | CompressionError

/**
 * Headers written in one call if there is no payload between them: a long stretch of zero pages consists of headers
 * only, and would otherwise be one write per 512 KiB.
 */
const PACKETS_AT_ONCE = 16

/** Compressed packets in memory: one is written while the next is compressed. */
const COMPRESSED_PACKETS = 2

/**
 * Introduces the channel to the peer, and sends batches to it.
 *
 * **Details**
 *
 * Pages in process memory are written in place, and are with the kernel when `transfer` returns. Others are read into
 * one of two buffers of the channel, each of one batch, and written while the next batch is read; an error then
 * surfaces in the next call. With compression, pages in memory are copied first, because they may change in the
 * meantime.
 *
 * Data that is with the kernel may not have reached the peer: only the peer's answer on the main channel confirms that
 * it has everything. `finish` ends our side properly. Errors of the connection name the channel.
 *
 * **Failure effect**: the peer may have any part of the batch, and must discard the whole migration.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Channel<SocketChannelError>, SocketChannelError | CompressionLevelError, Scope.Scope> {
  const { compression, connection, counters, detectZeroPages = true, id, packetNumbers, pageSize, watchdog } = options
  const write = makeOutlet(connection, id, options)
  const working: Watchdog["working"] = watchdog?.working ?? ((self) => self)
  const compressor =
    compression === undefined ? undefined : yield* compression.codec.compressor({ level: compression.level })
  const method = compression?.codec.flag ?? 0
  const load = detectZeroPages ? PageBatch.load : PageBatch.loadAll
  const capacity = MultifdPacket.pageCapacity(pageSize)
  const headerLength = MultifdPacket.headerLength(pageSize)
  const headers = new Uint8Array((compressor === undefined ? PACKETS_AT_ONCE : COMPRESSED_PACKETS) * headerLength)
  const copies = makeBuffer()
  const ahead = yield* OneAhead.make<SocketChannelError>()
  const compressed = yield* OneAhead.make<TransferError>()
  const drained = Effect.andThen(ahead.drained, compressed.drained)
  let slot = 0

  const send = Effect.fnUntraced(function* (parts: ReadonlyArray<Uint8Array>): Effect.fn.Return<void, TransferError> {
    yield* write(parts)
    if (counters !== undefined) counters.bytes += byteLength(parts)
  })
  const headerOf = (idstr: string, { normal, zero }: PagesOfPacket, payloadLength: number, at: number): Uint8Array => {
    const packet = { sync: false, method, packetNum: packetNumbers.next(), idstr, normal, zero, payloadLength }
    return MultifdPacket.encodeRam(packet, pageSize, headers.subarray(at * headerLength))
  }
  const sendPlain = Effect.fnUntraced(function* (
    batch: PageBatch.LoadedBatch<unknown>
  ): Effect.fn.Return<void, TransferError> {
    let parts: Array<Uint8Array> = []
    let packets = 0
    for (const packet of cutPackets(batch, capacity)) {
      parts.push(headerOf(batch.block.idstr, packet, packet.normal.length * pageSize, packets++), ...packet.runs)
      if (packets < PACKETS_AT_ONCE) continue
      yield* send(parts)
      parts = []
      packets = 0
    }
    if (packets > 0) yield* send(parts)
  })
  const sendCompressed = Effect.fnUntraced(function* (
    batch: PageBatch.LoadedBatch<unknown>,
    { compress }: Compressor
  ): Effect.fn.Return<void, SocketChannelError> {
    const { block } = batch
    const stable = (runs: ReadonlyArray<Uint8Array>) => (block.reader.view === undefined ? runs : copyOf(runs, copies))
    for (const packet of cutPackets(batch, capacity)) {
      const payload = packet.runs.length === 0 ? [] : yield* working(compress(stable(packet.runs), pageSize))
      slot = (slot + 1) % COMPRESSED_PACKETS
      const header = headerOf(block.idstr, packet, byteLength(payload), slot)
      yield* compressed.submit(send([header, ...payload]))
    }
  })
  const sendBatch = Effect.fnUntraced(function* (
    batch: PageBatch.LoadedBatch<unknown>
  ): Effect.fn.Return<void, SocketChannelError> {
    yield* compressor === undefined ? sendPlain(batch) : sendCompressed(batch, compressor)
    if (counters !== undefined) TransferCounters.add(counters, batch, 0)
  })
  const sendSync = Effect.suspend(() => send([MultifdPacket.encodeSync(packetNumbers.next(), pageSize, headers)]))

  yield* send([MultifdInit.encode({ uuid: options.uuid, id })])
  return {
    id,
    transfer: transferBatches({ ahead, load, send: sendBatch, working }),
    sync: Effect.andThen(drained, sendSync),
    finish: Effect.andThen(drained, Effect.mapError(connection.end, ConnectionError.at({ channel: id })))
  }
})

const byteLength = (parts: ReadonlyArray<Uint8Array>): number => parts.reduce((sum, part) => sum + part.length, 0)

/** The same bytes in memory that nothing else writes to: a compressor must see the same data twice. */
const copyOf = (runs: ReadonlyArray<Uint8Array>, buffer: (length: number) => Uint8Array): ReadonlyArray<Uint8Array> => {
  const target = buffer(byteLength(runs))
  let at = 0
  for (const run of runs) {
    target.set(run, at)
    at += run.length
  }
  return [target]
}
