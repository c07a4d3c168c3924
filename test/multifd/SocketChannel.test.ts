import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { Codecs } from "../../src/compression/Codecs.ts"
import type { Codec } from "../../src/compression/Compression.ts"
import { PayloadError } from "../../src/compression/CompressionError.ts"
import type { Channel } from "../../src/transfer/Channel.ts"
import * as PacketNumbers from "../../src/multifd/PacketNumbers.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as SocketChannel from "../../src/multifd/SocketChannel.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type { PageBatch } from "../../src/ram/PageBatch.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamBlock from "../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Wire from "../support/wire/channel.ts"

const PAGE = 4096
const UUID = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i)

const channelOver = (wire: Wire.Wire, options: Partial<SocketChannel.Options> = {}) =>
  SocketChannel.make({
    id: 3,
    connection: wire.connection,
    uuid: UUID,
    pageSize: PAGE,
    packetNumbers: PacketNumbers.make(),
    ...options
  })

const blockOf = (memory: Uint8Array, pageSize = PAGE) => MemoryPages.make({ idstr: "pc.ram", memory, pageSize })

/** The same block, whose bytes have to be read. */
const unmapped = (block: RamBlock.Readable, present?: PageBitmap.PageBitmap): RamBlock.Readable => ({
  ...block,
  reader: { ...block.reader, view: undefined, present }
})

const all = (block: RamBlock.Readable): PageBatch => {
  const pages = RamBlock.pageCount(block)
  return { block, offset: 0, length: block.usedLength, pages: PageRuns.all(pages) }
}

/** Puts the pages of packets into memory that was full of something else. */
const replay = (packets: ReadonlyArray<Wire.Packet>, length: number, pageSize: number): Uint8Array => {
  const memory = new Uint8Array(length).fill(0xee)
  for (const { normal, payload, zero } of packets) {
    for (const [i, offset] of Array.from(normal).entries()) {
      memory.set(payload.subarray(i * pageSize, (i + 1) * pageSize), offset)
    }
    for (const offset of Array.from(zero)) memory.fill(0, offset, offset + pageSize)
  }
  return memory
}

/** `pages` pages, every `nth` of which is not zero. */
const striped = (pages: number, nth: number): Uint8Array => {
  const memory = new Uint8Array(pages * PAGE)
  for (let page = 0; page < pages; page += nth) memory.fill(1 + (page % 255), page * PAGE, (page + 1) * PAGE)
  return memory
}

/** A codec of a method that turns all bits over, in two parts. */
const inverting = (fails = false): Codec => ({
  method: "zlib",
  flag: 0x02,
  levels: { min: 0, max: 9, default: 1 },
  maxPayload: (pages, pageSize) => pages * pageSize,
  compressor: () =>
    Effect.succeed({
      compress: (runs) =>
        Effect.suspend(() => {
          if (fails)
            return Effect.fail(new PayloadError({ method: "zlib", problem: "corrupt", expected: "", found: "" }))
          const bytes = Buffer.concat(runs).map((byte) => byte ^ 0xff)
          return Effect.succeed(bytes.length === 0 ? [] : [bytes.subarray(0, 1), bytes.subarray(1)])
        })
    }),
  decompressor: Effect.die("nobody decompresses")
})

