import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { Codecs } from "../../src/compression/Codecs.ts"
import * as MigrationStream from "../../src/format/stream/MigrationStream.ts"
import * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type { SendOptions } from "../../src/migration/SendOptions.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Destination from "../support/wire/destination.ts"
import * as Memory from "../support/memory.ts"
import { turns, whileTimePasses } from "../support/time.ts"
import { between } from "../support/arbitraries.ts"

const { save, send } = Migration.make
const PAGE = 4096
const to = SocketAddress.tcp("10.0.0.1", 4444)

type Options<E = never> = Omit<SendOptions<E>, "to">

/** Sends to a destination on a network of its own, and looks at what was left open. */
const run = Effect.fnUntraced(function* <E = never>(
  options: Options<E>,
  network: VirtualNetwork.Options = {},
  answer?: Uint8Array
) {
  const net = yield* VirtualNetwork.make(network)
  return yield* Effect.gen(function* () {
    const destination = yield* Destination.listen({ address: to, channels: options.channels ?? 2, answer })
    const exit = yield* Effect.exit(send({ ...options, to }))
    const links = net.links()
    return { exit, destination, links, listening: net.listening() }
  }).pipe(
    Effect.scoped,
    Effect.provide(net.layer),
    Effect.tap(() => Effect.sync(() => assert.strictEqual(net.openEnds(), 0, "everything is closed")))
  )
})

/** Sends to a destination that answers, and puts together what it has. */
const arrived = Effect.fnUntraced(function* <E = never>(options: Options<E>, network: VirtualNetwork.Options = {}) {
  const { destination, exit } = yield* run(options, network)
  const summary = yield* exit
  const { source } = options
  const machine = yield* Destination.acceptConnections(destination, {
    method: options.compression,
    pageSize: source.blocks[0]!.pageSize
  })
  return { machine, summary }
})

const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(3000).fill(0x77) }]

const machineState = MachineState.fromSections({ machine: "pc-q35-10.0", sections })

/** Blocks of one page size, filled. */
const shapes = Arbitrary.map(
  Arbitrary.all([RamArbitraries.blocks({ maxPages: 200, maxBlocks: 3 }), RamArbitraries.pageSize]),
  ([blocks, pageSize]) => blocks.map((block) => ({ ...block, pageSize }))
)

const ways = {
  channels: Arbitrary.schema(Schema.Literals([0, 1, 2, 5])),
  zeroPageDetection: Arbitrary.schema(Schema.Literals(["none", "legacy", "multifd"])),
  marks: Arbitrary.schema(Schema.Literals(["each-round", "each-section"])),
  batchSize: Arbitrary.schema(Schema.Literals([16 * 1024, 100_000, 1024 * 1024])),
  seed: between(0, 1000)
}

const equal = (blocks: ReadonlyArray<Memory.Filled>, { ram }: Destination.Machine): void => {
  assert.deepStrictEqual(
    [...ram.keys()],
    blocks.map(({ block }) => block.idstr)
  )
  for (const { block, bytes } of blocks) assert.isTrue(ram.get(block.idstr)!.equals(bytes), block.idstr)
}

