/**
 * Senders that do what no sender may do. Each ends in a typed error, in bounded time, with nothing left behind.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Zlib from "node:zlib"
import * as MigrationStream from "../../src/format/stream/MigrationStream.ts"
import * as RamRecords from "../../src/format/stream/RamRecords.ts"
import * as SocketSections from "../../src/format/stream/SocketSections.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type { ReceiveOptions } from "../../src/migration/ReceiveOptions.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Sender from "../support/wire/sender.ts"
import { whileTimePasses } from "../support/time.ts"

const address = SocketAddress.tcp("10.0.0.1", 4444)

interface Scenario {
  readonly name: string
  /** The script for so many channels. */
  readonly script: (channels: number) => Sender.Script
  /** The tag of the error, or of a `ProtocolError` the code of its finding; `completed`: it does no harm. */
  readonly expected: string
  readonly options?: Partial<ReceiveOptions>
  readonly plan?: ReadonlyArray<VirtualNetwork.Rule>
  /** Default: with 1, 2 and 8. */
  readonly channels?: ReadonlyArray<number>
}

const outcomeOf = (
  exit: Exit.Exit<unknown, { readonly _tag: string; readonly findings?: ReadonlyArray<{ readonly code: string }> }>
) =>
  Exit.isSuccess(exit)
    ? Effect.succeed("completed")
    : Effect.map(Effect.flip(exit), (error) => error.findings?.[0]?.code ?? error._tag)

/** The longest that anything may take, in milliseconds: the longer one of the two timeouts, and a second. */
const LIMIT = 61_000

/** Compression takes real time in threads, while the virtual clock runs on: a slow machine must not look like a silent peer. */
const untimed = { handshakeTimeout: "1000 hours", idleTimeout: "1000 hours" } as const

const run = (scenario: Scenario, channels: number) =>
  Effect.gen(function* () {
    const isTimed = scenario.options?.compression === undefined
    const disk = MemoryDisk.make()
    const network = yield* VirtualNetwork.make({ plan: scenario.plan })
    const listening = yield* Deferred.make<void>()
    const began = yield* Clock.currentTimeMillis
    let took = 0
    const receiving = Migration.make
      .receive({
        listen: address,
        target: "/image",
        channels,
        onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined)),
        ...scenario.options,
        limits: { ...(isTimed ? {} : untimed), ...scenario.options?.limits }
      })
      .pipe(
        Effect.exit,
        Effect.tap(() => Effect.map(Clock.currentTimeMillis, (now) => void (took = now - began)))
      )
    const sending = Effect.andThen(Deferred.await(listening), Sender.play(scenario.script(channels), address))
    const exit = yield* whileTimePasses(
      Effect.gen(function* () {
        yield* Effect.forkScoped(sending)
        const exit = yield* receiving
        assert.deepStrictEqual(network.listening(), [])
        return exit
      }).pipe(Effect.scoped)
    ).pipe(Effect.provide(disk.layer), Effect.provide(network.layer))
    assert.strictEqual(yield* outcomeOf(exit), scenario.expected)
    if (isTimed) assert.isAtMost(took, LIMIT)
    assert.deepStrictEqual(
      [network.openEnds(), network.listening(), disk.openFiles(), disk.files()],
      [0, [], [], scenario.expected === "completed" ? ["/image"] : []]
    )
    if (scenario.expected === "completed") yield* assertImage(channels).pipe(Effect.provide(disk.layer))
  })

const assertImage = (channels: number) =>
  Effect.gen(function* () {
    const image = yield* Image.open("/image")
    const memory = yield* image.readPages("m", 0, Sender.BLOCK.usedLength)
    for (let page = 0; page < Sender.PAGES; page++) {
      assert.strictEqual(memory[page * Sender.PAGE], page < channels ? 0x40 + page : 0)
    }
  }).pipe(Effect.scoped)

/** An honest script in which one channel, the last one, says something else. */
const withLane =
  (lane: (id: number) => Sender.Steps) =>
  (channels: number): Sender.Script => {
    const { lanes, main } = Sender.honest(channels)
    return { main, lanes: [...lanes.slice(0, -1), lane(channels - 1)] }
  }

