/** A kind of source and target that the library does not know goes through every operation: a store of pages in memory. */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ImageNotes } from "../../src/format/seal/ImageNotes.ts"
import * as Image from "../../src/image/Image.ts"
import * as ImageTarget from "../../src/image/ImageTarget.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as SnapshotSource from "../../src/snapshot/SnapshotSource.ts"
import type { MachineHeader, RamEnd, SnapshotTarget, StateLayout } from "../../src/snapshot/SnapshotTarget.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import type { PageSink } from "../../src/transfer/PageSink.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"

const { convert, receive, restore, save, send } = Migration.make
const PAGE = 4096
const PAGES = 6

class StoreError extends Data.TaggedError("StoreError")<{ readonly message: string }> {}

interface Snapshot {
  readonly header: MachineHeader
  readonly pages: ReadonlyMap<string, Map<number, Uint8Array>>
  readonly end: RamEnd
  readonly layout: StateLayout
  readonly state: Uint8Array
}

/** A sink that keeps each page of a block by itself. */
const sinkInto = (
  shape: RamBlock.Shape,
  pages: Map<number, Uint8Array>,
  counters: TransferCounters.TransferCounters
): PageSink => ({
  ...shape,
  view: undefined,
  coalescePages: 0,
  takesUnaligned: true,
  read: undefined,
  store: ({ extents, gaps, normal, zero }) =>
    Effect.sync(() => {
      assert.deepStrictEqual(gaps, [])
      for (const { bytes, offset } of extents) {
        for (let at = 0; at < bytes.length; at += PAGE) pages.set((offset + at) / PAGE, bytes.slice(at, at + PAGE))
      }
      for (let index = 0; index < zero.length; index += 2) {
        for (let page = zero[index]!; page < zero[index]! + zero[index + 1]!; page++) pages.delete(page)
      }
      const bytes = extents.reduce((sum, extent) => sum + extent.bytes.length, 0)
      TransferCounters.add(counters, { block: shape, normal, zero }, bytes)
    })
})

/** Snapshots by their ids. `damage` makes pages unreadable. */
const makeStore = () => {
  const snapshots = new Map<string, Snapshot>()
  const damaged = new Set<number>()
  let open = 0
  const target = (id: string): SnapshotTarget<string, StoreError> => ({
    name: `store:${id}`,
    begin: Effect.fnUntraced(function* (header, { counters }) {
      if (snapshots.has(id)) return yield* new StoreError({ message: `there is a snapshot ${id} already` })
      yield* Effect.acquireRelease(
        Effect.sync(() => void open++),
        () => Effect.sync(() => void open--)
      )
      const blocks = SnapshotSource.blocksWithPages(header)
      const pages = new Map(blocks.map(({ idstr }) => [idstr, new Map<number, Uint8Array>()]))
      const sinks = new Map(blocks.map((shape) => [shape.idstr, sinkInto(shape, pages.get(shape.idstr)!, counters)]))
      return {
        openSinks: Effect.succeed(sinks),
        during: (ram) => ram,
        endRam: (end) =>
          Effect.sync(() => {
            const pieces: Array<Uint8Array> = []
            const written = () => new Uint8Array(Buffer.concat(pieces))
            const commit = (layout: StateLayout) =>
              Effect.sync(() => {
                snapshots.set(id, { header, pages, end, layout, state: written() })
                return id
              })
            return {
              write: (bytes) => Effect.sync(() => void pieces.push(bytes.slice())),
              written: Effect.sync(() => ByteSource.fromBytes(written())),
              finish: (layout) => Effect.succeed({ sync: Effect.succeed({ commit: commit(layout) }) })
            }
          })
      }
    })
  })
  const source = (id: string): SnapshotSource.SnapshotSource<StoreError> => {
    const { end, header, layout, pages, state } = snapshots.get(id)!
    const part = ({ length, position }: StateLayout["description"]) =>
      ByteSource.fromBytes(state.subarray(position, position + length))
    const { early, footers, switchoverStart } = end
    const { configuration, prelude, ramSectionId } = header
    return {
      name: `store:${id}`,
      machine: configuration?.machine,
      readUnit: PAGE,
      notes: header.notes,
      blocks: header.blocks.map((block) => ({ ...block, reader: readerOf(block, pages.get(block.idstr)!) })),
      machineState: {
        ...{ configuration, prelude, early, switchoverStart, footers, ramSectionId, origin: undefined },
        deviceState: part(layout.deviceState),
        description: part(layout.description)
      }
    }
  }
  const readerOf = ({ idstr, usedLength }: RamBlock.Shape, pages: ReadonlyMap<number, Uint8Array>) => {
    const present = PageBitmap.make(usedLength / PAGE)
    for (const page of pages.keys()) present.setRange(page, 1)
    const readInto = (offset: number, bytes: Uint8Array) =>
      Effect.suspend(() => {
        for (let page = offset / PAGE; page * PAGE < offset + bytes.length; page++) {
          const at = page * PAGE - offset
          if (damaged.has(page)) return Effect.fail(new StoreError({ message: `page ${page} of ${idstr} is damaged` }))
          bytes.set(pages.get(page) ?? new Uint8Array(PAGE), at)
        }
        return Effect.void
      })
    return { present, view: undefined, readInto }
  }
  return {
    target,
    source,
    ids: () => [...snapshots.keys()],
    open: () => open,
    damage: (page: number) => damaged.add(page)
  }
}