describe("Migration.send", () => {
  const input = { described: shapes, ...ways }
  it.effect.prop("RAM in memory arrives, whatever the way", input, ({ described, seed, ...options }) =>
    Effect.gen(function* () {
      const blocks = yield* Effect.forEach(described, Memory.filled)
      const state = yield* machineState
      const source = { blocks: blocks.map(({ block }) => block), machineState: state }
      const { machine, summary } = yield* arrived({ source, ...options }, { seed })
      equal(blocks, machine)
      const bytesTotal = blocks.reduce((sum, { bytes }) => sum + bytes.length, 0)
      assert.strictEqual(summary.bytesTotal, bytesTotal)
      assert.strictEqual(summary.normalPages + summary.zeroPages, bytesTotal / described[0]!.pageSize)
      if (options.zeroPageDetection === "none") assert.strictEqual(summary.zeroPages, 0)

      const [cpu, description] = [yield* ByteSource.read(state.deviceState), yield* ByteSource.read(state.description)]
      const header = MigrationStream.encodeDescriptionHeader(description.length)
      assert.isTrue(machine.rest.equals(Buffer.concat([cpu, Uint8Array.of(0), header, description])))
      assert.strictEqual(machine.configuration?.machine, "pc-q35-10.0")
      assert.deepStrictEqual(machine.commands, ["openReturnPath"])
    })
  )

  const images = {
    described: shapes,
    ...ways,
    compression: Arbitrary.schema(Schema.Literals(["none", "zlib", "zstd"]))
  }
  it.effect.prop(
    "an image arrives, and no page that it does not have is read",
    images,
    ({ described, seed, ...options }) =>
      Effect.gen(function* () {
        const blocks = yield* Effect.forEach(described, Memory.filled)
        const disk = MemoryDisk.make({ seed })
        yield* Effect.gen(function* () {
          yield* save({
            target: "/vm.img",
            blocks: blocks.map(({ block }) => block),
            machineState: yield* machineState
          })
          const source = yield* Image.open("/vm.img")
          const compression = options.channels === 0 ? "none" : options.compression
          const { machine } = yield* arrived({ source, ...options, compression }, { seed })
          equal(blocks, machine)
          assert.deepStrictEqual(machine.configuration?.capabilities, [])
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
        assert.deepStrictEqual(disk.openFiles(), [])
      }),
    { arbitrary: { runs: 30 } }
  )

  const small = Effect.map(Memory.small(), ({ block, bytes }) => ({ block, bytes, source: { blocks: [block] } }))

  it.effect("each way as QEMU would have it by itself: old machine types", () =>
    Effect.gen(function* () {
      const { source } = yield* small
      const found = yield* Effect.forEach(
        [
          ...["pc-i440fx-8.0", "pc-q35-8.1", "virt-8.2", "pc-i440fx-9.0", "pc-q35-10.0", "none", "pc-i440fx-2.12"],
          ...["pc-i440fx-jammy", "pc-q35-noble-v2", "pc-q35-rhel9.2.0"]
        ],
        Effect.fnUntraced(function* (machine) {
          const state = MachineState.empty({ machine })
          const { destination } = yield* run({ source: { ...source, machineState: state } })
          const { flushes, marks } = yield* Destination.acceptConnections(destination, { pageSize: PAGE })
          const zeros = destination.channels().some((bytes) => bytes.readUInt32BE(64 + 1344 + 32) > 0)
          return [machine, flushes, zeros, marks]
        })
      )
      assert.deepStrictEqual(found, [
        ["pc-i440fx-8.0", 0, false, 3],
        ["pc-q35-8.1", 3, false, 3],
        ["virt-8.2", 3, false, 3],
        ["pc-i440fx-9.0", 3, true, 3],
        ["pc-q35-10.0", 3, true, 3],
        ["none", 3, true, 3],
        ["pc-i440fx-2.12", 0, false, 3],
        ["pc-i440fx-jammy", 0, false, 3],
        ["pc-q35-noble-v2", 3, false, 3],
        ["pc-q35-rhel9.2.0", 0, false, 3]
      ])
    })
  )

  it.effect("marks: what is asked for, or what its source did, or as its machine type does", () =>
    Effect.gen(function* () {
      const flushesOf = Effect.fnUntraced(function* (
        machine: string,
        noted: "each-section" | "each-round" | undefined,
        marks?: "each-section" | "each-round"
      ) {
        const { block } = yield* Memory.small()
        const image = { target: "/vm.img", blocks: [block], machineState: MachineState.empty({ machine }) }
        yield* save({ ...image, notes: { marks: noted } })
        const { machine: sent } = yield* arrived({ source: yield* Image.open("/vm.img"), marks })
        return [sent.flushes, sent.marks]
      }, Effect.scoped)
      const bySections = [0, 3]
      const byRounds = [3, 3]
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* flushesOf("microvm", undefined), byRounds)
        assert.deepStrictEqual(yield* flushesOf("microvm", "each-section"), bySections)
        assert.deepStrictEqual(yield* flushesOf("pc-i440fx-8.0", "each-round"), byRounds)
        assert.deepStrictEqual(yield* flushesOf("microvm", "each-section", "each-round"), byRounds)
        assert.deepStrictEqual(yield* flushesOf("microvm", undefined, "each-section"), bySections)
      }).pipe(Effect.provide(MemoryDisk.make().layer))
    })
  )

  it.effect("the uuid: the source's, one's own, or none", () =>
    Effect.gen(function* () {
      const { source } = yield* small
      const state = MachineState.empty({ machine: "pc" })
      const known = { ...state, configuration: { ...state.configuration!, uuid: new Uint8Array(16).fill(0xab) } }
      const uuids = (options: Options) => Effect.map(arrived(options), ({ machine }) => new Set(machine.uuids))
      assert.deepStrictEqual(yield* uuids({ source }), new Set(["00".repeat(16)]))
      assert.deepStrictEqual(yield* uuids({ source: { ...source, machineState: known } }), new Set(["ab".repeat(16)]))
      const uuid = new Uint8Array(16).fill(1)
      assert.deepStrictEqual(
        yield* uuids({ source: { ...source, machineState: known }, uuid }),
        new Set(["01".repeat(16)])
      )
    })
  )

  it.effect("a long stretch of absent pages is read in batches, too, where their zeros are sent", () =>
    Effect.gen(function* () {
      const pages = 32 * 256
      let longest = 0
      const block: RamBlock.Readable = {
        idstr: "pc.ram",
        usedLength: pages * PAGE,
        pageSize: PAGE,
        reader: {
          present: PageBitmap.make(pages),
          view: undefined,
          readInto: (_, target) => Effect.sync(() => void (longest = Math.max(longest, target.fill(0).length)))
        }
      }
      const { machine, summary } = yield* arrived({ source: { blocks: [block] }, zeroPageDetection: "none" })
      assert.isTrue(machine.ram.get("pc.ram")!.every((byte) => byte === 0))
      assert.strictEqual(summary.normalPages, pages)
      assert.strictEqual(longest, 2 * 1024 * 1024)
    })
  )

  it.effect("what was said between a source and its destination is not said again", () =>
    Effect.gen(function* () {
      const { source } = yield* small
      const prelude = Buffer.from("080001000008000200040000000108000b0000", "hex")
      const state = { ...MachineState.empty({ machine: "pc" }), prelude, switchoverStart: true }
      for (const returnPath of [true, false]) {
        const { destination } = yield* run({ source: { ...source, machineState: state }, returnPath })
        const { commands } = yield* Destination.acceptConnections(destination, { pageSize: PAGE })
        const asked = returnPath ? ["openReturnPath"] : []
        assert.deepStrictEqual(commands, [...asked, "switchoverStart", "switchoverStart"])
      }
    })
  )

  it.effect("phases follow each other; the connections are counted in full", () =>
    Effect.gen(function* () {
      const { source } = yield* small
      const progress = yield* Progress.make
      const phases: Array<string> = []
      const watched = {
        ...progress,
        enter: (phase: Progress.Phase) => Effect.suspend(() => (phases.push(phase), progress.enter(phase)))
      }
      const { destination, exit } = yield* run({ source, progress: watched, channels: 3 })
      assert.deepStrictEqual(phases, ["setup", "ram", "device", "sync", "completed"])
      assert(Exit.isSuccess(exit))
      const bytes = destination.channels().reduce((sum, { length }) => sum + length, 0)
      assert.strictEqual(exit.value.bytesTransferred, bytes)
      const { ram } = yield* progress.statistics.snapshot
      const main = destination.main().length
      assert.deepInclude(ram, { "multifd-bytes": bytes, transferred: bytes + main })
    })
  )

  it.effect("records of pages are bytes of the main channel: without multifd, and zero pages of `legacy`", () =>
    Effect.gen(function* () {
      const { source } = yield* small
      for (const channels of [0, 2]) {
        const progress = yield* Progress.make
        const options = { source, progress, channels, zeroPageDetection: "legacy" as const }
        const { destination, exit } = yield* run(options)
        assert(Exit.isSuccess(exit))
        const { ram } = yield* progress.statistics.snapshot
        const bytes = destination.channels().reduce((sum, { length }) => sum + length, 0)
        const main = destination.main().length
        assert.deepInclude(ram, { "multifd-bytes": bytes, transferred: bytes + main })
        assert.isAbove(exit.value.bytesTransferred, bytes)
        assert.isBelow(exit.value.bytesTransferred, bytes + main)
      }
    })
  )

  it.effect("the limit holds for all connections together", () =>
    Effect.gen(function* () {
      const memory = new Uint8Array(200 * PAGE).fill(9)
      const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
      const maxBandwidth = yield* RateLimit.make(memory.length / 10)
      const progress = yield* Progress.make
      const sending = arrived({
        source: { blocks: [block] },
        maxBandwidth,
        progress,
        limits: { idleTimeout: "1 second" }
      })
      const { machine } = yield* whileTimePasses(sending)
      assert.isTrue(machine.ram.get("pc.ram")!.equals(memory))
      const { phaseMillis } = yield* progress.snapshot
      assert.isAbove(phaseMillis.ram, 9000)
    })
  )

  describe("before anything is opened", () => {
    const refused = (options: Partial<Options<never>>) =>
      Effect.gen(function* () {
        const { source } = yield* small
        const { exit, links } = yield* run({ source, ...options })
        assert.lengthOf(links, 0)
        return yield* Effect.flip(exit)
      })
    const requests: Record<string, readonly [Partial<Options>, string]> = {
      "a compression without channels": [
        { channels: 0, compression: "zlib" },
        "cannot send: zlib needs multifd, and channels is 0"
      ],
      "a level without a compression": [{ level: 3 }, "cannot send: level is 3, and there is no compression"],
      "a level that the method does not have": [
        { compression: "zstd", level: 21 },
        "cannot send: level is 21; use a whole number (zstd) from 0 to 20"
      ],
      "a uuid that is none": [{ uuid: new Uint8Array(15) }, "cannot send: uuid is 15 bytes long; use 16 bytes"],
      "a negative bandwidth": [{ maxBandwidth: -1 }, "cannot send: maxBandwidth is -1; use 0 or more bytes a second"]
    }
    for (const [name, [options, message]] of Object.entries(requests)) {
      it.effect(`${name}: MigrationRequestError`, () =>
        Effect.gen(function* () {
          const error = yield* refused(options)
          assert.strictEqual(error._tag, "MigrationRequestError")
          assert.include(error.message, message)
        })
      )
    }

    it.effect("no blocks, two of a name, two page sizes, pages that no packet can hold: MigrationRequestError", () =>
      Effect.gen(function* () {
        const blockOf = (idstr: string, pageSize: number) =>
          MemoryPages.make({ idstr, memory: new Uint8Array(pageSize), pageSize })
        const [a, b, large] = [yield* blockOf("a", 4096), yield* blockOf("b", 16384), yield* blockOf("c", 1024 * 1024)]
        const sources: ReadonlyArray<ReadonlyArray<RamBlock.Readable>> = [[], [a, a], [a, b], [large]]
        for (const blocks of sources) {
          assert.strictEqual((yield* refused({ source: { blocks } }))._tag, "MigrationRequestError")
        }
        const { machine } = yield* arrived({ source: { blocks: [large] }, channels: 0 })
        assert.lengthOf(machine.ram.get("c")!, 1024 * 1024)
      })
    )

    it.effect("a method that is not registered: MigrationRequestError", () =>
      Effect.gen(function* () {
        const error = yield* Effect.provideService(refused({ compression: "qpl" }), Codecs, new Map())
        assert.include(error.message, "cannot send: no codec is registered for qpl; provide one with Codecs")
      })
    )

    it.effect("settings outside their limits keep their own errors", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* refused({ channels: 256 }))._tag, "PipelineOptionsError")
        assert.strictEqual((yield* refused({ channels: -1 }))._tag, "PipelineOptionsError")
        assert.strictEqual((yield* refused({ limits: { idleTimeout: 0 } }))._tag, "LimitsError")
      })
    )
  })

  describe("when something fails", () => {
    it.effect("the answer that it failed: PeerFailedError", () =>
      Effect.gen(function* () {
        const { source } = yield* small
        const { exit } = yield* run({ source }, {}, ReturnPath.encode({ _tag: "Shut", value: 1 }))
        assert.strictEqual((yield* Effect.flip(exit))._tag, "PeerFailedError")
      })
    )

    it.effect("no answer at all: ConnectionEndedError", () =>
      Effect.gen(function* () {
        const { source } = yield* small
        const { exit } = yield* run({ source }, {}, new Uint8Array(0))
        assert.deepInclude(yield* Effect.flip(exit), { _tag: "ConnectionEndedError", channel: "main" })
        const without = yield* run({ source, returnPath: false }, {}, new Uint8Array(0))
        assert.isTrue(Exit.isSuccess(without.exit), "which is all that can be had without a return path")
      })
    )

    it.effect("a block that cannot be read fails with its own error", () =>
      Effect.gen(function* () {
        const { block } = yield* small
        const reader = { present: undefined, view: undefined, readInto: () => Effect.fail("unreadable" as const) }
        for (const zeroPageDetection of ["none", "legacy", "multifd"] as const) {
          const { exit } = yield* run({ source: { blocks: [{ ...block, reader }] }, zeroPageDetection })
          assert.strictEqual(yield* Effect.flip(exit), "unreadable")
        }
      })
    )

    it.effect("device state that cannot be read fails with its own error", () =>
      Effect.gen(function* () {
        const { block } = yield* small
        const deviceState = { length: 10, readInto: () => Effect.fail("unreadable" as const) }
        const state = { ...MachineState.empty({ machine: "pc" }), deviceState }
        const { exit } = yield* run({ source: { blocks: [block], machineState: state } })
        assert.strictEqual(yield* Effect.flip(exit), "unreadable")
      })
    )

    it.effect("an attempt to connect that is refused, or never answered", () =>
      Effect.gen(function* () {
        const { source } = yield* small
        for (const connection of [0, 1, 2]) {
          const refuse = yield* run({ source }, { plan: [{ connection, fault: VirtualNetwork.Fault.Refuse() }] })
          const channel = connection === 0 ? "main" : connection - 1
          assert.deepInclude(yield* Effect.flip(refuse.exit), { _tag: "ConnectError", channel })
          const plan = [{ connection, fault: VirtualNetwork.Fault.Ignore() }]
          const ignore = yield* whileTimePasses(run({ source }, { plan }))
          assert.deepInclude(yield* Effect.flip(ignore.exit), { _tag: "PeerTimeoutError", channel })
        }
      })
    )

    /** Where each connection's bytes begin, end, and everything in between that a sender writes as a whole. */
    const places = (lengths: ReadonlyArray<number>) =>
      lengths.flatMap((length, connection) => {
        const around = [0, 1, 4, 8, 63, 64, 65, 64 + 1343, 64 + 1344, 64 + 1345, length / 2, length - 1344, length - 1]
        return [...new Set(around.map(Math.floor))]
          .filter((at) => at >= 0 && at < length)
          .map((at) => ({ at, connection }))
      })
    const faults = {
      Cut: VirtualNetwork.Fault.Cut(),
      Reset: VirtualNetwork.Fault.Reset(),
      Stall: VirtualNetwork.Fault.Stall()
    }
    const allowed = {
      Cut: ["ConnectionLostError", "ConnectionEndedError"],
      Reset: ["ConnectionLostError", "ConnectionEndedError"],
      Stall: ["PeerTimeoutError"]
    }
    for (const channels of [0, 1, 3]) {
      for (const [name, fault] of Object.entries(faults)) {
        it.effect(
          `${name} at the edges of everything that is sent, over ${channels} channels: a typed error, all closed`,
          () =>
            Effect.gen(function* () {
              const { source } = yield* small
              const options = { source, channels, batchSize: 8 * PAGE }
              const clean = yield* whileTimePasses(run(options, { capacity: 1024 }))
              for (const place of places(clean.links.map(({ fromConnector }) => fromConnector))) {
                const plan = [{ ...place, fault }]
                const { exit, links } = yield* whileTimePasses(run(options, { capacity: 1024, plan }))
                // Which channel takes a batch is not the same in every run: then there were fewer bytes than that.
                if (Exit.isSuccess(exit) && links[place.connection]!.fromConnector <= place.at) continue
                const error = yield* Effect.flip(exit)
                assert.include(allowed[name as keyof typeof faults], error._tag, `${name} at ${JSON.stringify(place)}`)
              }
            })
        )
      }
    }

    it.effect("a peer that answers and cuts everything has everything", () =>
      Effect.gen(function* () {
        const { source } = yield* small
        const plan = [{ connection: 0, from: "listener", at: 8, fault: VirtualNetwork.Fault.Reset() }] as const
        const { exit } = yield* run({ source }, { plan })
        assert.isTrue(Exit.isSuccess(exit))
      })
    )

    it.effect("interruption at any time closes everything", () =>
      Effect.gen(function* () {
        const { source } = yield* small
        for (let after = 0; after < 60; after += 3) {
          const net = yield* VirtualNetwork.make()
          yield* Effect.gen(function* () {
            yield* Destination.listen({ address: to, channels: 2 })
            yield* Effect.raceFirst(send({ source, to, channels: 2, batchSize: 8 * PAGE }), turns(after))
          }).pipe(Effect.scoped, Effect.provide(net.layer))
          assert.strictEqual(net.openEnds(), 0, `after ${after} turns`)
        }
      })
    )
  })
})
