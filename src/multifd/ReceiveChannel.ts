/**
 * The channel that receives pages as multifd packets over a connection.
 *
 * ```text
 *              ┌───────────────────────────────────────────────┐
 *              ▼                                               │
 *   init ──▶ header ──▶ pages: payload ──▶ to their places ────┤   straight to memory, or through one of two buffers:
 *   (done)     │                                               │   one is filled while the other is written, and as much
 *              │                                               │   as there is is read at once
 *              ├────── SYNC: all stored, wait for the mark ────┤
 *              ├────── device state: to the handler ───────────┘
 *              └─ end of the connection, behind the last SYNC ──▶ done
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Invariant from "../ram/Invariant.ts"
import type { Decompressor } from "../compression/Compression.ts"
import type { CompressionError } from "../compression/CompressionError.ts"
import * as DeviceStatePacket from "../format/multifd/DeviceStatePacket.ts"
import * as Finding from "../format/Finding.ts"
import * as MultifdInit from "../format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../format/multifd/MultifdPacket.ts"
import type { Connection, TransferError } from "../io/sockets/Connection.ts"
import * as ConnectionError from "../io/sockets/ConnectionError.ts"
import type { Epochs } from "./Epochs.ts"
import { makeBuffer, makeBufferPair } from "../transfer/ChannelBuffer.ts"
import { reportingFailure } from "../transfer/FirstError.ts"
import * as OneAhead from "../transfer/OneAhead.ts"
import { Inlet } from "./internal/inlet.ts"
import { placePages } from "./internal/placePages.ts"
import type { Pages, PageSink } from "../transfer/PageSink.ts"
import * as ProtocolError from "./ProtocolError.ts"
import type { Watchdog } from "./Watchdog.ts"

/**
 * A packet of device state, which only its device can read.
 *
 * @category models
 * @since 0.1.0
 */
export interface DevicePacket {
  /** The device. */
  readonly idstr: string
  readonly instanceId: number
  /** The channel that it came on; the order between channels has no meaning. */
  readonly channel: number
  /** Valid until the handler has ended. */
  readonly payload: Uint8Array
}

/**
 * Errors of a channel, besides those of storing the pages.
 *
 * @category errors
 * @since 0.1.0
 */
export type ReceiveChannelError =
  TransferError | ConnectionError.ConnectionEndedError | ProtocolError.ProtocolError | CompressionError

/**
 * Options of a receiving channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E> {
  readonly id: number
  /** A connection after its init packet. */
  readonly connection: Connection
  /** Bytes of a page, the same for all blocks. */
  readonly pageSize: number
  /** By `idstr`: a sink for each announced block. */
  readonly sinks: ReadonlyMap<string, PageSink<E>>
  /** The migration's epochs, shared by its channels and its main channel. */
  readonly epochs: Epochs
  readonly watchdog: Pick<Watchdog, "alive" | "working">
  /** The agreed compression method. Default: none. */
  readonly compression?: { readonly flag: number; readonly decompressor: Decompressor } | undefined
  /** Bytes of the payload of one packet. */
  readonly maxPayload: number
  /** Takes packets of device state. Default: they are an error. */
  readonly onDevicePacket?: ((packet: DevicePacket) => Effect.Effect<void, E>) | undefined
}

/**
 * Receives all data of a channel, until the peer ends it after its last SYNC.
 *
 * **Details**
 *
 * Every number of a packet is checked before it is used. Memory is two buffers of two packets each for pages that do
 * not go directly into memory, and two of 512 KiB if they must be sorted first, or are decompressed.
 *
 * Another compression method, pages of unknown blocks or outside them, and everything else that makes a real
 * destination crash, hang or store wrong data, are `ProtocolError`s.
 *
 * **Failure effect**: any of the pages may have been stored.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E>(options: Options<E>): Effect.Effect<void, E | ReceiveChannelError> =>
  OneAhead.during((ahead) => new PacketReader(options, ahead).run)

/**
 * Packets that fit into one memory of a channel. With only one, reading could not continue while the pages of the
 * previous one are stored.
 */
const PACKETS = 2