/** One channel sends these pages between its SYNCs. */
const withPackets = (...packets: Sender.Steps) => withLane((id) => Sender.lane(id, packets))

/** A packet of one page whose header has these bytes at a position. */
const damaged = (at: number, ...values: ReadonlyArray<number>) =>
  withPackets(Sender.patched(Sender.packet(0, 1), at, ...values))

const withMain =
  (main: Sender.Steps) =>
  (channels: number): Sender.Script => ({ ...Sender.honest(channels), main })

const withOthers =
  (...others: ReadonlyArray<Sender.Steps>) =>
  (channels: number): Sender.Script => ({ ...Sender.honest(channels), others })

const garbage = new Uint8Array(64).fill(0x11)
const uuid = (byte: number) => new Uint8Array(16).fill(byte)
const u32 = (value: number) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]

const connections: ReadonlyArray<Scenario> = [
  { name: "nothing but what is right", script: Sender.honest, expected: "completed" },
  {
    name: "a connection that begins like nothing",
    script: withLane(() => [garbage]),
    expected: "connection-unidentified"
  },
  {
    name: "an init packet of another version",
    script: withLane((id) => [Sender.patched(Sender.init(id), 7, 2)]),
    expected: "packet-version-unsupported"
  },
  {
    name: "an init packet with reserved bytes in use",
    script: withLane((id) => [Sender.patched(Sender.init(id), 40, 1)]),
    expected: "packet-reserved-set"
  },
  {
    name: "an id that equals the number of channels",
    script: withLane((id) => [Sender.init(id + 1)]),
    expected: "init-id-out-of-range"
  },
  { name: "the largest id", script: withLane(() => [Sender.init(255)]), expected: "init-id-out-of-range" },
  { name: "an id twice", script: withOthers([Sender.init(0)]), expected: "init-id-duplicated" },
  {
    name: "another guest's uuid",
    script: Sender.honest,
    options: { uuid: uuid(1) },
    expected: "init-uuid-mismatch"
  },
  {
    name: "channels of two guests",
    script: withLane((id) => [Sender.init(id, uuid(9))]),
    channels: [2, 8],
    expected: "init-uuid-mismatch"
  },
  { name: "two main channels", script: withOthers([Sender.head()]), expected: "connection-unexpected" },
  {
    name: "more channels than agreed",
    script: withOthers([Sender.init(200), Sender.sync(), Sender.sync()]),
    expected: "init-id-out-of-range"
  },
  {
    name: "channels where there are to be none",
    script: Sender.honest,
    options: { channels: 0 },
    expected: "connection-unexpected"
  },
  {
    name: "fewer channels than agreed",
    script: (channels) => ({ ...Sender.honest(channels), lanes: Sender.honest(channels - 1).lanes }),
    expected: "PeerTimeoutError"
  },
  { name: "no main channel", script: withMain(["close"]), expected: "PeerTimeoutError" },
  { name: "a connection that says nothing", script: withLane(() => ["stay"]), expected: "PeerTimeoutError" },
  {
    name: "an init packet a byte at a time",
    script: withLane((id) => [{ drip: Sender.init(id), millis: 1000 }]),
    expected: "PeerTimeoutError"
  },
  {
    name: "a connection that ends in its magic",
    script: withLane(() => [Uint8Array.of(0x11)]),
    expected: "ConnectionEndedError"
  },
  {
    name: "a connection that ends in its init packet",
    script: withLane((id) => [Sender.init(id).subarray(0, 63)]),
    expected: "ConnectionEndedError"
  },
  {
    name: "a connection that breaks in its init packet",
    script: Sender.honest,
    plan: [{ connection: 1, at: 30, fault: VirtualNetwork.Fault.Reset() }],
    expected: "ConnectionLostError"
  },
  {
    name: "somebody who only looks whether the port is open",
    script: withOthers(["close"], []),
    expected: "completed"
  },
  {
    name: "forty connections too many, all silent",
    script: withOthers(...Array.from({ length: 40 }, (): Sender.Steps => ["stay"])),
    expected: "completed"
  },
  {
    name: "a first byte at a time, and that is all right",
    script: (channels) => ({
      ...Sender.honest(channels),
      lanes: Sender.honest(channels).lanes.map(([first, ...rest]) => [
        { drip: first as Uint8Array, millis: 100 },
        ...rest
      ])
    }),
    expected: "completed"
  }
]