const memory = Uint8Array.from(
  { length: PAGES * PAGE },
  (_, index) => [1, 0, 2, 3, 0, 4][Math.floor(index / PAGE)]! * 50
)
const machineState = MachineState.fromSections({
  machine: "emulator-1",
  sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(600).fill(7) }]
})
const notes: ImageNotes = { uuid: "00112233-4455-6677-8899-aabbccddeeff", lost: [{ idstr: "ram", pages: 1 }] }

/** A store with one snapshot, "first", and a disk. */
const setUp = Effect.gen(function* () {
  const store = makeStore()
  const disk = MemoryDisk.make()
  const blocks = [yield* MemoryPages.make({ idstr: "ram", memory })]
  const saved = yield* save({ target: store.target("first"), blocks, machineState: yield* machineState, notes })
  return { store, disk, saved }
})

const emptyBlock = (bytes: Uint8Array) => MemoryPages.make({ idstr: "ram", memory: bytes })

const restored = Effect.fnUntraced(function* <E>(source: SnapshotSource.SnapshotSource<E>) {
  const bytes = new Uint8Array(memory.length).fill(0xee)
  yield* restore({ source, blocks: [yield* emptyBlock(bytes)] })
  return bytes
})

const stateOf = <E>({ deviceState }: MachineState.MachineState<E>) => ByteSource.read(deviceState)