/** The state of one channel between its packets. */
class PacketReader<E> {
  readonly #options: Options<E>
  readonly #ahead: OneAhead.OneAhead<E, never>
  readonly #inlet: Inlet
  /** `true` if pages are stored directly from the memory they arrive in. */
  readonly #inPlace: boolean
  readonly #unpacked = makeBuffer()
  readonly #buffers = makeBufferPair()
  /** Position of the current packet on the connection. */
  #position = MultifdInit.LENGTH
  #lastNumber = 0
  readonly #headerLength: number
  /** `true` if data was handed over since the inlet's memories were swapped; then all earlier data is stored. */
  #handedOver = false

  constructor(options: Options<E>, ahead: OneAhead.OneAhead<E, never>) {
    const { connection, pageSize, sinks } = options
    this.#options = options
    this.#ahead = ahead
    this.#headerLength = MultifdPacket.headerLength(pageSize)
    this.#inPlace = [...sinks.values()].every(({ takesUnaligned }) => takesUnaligned)
    const length = this.#inPlace ? PACKETS * (this.#headerLength + MultifdPacket.MAX_DATA_BYTES) : this.#headerLength
    this.#inlet = new Inlet({ connection, length, ahead: this.#inPlace, otherIsFree: this.#otherIsFree })
  }