/** Payloads that are not what the pages would be. */
const compressed = (payload: Uint8Array, method: number, pages = 1): Sender.Steps => [
  Sender.header({
    method,
    normal: Array.from({ length: pages }, (_, page) => page * Sender.PAGE),
    payloadLength: payload.length
  }),
  payload
]

/** A thousand pages in the space of a few bytes. */
const bomb = Zlib.deflateSync(new Uint8Array(1000 * Sender.PAGE))

const packets: ReadonlyArray<Scenario> = [
  { name: "a packet without its magic", script: damaged(0, 0), expected: "packet-magic-wrong" },
  { name: "a packet of another version", script: damaged(7, 2), expected: "packet-version-unsupported" },
  {
    name: "room for more pages than the header lists",
    script: damaged(12, ...u32(129)),
    expected: "packet-pages-exceeded"
  },
  { name: "more pages with data than room", script: damaged(12, ...u32(0)), expected: "packet-normal-exceeded" },
  { name: "four thousand million pages", script: damaged(16, ...u32(0xffffffff)), expected: "packet-normal-exceeded" },
  { name: "more zero pages than room", script: damaged(32, ...u32(128)), expected: "packet-zero-exceeded" },
  {
    name: "a block that was never announced",
    script: withPackets(Sender.header({ idstr: "nope" }), new Uint8Array(4096)),
    expected: "packet-block-unknown"
  },
  { name: "a name that does not end", script: damaged(64, ...Array(256).fill(0x6d)), expected: "packet-name-invalid" },
  {
    name: "a page behind the end of its block",
    script: withPackets(Sender.header({ normal: [Sender.BLOCK.usedLength] })),
    expected: "packet-offset-out-of-range"
  },
  {
    name: "a page in front of its block",
    script: damaged(320, ...Array(8).fill(0xff)),
    expected: "packet-offset-out-of-range"
  },
  {
    name: "a zero page behind the end of its block",
    script: withPackets(Sender.header({ normal: [], zero: [2 ** 40] })),
    expected: "packet-offset-out-of-range"
  },
  { name: "a page between two pages", script: damaged(326, 8, 1), expected: "packet-offset-misaligned" },
  { name: "a compression that was not agreed on", script: damaged(11, 2), expected: "packet-method-mismatch" },
  {
    name: "no compression where one was agreed on",
    script: Sender.honest,
    options: { compression: "zstd" },
    expected: "packet-method-mismatch"
  },
  { name: "flags that nobody knows", script: damaged(10, 1), expected: "packet-flags-unknown" },
  { name: "reserved bytes in use", script: damaged(50, 1), expected: "packet-reserved-set" },
  {
    name: "a payload that is not as long as the pages",
    script: damaged(20, ...u32(4095)),
    expected: "packet-payload-wrong"
  },
  {
    name: "a payload without pages",
    script: withPackets(Sender.header({ normal: [], payloadLength: 100 }), new Uint8Array(100)),
    expected: "packet-magic-wrong"
  },
  {
    name: "a payload of zero pages",
    script: withPackets(Sender.header({ normal: [], zero: [0], payloadLength: 100 }), new Uint8Array(100)),
    expected: "packet-payload-wrong"
  },
  {
    name: "a compressed payload of four thousand million bytes",
    script: withPackets(Sender.header({ method: 4, payloadLength: 0xffffffff })),
    options: { compression: "zstd" },
    channels: [1],
    expected: "packet-payload-exceeded"
  },
  {
    name: "a payload longer than the limit",
    script: withPackets(Sender.header({ method: 2, payloadLength: 5000 })),
    options: { compression: "zlib", limits: { maxPayload: 4999 } },
    channels: [1],
    expected: "packet-payload-exceeded"
  },
  {
    name: "a payload that is none of the method",
    script: withPackets(...compressed(garbage, 2)),
    options: { compression: "zlib" },
    channels: [1],
    expected: "PayloadError"
  },
  {
    name: "a payload that makes more than its pages",
    script: withPackets(...compressed(bomb, 2)),
    options: { compression: "zlib" },
    channels: [1],
    expected: "PayloadError"
  },
  {
    name: "numbers that go back",
    script: withPackets(Sender.header({ normal: [], zero: [0], packetNum: 1 })),
    expected: "packet-number-stale"
  },
  {
    name: "a channel that ends in a header",
    script: withPackets(Sender.header().subarray(0, 700), "close"),
    expected: "ConnectionEndedError"
  },
  {
    name: "a channel that ends in a payload",
    script: withPackets(Sender.packet(0, 1).subarray(0, 3000), "close"),
    expected: "ConnectionEndedError"
  },
  {
    name: "a channel that breaks in a payload",
    script: Sender.honest,
    plan: [{ connection: 1, at: 64 + 2 * Sender.HEADER + 100, fault: VirtualNetwork.Fault.Reset() }],
    expected: "ConnectionLostError"
  },
  {
    name: "a channel that stalls in a payload",
    script: Sender.honest,
    plan: [{ connection: 1, at: 64 + 2 * Sender.HEADER + 100, fault: VirtualNetwork.Fault.Stall() }],
    expected: "PeerTimeoutError"
  },
  {
    name: "a packet a byte at a time",
    script: withPackets({ drip: Sender.packet(0, 1), millis: 500 }),
    expected: "PeerTimeoutError"
  },
  { name: "device state on a channel", script: damaged(11, 0x40), expected: "device-packet-unexpected" }
]