describe("a store of pages, which the library does not know", () => {
  it.effect("takes what is saved, gives its id, and fills blocks", () =>
    Effect.gen(function* () {
      const { saved, store } = yield* setUp
      assert.deepInclude(saved, { value: "first", bytesTotal: PAGES * PAGE, normalPages: 4, zeroPages: 2 })
      const source = store.source("first")
      assert.deepStrictEqual(yield* restored(source), memory)
      assert.deepStrictEqual(yield* stateOf(source.machineState), yield* stateOf(yield* machineState))
      assert.deepInclude(source, { machine: "emulator-1", notes })
      assert.strictEqual(store.open(), 0)
    })
  )

  it.effect("is converted into an image, and an image into it; notes go along", () =>
    Effect.gen(function* () {
      const { disk, store } = yield* setUp
      yield* Effect.gen(function* () {
        const { value } = yield* convert({ source: store.source("first"), target: "/vm.img" })
        assert.isUndefined(value)
        const image = yield* Image.open("/vm.img")
        assert.deepStrictEqual(image.notes, notes)
        const again = yield* convert({ source: image, target: store.target("second") })
        assert.strictEqual(again.value, "second")
        assert.deepStrictEqual(store.source("second").notes, notes)
        assert.deepStrictEqual(yield* restored(store.source("second")), memory)
        const blocks = BlocksTarget.make([yield* emptyBlock(new Uint8Array(memory.length))])
        const third = yield* convert({ source: store.source("second"), target: blocks })
        assert.deepStrictEqual(yield* stateOf(third.value), yield* stateOf(image.machineState))
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )

  it.live("is sent, and receives", () =>
    Effect.gen(function* () {
      const { store } = yield* setUp
      const network = yield* VirtualNetwork.make()
      const at = SocketAddress.unix("/vm.sock")
      const listening = yield* Deferred.make<void>()
      const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
      const receiving = receive({ listen: at, target: store.target("second"), onListening, notes: { lost: [] } })
      const sending = Effect.andThen(
        Deferred.await(listening),
        send({ source: store.source("first"), to: at, allowLost: true })
      )
      const [received] = yield* Effect.all([receiving, sending], { concurrency: 2 }).pipe(Effect.provide(network.layer))
      assert.deepInclude(received, { value: "second", normalPages: 4 })
      const source = store.source("second")
      assert.deepStrictEqual(yield* restored(source), memory)
      assert.deepStrictEqual(source.notes?.lost, [])
      assert.deepStrictEqual(yield* stateOf(source.machineState), yield* stateOf(yield* machineState))
    })
  )

  it.effect("is read and verified", () =>
    Effect.gen(function* () {
      const { store } = yield* setUp
      const source = store.source("first")
      const bytes = yield* SnapshotSource.readPages(source, "ram", 2 * PAGE, 2 * PAGE)
      assert.deepStrictEqual(bytes, memory.slice(2 * PAGE, 4 * PAGE))
      const outside = yield* Effect.flip(SnapshotSource.readPages(source, "ram", PAGES * PAGE, 1))
      assert.strictEqual(outside._tag, "MigrationRequestError")
      assert.deepStrictEqual(yield* SnapshotSource.verify(source), [])
      store.damage(3)
      store.damage(5)
      const unreadable = yield* SnapshotSource.verify(store.source("first"))
      assert.deepStrictEqual(
        unreadable.map(({ block, error, length, offset }) => [block, offset, length, error.message]),
        [3, 5].map((page) => ["ram", page * PAGE, PAGE, `page ${page} of ram is damaged`])
      )
    })
  )

  it.effect("fails with its own errors, and a failure leaves it as it was", () =>
    Effect.gen(function* () {
      const { store } = yield* setUp
      const source = store.source("first")
      const twice = yield* Effect.flip(convert({ source, target: store.target("first") }))
      assert.deepInclude(twice, { _tag: "StoreError", message: "there is a snapshot first already" })
      store.damage(0)
      const failed = yield* Effect.flip(convert({ source: store.source("first"), target: store.target("second") }))
      assert.strictEqual(failed._tag, "StoreError")
      assert.deepStrictEqual([store.ids(), store.open()], [["first"], 0])
      assert.strictEqual((yield* Effect.flip(restored(store.source("first"))))._tag, "StoreError")
    })
  )

  it.effect("has options of its own: those of an image are refused", () =>
    Effect.gen(function* () {
      const { store } = yield* setUp
      const options = { seal: {}, keepPartial: true, directIo: true }
      const error = yield* Effect.flip(
        convert({ source: store.source("first"), target: store.target("second"), ...options })
      )
      assert(error._tag === "MigrationRequestError")
      assert.lengthOf(error.problems, 3)
      assert.deepStrictEqual(store.ids(), ["first"])
    })
  )

  it.effect("an image under options of its own is a target like any other", () =>
    Effect.gen(function* () {
      const { disk, store } = yield* setUp
      yield* Effect.gen(function* () {
        const target = yield* ImageTarget.make("/vm.img", { seal: { algorithm: "sha256" } })
        yield* convert({ source: store.source("first"), target })
        const image = yield* Image.open("/vm.img")
        assert.strictEqual(image.seal?.algorithm, "sha256")
        const unsealed = yield* ImageTarget.make("/other.img", { seal: false })
        const error = yield* Effect.flip(convert({ source: image, target: unsealed }))
        assert.match(error.message, /^cannot convert: pages of the image were lost/)
        const inPlace = yield* ImageTarget.make({ path: "/vm.img", offset: 0 })
        const itself = yield* Effect.flip(convert({ source: image, target: inPlace }))
        assert.match(itself.message, /\/vm\.img is the source itself/)
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.deepStrictEqual(disk.files(), ["/vm.img"])
    })
  )
})