describe("SocketChannel", () => {
  it.effect("introduces itself before anything else, and says goodbye", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const channel = yield* channelOver(wire)
      assert.strictEqual(
        wire.bytes().toString("hex"),
        `1122334400000001${Buffer.from(UUID).toString("hex")}03${"00".repeat(39)}`
      )
      assert.isFalse(wire.isEnded())
      yield* channel.finish
      assert.isTrue(wire.isEnded())
    })
  )

  it.effect("SYNC is a packet of its own, with the next number", () =>
    Effect.gen(function* () {
      const [first, second] = [Wire.make(), Wire.make()]
      const packetNumbers = PacketNumbers.make()
      const one = yield* channelOver(first, { packetNumbers })
      const two = yield* channelOver(second, { packetNumbers, id: 0 })
      yield* one.sync
      yield* two.sync
      yield* one.sync
      const numbers = (wire: Wire.Wire) =>
        Wire.read(wire.bytes(), PAGE).packets.map(({ packetNum, sync }) => [sync, packetNum])
      assert.deepStrictEqual(numbers(first), [
        [true, 0],
        [true, 2]
      ])
      assert.deepStrictEqual(numbers(second), [[true, 1]])
      assert.lengthOf(first.bytes(), 64 + 2 * 1344)
      assert.isTrue(
        first
          .bytes()
          .subarray(64, 64 + 1344)
          .equals(Buffer.concat([Buffer.from("112233440000000100000001", "hex"), Buffer.alloc(1332)]))
      )
    })
  )

  const input = {
    block: RamArbitraries.block(),
    isMapped: Arbitrary.schema(Schema.Boolean),
    detectZeroPages: Arbitrary.schema(Schema.Boolean)
  }
  it.effect.prop("what arrives is the block", input, ({ block: described, detectZeroPages, isMapped }) =>
    Effect.gen(function* () {
      const { pageSize } = described
      const memory = RamArbitraries.contents(described)
      const block = yield* blockOf(memory, pageSize)
      const wire = Wire.make()
      const counters = TransferCounters.make()
      const channel = yield* channelOver(wire, { pageSize, detectZeroPages, counters })
      yield* channel.transfer(all(isMapped ? block : unmapped(block)))

      const { packets } = Wire.read(wire.bytes(), pageSize)
      assert.isTrue(Buffer.from(memory).equals(replay(packets, memory.length, pageSize)))
      assert.isTrue(packets.every(({ idstr }) => idstr === block.idstr))
      assert.deepStrictEqual(
        packets.map(({ packetNum }) => packetNum),
        packets.map((_, i) => i)
      )
      if (!detectZeroPages) assert.isTrue(packets.every(({ zero }) => zero.length === 0))
      assert.strictEqual(counters.bytes, wire.bytes().length)
      assert.strictEqual(counters.normalPages + counters.zeroPages, described.pages)
      assert.strictEqual(counters.bytesHandled, memory.length)
    }).pipe(Effect.scoped)
  )

  it.effect("pages in memory are written from where they are, a run of neighbours as one part", () =>
    Effect.gen(function* () {
      const memory = striped(256, 1).fill(0, 10 * PAGE, 11 * PAGE)
      const wire = Wire.make()
      const channel = yield* channelOver(wire)
      yield* channel.transfer(all(yield* blockOf(memory)))
      const parts = wire.writes.slice(1).flat()
      assert.deepStrictEqual(
        parts.map(({ buffer, byteOffset, length }) =>
          buffer === memory.buffer ? [byteOffset / PAGE, length / PAGE] : "header"
        ),
        ["header", [0, 10], [11, 117], "header", [128, 128]]
      )
    })
  )

  it.effect("a long stretch of zero pages is headers, sixteen at once", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(40 * 128 * PAGE)
      const block = unmapped(yield* blockOf(memory), PageBitmap.make(40 * 128))
      const wire = Wire.make()
      const channel = yield* channelOver(wire)
      yield* channel.transfer(all(block))
      assert.deepStrictEqual(
        wire.writes.map((parts) => parts.length),
        [1, 16, 16, 8]
      )
      const { packets } = Wire.read(wire.bytes(), PAGE)
      assert.isTrue(packets.every(({ normal, zero }) => normal.length === 0 && zero.length === 128))
      assert.isTrue(Buffer.from(memory).equals(replay(packets, memory.length, PAGE)))
    })
  )

  it.effect("only the batch's own pages", () =>
    Effect.gen(function* () {
      const block = yield* blockOf(striped(64, 1))
      for (const source of [block, unmapped(block)]) {
        const wire = Wire.make()
        const channel = yield* channelOver(wire)
        yield* channel.transfer({ block: source, offset: 16 * PAGE, length: 16 * PAGE, pages: [3, 2, 9, 1] })
        const [packet] = Wire.read(wire.bytes(), PAGE).packets
        assert.deepStrictEqual(Array.from(packet!.normal), [19 * PAGE, 20 * PAGE, 25 * PAGE])
        assert.deepStrictEqual(
          [0, 1, 2].map((i) => packet!.payload[i * PAGE]),
          [20, 21, 26]
        )
      }
    })
  )

  it.effect("the size of a page decides how many a packet has", () =>
    Effect.gen(function* () {
      for (const pageSize of [1024, 65536, 524288]) {
        const memory = new Uint8Array(1024 * 1024).fill(1)
        const wire = Wire.make()
        const channel = yield* channelOver(wire, { pageSize })
        yield* channel.transfer(all(yield* blockOf(memory, pageSize)))
        const { packets } = Wire.read(wire.bytes(), pageSize)
        assert.deepStrictEqual(
          packets.map(({ normal }) => normal.length * pageSize),
          [524288, 524288]
        )
      }
    })
  )

  it.effect("with compression: the payload is the codec's, its flag on every packet but SYNC", () =>
    Effect.gen(function* () {
      const memory = striped(256, 3)
      const wire = Wire.make()
      const counters = TransferCounters.make()
      const channel = yield* channelOver(wire, { compression: { codec: inverting() }, counters })
      yield* channel.transfer(all(yield* blockOf(memory)))
      const { packets } = Wire.read(wire.bytes(), PAGE, 0x02)
      assert.lengthOf(packets, 2)
      const inverted = packets.map((packet) => ({
        ...packet,
        payload: Buffer.from(packet.payload.map((byte) => byte ^ 0xff))
      }))
      assert.isTrue(Buffer.from(memory).equals(replay(inverted, memory.length, PAGE)))
      assert.deepStrictEqual(
        packets.map(({ method, payloadLength, normal }) => [method, payloadLength === normal.length * PAGE]),
        [
          [0x02, true],
          [0x02, true]
        ]
      )
      assert.strictEqual(counters.bytes, wire.bytes().length)
      yield* channel.sync
      assert.strictEqual(wire.bytes().readUInt32BE(wire.bytes().length - 1344 + 8), 0x01)
    })
  )

  it.effect("one compressed packet is written while the next is compressed", () =>
    Effect.gen(function* () {
      const taken = Latch.makeUnsafe(true)
      const wire = Wire.make({ during: taken.await })
      let compressed = 0
      const compress = (runs: ReadonlyArray<Uint8Array>) =>
        Effect.sync(() => {
          compressed++
          return runs
        })
      const codec: Codec = { ...inverting(), compressor: () => Effect.succeed({ compress }) }
      const channel = yield* channelOver(wire, { compression: { codec, level: 1 } })
      const block = yield* blockOf(striped(3 * 128, 1))
      taken.closeUnsafe()
      const sending = yield* Effect.forkChild(channel.transfer(all(block)), { startImmediately: true })
      assert.deepStrictEqual([compressed, wire.writes.length], [2, 1 + 1])
      taken.openUnsafe()
      yield* Fiber.join(sending)
      yield* channel.sync
      assert.deepStrictEqual([compressed, wire.writes.length], [3, 1 + 3 + 1])
    })
  )

  it.effect("the codec never sees memory that somebody else can write to", () =>
    Effect.gen(function* () {
      const memory = striped(256, 3)
      const seen: Array<Uint8Array> = []
      const codec: Codec = {
        ...inverting(),
        compressor: () => Effect.succeed({ compress: (runs) => Effect.sync(() => (seen.push(...runs), runs)) })
      }
      const channel = yield* channelOver(Wire.make(), { compression: { codec } })
      yield* channel.transfer(all(yield* blockOf(memory)))
      assert.lengthOf(seen, 2)
      assert.isTrue(seen.every(({ buffer }) => buffer !== memory.buffer))
    })
  )

  it.effect("a packet without normal pages has no payload, and leaves the codec's stream alone", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const codec = (yield* Codecs).get("zlib")!
      const channel = yield* channelOver(wire, { compression: { codec } })
      yield* channel.transfer(all(yield* blockOf(new Uint8Array(3 * PAGE))))
      const { packets } = Wire.read(wire.bytes(), PAGE, codec.flag)
      assert.deepStrictEqual(
        packets.map(({ payload, zero }) => [payload.length, zero.length]),
        [[0, 3]]
      )
    })
  )

  it.effect("a level that the codec does not have fails before a byte is sent", () =>
    Effect.gen(function* () {
      const wire = Wire.make()
      const { compressor } = (yield* Codecs).get("zlib")!
      const codec = { ...inverting(), compressor }
      const error = yield* Effect.flip(channelOver(wire, { compression: { codec, level: 10 } }))
      assert.strictEqual(error._tag, "CompressionLevelError")
      assert.lengthOf(wire.writes, 0)
    })
  )

  it.effect("errors: of the connection they name the channel, those of codec and block stay what they are", () =>
    Effect.gen(function* () {
      const block = yield* blockOf(striped(64, 1))
      const failing = (
        channel: Channel<SocketChannel.SocketChannelError>,
        batch: PageBatch<"unreadable"> = all(block)
      ) => Effect.flip(channel.transfer(batch))
      assert.deepInclude(yield* Effect.flip(channelOver(Wire.make({ breaksAt: 0 }))), {
        _tag: "ConnectionLostError",
        channel: 3,
        code: "ECONNRESET"
      })
      const broken = yield* channelOver(Wire.make({ breaksAt: 1 }))
      assert.deepInclude(yield* failing(broken), { _tag: "ConnectionLostError", channel: 3, operation: "write" })
      assert.deepInclude(yield* Effect.flip(broken.sync), { _tag: "ConnectionLostError", channel: 3 })
      assert.deepInclude(yield* Effect.flip(broken.finish), {
        _tag: "ConnectionLostError",
        channel: 3,
        operation: "end"
      })

      const corrupt = yield* channelOver(Wire.make(), { compression: { codec: inverting(true) } })
      assert.deepInclude(yield* failing(corrupt), { _tag: "PayloadError" })
      const unreadable = {
        ...block,
        reader: { ...block.reader, view: undefined, readInto: () => Effect.fail("unreadable" as const) }
      }
      assert.strictEqual(yield* failing(yield* channelOver(Wire.make()), all(unreadable as never)), "unreadable")
    })
  )

  it.effect("the migration's limit holds, and the watchdog does not wait meanwhile", () =>
    Effect.gen(function* () {
      const memory = striped(256, 1)
      let busy = 0
      let alive = 0
      const watchdog = {
        alive: () => void alive++,
        working: <A, E, R>(self: Effect.Effect<A, E, R>) =>
          Effect.suspend(() => {
            busy++
            return Effect.ensuring(
              self,
              Effect.sync(() => void busy--)
            )
          })
      }
      const wire = Wire.make()
      const rateLimit = yield* RateLimit.make(memory.length)
      const block = yield* blockOf(memory)
      const moving = yield* Effect.forkChild(
        Effect.flatMap(channelOver(wire, { rateLimit, watchdog }), (channel) => channel.transfer(all(block)))
      )
      yield* TestClock.adjust("500 millis")
      assert.isBelow(wire.bytes().length, 0.6 * memory.length)
      assert.isAbove(wire.bytes().length, 0.4 * memory.length)
      assert.strictEqual(busy, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(moving)
      assert.strictEqual(busy, 0)
      assert.strictEqual(alive, wire.writes.length)
    })
  )
})