const epochs: ReadonlyArray<Scenario> = [
  {
    name: "pages in front of the first SYNC",
    script: withLane((id) => [Sender.init(id), Sender.packet(0, 1), Sender.sync(), Sender.sync()]),
    expected: "epoch-pages-early"
  },
  {
    name: "a channel that ends behind its init packet",
    script: withLane((id) => [Sender.init(id), "close"]),
    expected: "epoch-sync-missing"
  },
  {
    name: "a channel that ends before its last SYNC",
    script: withLane((id) => [Sender.init(id), Sender.sync(), Sender.packet(0, 1)]),
    expected: "epoch-sync-missing"
  },
  {
    name: "a channel that dies behind its init packet",
    script: withLane((id) => [Sender.init(id), "stay"]),
    expected: "PeerTimeoutError"
  },
  {
    name: "a channel that dies before its last SYNC",
    script: withLane((id) => [Sender.init(id), Sender.sync(), Sender.packet(0, 1), "stay"]),
    expected: "PeerTimeoutError"
  },
  {
    name: "two SYNCs behind the last mark",
    script: withLane((id) => [...Sender.lane(id), Sender.sync(), Sender.sync()]),
    expected: "epoch-sync-unexpected"
  },
  {
    name: "SYNCs without end",
    script: withLane((id) => [...Sender.lane(id), { forever: Sender.sync() }]),
    expected: "epoch-sync-unexpected"
  },
  {
    name: "pages behind the last SYNC",
    script: withLane((id) => [...Sender.lane(id), Sender.packet(0, 1)]),
    expected: "epoch-pages-late"
  },
  {
    name: "pages behind a SYNC without a mark",
    script: withLane((id) => [...Sender.lane(id), Sender.sync(), Sender.packet(0, 1)]),
    expected: "epoch-pages-late"
  },
  {
    name: "a mark that is missing, so that pages would still be on their way",
    script: withMain(Sender.main({ end: [Sender.ramEnd(false)] })),
    expected: "epoch-pages-late"
  },
  {
    name: "a mark too many",
    script: withMain(Sender.main({ records: [Sender.part(Sender.flush)] })),
    expected: "epoch-sync-missing"
  },
  {
    name: "a mark too many, while the channels stay",
    script: (channels) => ({
      main: Sender.main({ records: [Sender.part(Sender.flush)] }),
      lanes: Sender.honest(channels).lanes.map((steps) => [...steps, "stay"])
    }),
    expected: "PeerTimeoutError"
  },
  {
    name: "marks and SYNCs without end, and never a page",
    script: (channels) => ({
      main: [Sender.head(), Sender.start(), { forever: Sender.part(Sender.flush) }],
      lanes: Array.from({ length: channels }, (_, id) => [Sender.init(id), { forever: Sender.sync(0) }])
    }),
    expected: "PeerTimeoutError"
  },
  {
    name: "flushes where sections are the marks",
    script: withMain(Sender.main({ start: [Sender.start(false)] })),
    expected: "flush-unexpected"
  }
]

