/** What becomes of the notes of an image on its way. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Image from "../../src/image/Image.ts"
import type * as ImageNotes from "../../src/format/seal/ImageNotes.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Seal from "../../src/image/Seal.ts"
import type * as SendOptions from "../../src/migration/SendOptions.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { convert, receive, save, send } = Migration.make

const PAGE = 4096
const uuid = "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab"
const key = new Uint8Array(32).fill(3)

/** With a field of a version that is still to come. */
const notes: ImageNotes.ImageNotes = {
  uuid,
  marks: "each-section",
  lost: [{ idstr: "pc.ram", pages: 16 }],
  ...{ later: { host: "a" } }
}

const savedWith = Effect.fnUntraced(function* (options: Omit<Migration.SaveOptions, "target" | "blocks">) {
  const disk = MemoryDisk.make()
  const block = yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(32 * PAGE).fill(7) })
  const machineState = MachineState.empty({})
  yield* Effect.provide(save({ target: "/vm.img", blocks: [block], machineState, ...options }), disk.layer)
  return disk
})

const notesIn = (path: string, options: { readonly key?: Uint8Array } = {}) =>
  Effect.scoped(Effect.map(Image.open(path, options), (image) => image.notes))

describe("notes", () => {
  it.effect("are what was saved with the image; without checksums there are none", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ notes })
      assert.deepStrictEqual(yield* Effect.provide(notesIn("/vm.img"), disk.layer), notes)
      for (const options of [{}, { notes: {} }, { notes, seal: false as const }]) {
        const plain = yield* savedWith(options)
        assert.deepStrictEqual(yield* Effect.provide(notesIn("/vm.img"), plain.layer), {})
      }
    })
  )

  it.effect("are converted, and added to", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ notes })
      yield* Effect.gen(function* () {
        const source = yield* Image.open("/vm.img")
        yield* convert({ source, target: "/copy.img", seal: { key } })
        assert.deepStrictEqual(yield* notesIn("/copy.img", { key }), notes)
        yield* convert({ source, target: "/other.img", notes: { marks: "each-round" } })
        assert.deepStrictEqual(yield* notesIn("/other.img"), { ...notes, marks: "each-round" })
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )

  it.effect("an image with lost pages is not sent unless that is allowed, and nobody is connected to", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ notes })
      const network = yield* VirtualNetwork.make()
      yield* Effect.gen(function* () {
        const source = yield* Image.open("/vm.img")
        const to = SocketAddress.unix("/nobody")
        const error = yield* Effect.flip(send({ source, to }))
        assert(error._tag === "MigrationRequestError")
        assert.deepStrictEqual(error.problems, [
          {
            reason: '16 pages of the RAM block "pc.ram" in /vm.img were lost and are zeros',
            remedy: "continue without them with --allow-lost (allowLost)"
          }
        ])
        assert.strictEqual((yield* Effect.flip(send({ source, to, allowLost: true })))._tag, "ConnectError")
        const none = { ...source, notes: { lost: [{ idstr: "pc.ram", pages: 0 }] } }
        assert.strictEqual((yield* Effect.flip(send({ source: none, to })))._tag, "ConnectError")
      }).pipe(Effect.scoped, Effect.provide([network.layer, disk.layer]))
    })
  )

  it.live("have the uuid that the channels have, which is that of the image that is sent", () =>
    Effect.gen(function* () {
      const own = new Uint8Array(16).fill(0xab)
      const marked = Effect.fnUntraced(function* (
        from: ImageNotes.ImageNotes,
        options: Pick<SendOptions.SendOptions, "uuid" | "channels">
      ) {
        const disk = yield* savedWith({ notes: from })
        const network = yield* VirtualNetwork.make()
        const at = SocketAddress.unix("/vm.sock")
        const { channels } = options
        const listening = yield* Deferred.make<void>()
        const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
        const receiving = receive({ listen: at, target: "/copy.img", channels, onListening })
        const sending = Effect.gen(function* () {
          yield* Deferred.await(listening)
          yield* send({ source: yield* Image.open("/vm.img"), to: at, allowLost: true, ...options })
        }).pipe(Effect.scoped)
        return yield* Effect.all([receiving, sending], { concurrency: 2 }).pipe(
          Effect.andThen(notesIn("/copy.img")),
          Effect.provide([network.layer, disk.layer])
        )
      })
      assert.deepStrictEqual(yield* marked(notes, {}), { uuid, marks: "each-section" })
      assert.deepStrictEqual(yield* marked(notes, { uuid: own }), {
        uuid: "abababab-abab-abab-abab-abababababab",
        marks: "each-section"
      })
      assert.deepStrictEqual(yield* marked({}, {}), { marks: "each-round" })
      assert.deepStrictEqual(yield* marked(notes, { channels: 0 }), {})
    })
  )

  it.live("are written with what is received", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({})
      const network = yield* VirtualNetwork.make()
      const at = SocketAddress.unix("/vm.sock")
      const listening = yield* Deferred.make<void>()
      const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
      const receiving = receive({ listen: at, target: "/copy.img", notes, onListening })
      const sending = Effect.gen(function* () {
        yield* Deferred.await(listening)
        yield* send({ source: yield* Image.open("/vm.img"), to: at, allowLost: true })
      }).pipe(Effect.scoped)
      yield* Effect.all([receiving, sending], { concurrency: 2 }).pipe(
        Effect.provide(disk.layer),
        Effect.provide(network.layer)
      )
      // What the wire says counts.
      const written: ImageNotes.ImageNotes = { ...notes, marks: "each-round" }
      assert.deepStrictEqual(yield* Effect.provide(notesIn("/copy.img"), disk.layer), written)
    })
  )

  it.effect("stay in an image that is sealed again, under any key", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ notes, seal: { key } })
      yield* Effect.gen(function* () {
        yield* Seal.run("/vm.img", { algorithm: "sha256" })
        assert.deepStrictEqual(yield* notesIn("/vm.img"), notes)
        yield* Seal.run("/vm.img", { key })
        assert.deepStrictEqual(yield* notesIn("/vm.img", { key }), notes)
      }).pipe(Effect.provide(disk.layer))
    })
  )

  it.effect("of what is recovered are those of its source", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ notes })
      yield* Effect.provide(Recover.run({ source: "/vm.img", target: "/new.img" }), disk.layer)
      assert.deepStrictEqual(yield* Effect.provide(notesIn("/new.img"), disk.layer), notes)
    })
  )

  it.effect("of a save that failed are with what is kept of it", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const memory = new Uint8Array(64 * PAGE).fill(9)
      const block = {
        idstr: "pc.ram",
        usedLength: memory.length,
        pageSize: PAGE,
        reader: {
          present: undefined,
          view: undefined,
          readInto: (offset: number, target: Uint8Array) =>
            offset >= 32 * PAGE ? Effect.fail("gone" as const) : Effect.sync(() => void target.fill(9))
        }
      }
      const options = { target: "/vm.img", blocks: [block], channels: 1, batchSize: 16 * PAGE, keepPartial: true }
      yield* Effect.flip(Effect.provide(save({ ...options, notes: { uuid } }), disk.layer))
      const source = disk.files().find((name) => name.endsWith(".part"))!
      yield* Effect.provide(Recover.run({ source, target: "/new.img" }), disk.layer)
      assert.strictEqual((yield* Effect.provide(notesIn("/new.img"), disk.layer)).uuid, uuid)
    })
  )

  it.effect("that are none are refused before anything is written", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(savedWith({ notes: { uuid: uuid.toUpperCase() } }))
      assert.strictEqual(error._tag, "MigrationRequestError")
    })
  )

  it.effect("that somebody has changed are found out by the checksums", () =>
    Effect.gen(function* () {
      for (const seal of [{}, { key }]) {
        const disk = yield* savedWith({ notes, seal })
        const bytes = disk.read("/vm.img")!.slice()
        const at = Buffer.from(bytes).lastIndexOf(uuid)
        assert.isAbove(at, 0)
        bytes[at] = "3".charCodeAt(0)
        disk.write("/vm.img", bytes)
        const { error } = yield* Effect.provide(Effect.scoped(Verify.run("/vm.img", seal)), disk.layer)
        assert.include(["CorruptImageError", "SealKeyError"], error?._tag)
      }
    })
  )
})