  readonly #otherIsFree: Effect.Effect<void> = Effect.suspend(() => {
    const stored = this.#handedOver ? Effect.void : this.#ahead.drained
    this.#handedOver = false
    return stored
  })

  readonly run: Effect.Effect<void, E | ReceiveChannelError> = Effect.suspend(() =>
    Effect.flatMap(this.#nextPacket, (more) => (more ? this.run : this.#end))
  )

  /** `true` if there was another packet. */
  readonly #nextPacket: Effect.Effect<boolean, E | ReceiveChannelError> = Effect.suspend(() =>
    Effect.flatMap(this.#read(this.#inlet.peekOrEnd(MultifdPacket.PROLOGUE_LENGTH)), (prologue) =>
      prologue === undefined ? Effect.succeed(false) : Effect.as(this.#packet(prologue), true)
    )
  )

  #packet(prologue: Uint8Array): Effect.Effect<void, E | ReceiveChannelError> {
    const kind = MultifdPacket.decodePrologue(prologue, this.#position)
    if (Result.isFailure(kind)) return this.#fail(kind.failure)
    return kind.success.kind === "ram" ? this.#ramPacket : this.#devicePacket
  }

  readonly #ramPacket: Effect.Effect<void, E | ReceiveChannelError> = Effect.suspend(() =>
    Effect.flatMap(this.#read(this.#inlet.take(this.#headerLength)), (header) => {
      const { compression, maxPayload, pageSize } = this.#options
      const packet = MultifdPacket.decodeRam(header, {
        pageSize,
        method: compression?.flag,
        maxPayload,
        position: this.#position
      })
      return Result.isFailure(packet) ? this.#fail(packet.failure) : this.#store(packet.success)
    })
  )

  #store(packet: MultifdPacket.RamPacket): Effect.Effect<void, E | ReceiveChannelError> {
    const position = this.#position
    this.#position += this.#headerLength + packet.payloadLength
    const stale = MultifdPacket.checkNumber(packet, this.#lastNumber, position)
    this.#lastNumber = packet.packetNum
    if (stale !== undefined) return this.#fail(stale)
    const pages = packet.normal.length + packet.zero.length === 0 ? Effect.void : this.#pages(packet, position)
    return packet.sync ? Effect.andThen(pages, this.#sync(position)) : pages
  }

  #pages(packet: MultifdPacket.RamPacket, position: number): Effect.Effect<void, E | ReceiveChannelError> {
    const { epochs, id, sinks, watchdog } = this.#options
    const receive = (): Effect.Effect<void, E | ReceiveChannelError> => {
      const sink = sinks.get(packet.idstr)
      const finding = MultifdPacket.checkPages(packet, sink, position)
      if (finding !== undefined) return this.#fail(finding)
      Invariant.holds(sink !== undefined, "pages of an unknown block are a finding")
      return Effect.flatMap(this.#place(packet, sink), (pages) => {
        watchdog.alive()
        return this.#handOver(sink, pages)
      })
    }
    return Effect.flatMap(epochs.pages(id, position), receive)
  }

  /** The pages of a packet, once they have arrived. */
  #place(packet: MultifdPacket.RamPacket, sink: PageSink<E>): Effect.Effect<Pages, ReceiveChannelError> {
    const { compression, connection, pageSize } = this.#options
    const buffer = () => this.#buffers.take(MultifdPacket.MAX_DATA_BYTES)
    const length = packet.normal.length * pageSize
    if (compression === undefined && this.#inPlace && length > 0) {
      return Effect.map(this.#read(this.#inlet.take(length)), (payload) => {
        const { pages, targets } = placePages(packet, sink, buffer, payload)
        scatter(payload, targets)
        return pages
      })
    }
    const { pages, targets } = placePages(packet, sink, buffer)
    if (length === 0) return Effect.succeed(pages)
    if (compression === undefined) return Effect.as(this.#read(connection.read(targets)), pages)
    return this.#read(this.#inlet.take(packet.payloadLength)).pipe(
      Effect.flatMap((payload) => this.#unpack(compression.decompressor, payload, targets)),
      Effect.as(pages)
    )
  }

  #unpack(decompressor: Decompressor, payload: Uint8Array, targets: ReadonlyArray<Uint8Array>) {
    const { pageSize, watchdog } = this.#options
    const [only] = targets
    if (only !== undefined && targets.length === 1) {
      return watchdog.working(decompressor.decompress(payload, only, pageSize))
    }
    const pages = this.#unpacked(targets.reduce((sum, target) => sum + target.length, 0))
    return watchdog.working(
      Effect.map(decompressor.decompress(payload, pages, pageSize), () => scatter(pages, targets))
    )
  }

  /** Pages in memory are stored at once: the next packet may bring the same pages, and would be read over them. */
  #handOver(sink: PageSink<E>, pages: Pages): Effect.Effect<void, E> {
    const store = this.#options.watchdog.working(reportingFailure(sink.store(pages)))
    if (sink.view !== undefined) return store
    this.#buffers.swap()
    this.#handedOver = true
    return this.#ahead.submit(store)
  }

  #sync(position: number): Effect.Effect<void, ProtocolError.ProtocolError> {
    const { epochs, id } = this.#options
    return Effect.andThen(this.#ahead.drained, epochs.arrive(id, position))
  }

  readonly #devicePacket: Effect.Effect<void, E | ReceiveChannelError> = Effect.suspend(() => {
    const { maxPayload, onDevicePacket } = this.#options
    const position = this.#position
    if (onDevicePacket === undefined) return this.#fail(deviceUnexpected(position))
    return Effect.flatMap(this.#read(this.#inlet.take(DeviceStatePacket.HEADER_LENGTH)), (header) => {
      const packet = DeviceStatePacket.decode(header, { maxPayload, position })
      if (Result.isFailure(packet)) return this.#fail(packet.failure)
      this.#position += header.length + packet.success.payloadLength
      return this.#deliver(packet.success, onDevicePacket)
    })
  })

  #deliver(
    { idstr, instanceId, payloadLength }: DeviceStatePacket.DeviceStatePacket,
    handler: (packet: DevicePacket) => Effect.Effect<void, E>
  ): Effect.Effect<void, E | ReceiveChannelError> {
    const { id, watchdog } = this.#options
    return Effect.flatMap(this.#read(this.#inlet.take(payloadLength)), (payload) => {
      watchdog.alive()
      return watchdog.working(handler({ idstr, instanceId, channel: id, payload }))
    })
  }

  readonly #end: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(this.#ahead.drained, this.#options.epochs.end(this.#options.id, this.#position))
  )

  #read<A>(self: Effect.Effect<A, TransferError | ConnectionError.ConnectionEndedError>) {
    return Effect.mapError(self, ConnectionError.at({ channel: this.#options.id }))
  }

  #fail(finding: Finding.Finding): Effect.Effect<never, ProtocolError.ProtocolError> {
    const { connection, id } = this.#options
    return Effect.fail(ProtocolError.fromFinding(connection.peer, id, finding))
  }
}

/** Copies bytes to consecutive targets. */
const scatter = (bytes: Uint8Array, targets: ReadonlyArray<Uint8Array>): void => {
  let at = 0
  for (const target of targets) target.set(bytes.subarray(at, (at += target.length)))
}

const deviceUnexpected = (offset: number): Finding.Finding =>
  Finding.make({
    code: "device-packet-unexpected",
    offset,
    expected: "pages or a SYNC",
    found: "device state that a device sends itself, such as vfio's"
  })