const records = RamRecords.make()
const zero = (offset: number) => records.zeros(Sender.BLOCK, [{ offset, length: Sender.PAGE }])
const record = (flags: number, address: number) => MigrationStream.encodeRamRecord(flags, address)
const { RamFlag } = MigrationStream

const entry = (idstr: string, length: number) => {
  const bytes = new Uint8Array(1 + idstr.length + 8)
  bytes[0] = idstr.length
  bytes.set(Buffer.from(idstr), 1)
  new DataView(bytes.buffer).setBigUint64(1 + idstr.length, BigInt(length))
  return bytes
}

const blocksOf = (total: number, ...entries: ReadonlyArray<Uint8Array>) =>
  withMain([Sender.head(), Sender.startWith(record(RamFlag.memSize, total), ...entries)])

const withRecords = (...parts: ReadonlyArray<Uint8Array>) => withMain(Sender.main({ records: [Sender.part(...parts)] }))

const command = (number: number, body?: Uint8Array) => MigrationStream.encodeCommand(number, body)

const mains: ReadonlyArray<Scenario> = [
  {
    name: "a stream of another version",
    script: withMain([Sender.patched(Sender.head(), 7, 4)]),
    expected: "stream-version-unsupported"
  },
  {
    name: "mapped-ram, which needs a file",
    script: withMain(
      Sender.main({
        head: [
          MigrationStream.encodeFileHeader(),
          MigrationStream.encodeConfiguration({ machine: "x", capabilities: ["mapped-ram"] })
        ]
      })
    ),
    expected: "mapped-ram-unexpected"
  },
  {
    name: "memory that is left out",
    script: withMain([
      Sender.head({ capabilities: ["x-ignore-shared"] }),
      SocketSections.encodeStart({
        sectionId: 1,
        blocks: [{ ...Sender.BLOCK, address: 0 }],
        addresses: true,
        flush: true
      })
    ]),
    expected: "configuration-unsupported"
  },
  { name: "a postcopy migration", script: withMain([Sender.head(), command(4)]), expected: "command-unsupported" },
  {
    name: "a section that nobody knows",
    script: withMain([Sender.head(), Uint8Array.of(0x33)]),
    expected: "section-unexpected"
  },
  { name: "no blocks", script: blocksOf(0), expected: "block-list-missing" },
  { name: "blocks that do not add up", script: blocksOf(4096, entry("m", 8192)), expected: "total-mismatch" },
  { name: "a block twice", script: blocksOf(8192, entry("m", 4096), entry("m", 4096)), expected: "block-duplicated" },
  {
    name: "more blocks than agreed",
    script: blocksOf(8192, entry("a", 4096), entry("b", 4096)),
    options: { limits: { maxBlocks: 1 } },
    expected: "block-limit-exceeded"
  },
  { name: "more RAM than agreed", script: blocksOf(2 ** 50, entry("m", 2 ** 50)), expected: "bitmap-limit-exceeded" },
  { name: "half a page", script: blocksOf(2048, entry("m", 2048)), expected: "length-not-whole-pages" },
  {
    name: "a second list of blocks",
    script: blocksOf(4096, entry("m", 4096), record(RamFlag.memSize, 4096), entry("n", 4096)),
    expected: "block-list-duplicated"
  },
  {
    name: "a footer of another section",
    script: withMain(Sender.main({ start: [Sender.patched(Sender.start(), Sender.start().length - 1, 9)] })),
    expected: "footer-mismatch"
  },
  {
    name: "a zero page of no block",
    script: withRecords(record(RamFlag.zero, 0), Uint8Array.of(4), Buffer.from("nope"), Uint8Array.of(0)),
    expected: "record-block-unknown"
  },
  {
    name: "a page behind the end, as a record",
    script: withRecords(zero(Sender.BLOCK.usedLength)),
    expected: "record-offset-out-of-range"
  },
  {
    name: "a record that goes on with nothing",
    script: withRecords(record(RamFlag.zero | RamFlag.continue, 0), Uint8Array.of(0)),
    expected: "record-block-missing"
  },
  {
    name: "a zero page of ones",
    script: withRecords(record(RamFlag.zero, 0), Uint8Array.of(1, 0x6d, 1)),
    expected: "record-fill-wrong"
  },
  {
    name: "changes of a page that make no sense",
    script: withRecords(record(RamFlag.xbzrle, 0), Uint8Array.of(1, 0x6d, 1, 0, 2, 0xff, 0xff)),
    expected: "xbzrle-corrupt"
  },
  {
    name: "a main channel that ends among records",
    script: withMain([Sender.head(), Sender.start(), Sender.part(), "close"]),
    expected: "ConnectionEndedError"
  },
  {
    name: "no device state",
    script: withMain(Sender.main({ state: [], description: [] })),
    expected: "device-state-cut"
  },
  {
    name: "device state that ends in a section",
    script: withMain(Sender.main({ state: [Sender.state.subarray(0, 100)], description: [] })),
    expected: "device-state-cut"
  },
  {
    name: "more device state than the limit allows",
    script: withMain(Sender.main({ state: [{ forever: new Uint8Array(4096) }] })),
    options: { limits: { maxDeviceState: 100_000 } },
    expected: "device-state-exceeded"
  },
  {
    name: "device state a byte at a time",
    script: withMain(Sender.main({ state: [{ drip: Sender.state, millis: 5000 }] })),
    expected: "PeerTimeoutError"
  },
  { name: "a main channel that stays", script: withMain([...Sender.main(), "stay"]), expected: "PeerTimeoutError" },
  {
    name: "channels that stay",
    script: withLane((id) => [...Sender.lane(id), "stay"]),
    expected: "PeerTimeoutError"
  },
  {
    name: "a main channel that breaks",
    script: Sender.honest,
    plan: [{ connection: 0, at: 100, fault: VirtualNetwork.Fault.Reset() }],
    expected: "ConnectionLostError"
  },
  {
    name: "a main channel that stalls",
    script: Sender.honest,
    plan: [{ connection: 0, at: 100, fault: VirtualNetwork.Fault.Stall() }],
    expected: "PeerTimeoutError"
  },
  {
    name: "questions without end, whose answers nobody reads",
    script: withMain([Sender.head(), command(1), { forever: command(2, new Uint8Array(4)) }]),
    expected: "PeerTimeoutError"
  },
  {
    name: "more in front of RAM than agreed",
    script: withMain([
      Sender.head(),
      MigrationStream.encodeSectionHeader({ type: "full", sectionId: 7, name: "x", instanceId: 0, version: 1 }),
      { forever: new Uint8Array(4096) }
    ]),
    options: { limits: { maxHeld: 100_000 } },
    expected: "early-sections-exceeded"
  }
]

for (const [group, scenarios] of Object.entries({ connections, packets, epochs, mains })) {
  describe(`a sender with bad ${group}`, () => {
    for (const scenario of scenarios) {
      for (const channels of scenario.channels ?? [1, 2, 8]) {
        it.effect(`${scenario.name}, ${channels} channels: ${scenario.expected}`, () => run(scenario, channels))
      }
    }
  })
}
