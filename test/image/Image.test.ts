import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import type * as ImageError from "../../src/image/ImageError.ts"
import type * as ImageNotes from "../../src/format/seal/ImageNotes.ts"
import * as LibvirtSave from "../../src/format/image/LibvirtSave.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Memory from "../support/memory.ts"
import { between } from "../support/arbitraries.ts"

const { save } = Migration.make
const MIB = 1024 * 1024

const cpu = { name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64).fill(5) }

/** A disk with an image of one small block and one device, and the block's bytes. */
const diskWithImage = (seal?: Migration.WriteOptions["seal"]) => Effect.orDie(saveImage(seal))

const saveImage = Effect.fnUntraced(function* (seal: Migration.WriteOptions["seal"]) {
  const disk = MemoryDisk.make()
  const source = yield* Memory.small()
  const machineState = yield* MachineState.fromSections({ machine: "emulator-1", sections: [cpu] })
  yield* Effect.provide(save({ target: "/vm.img", blocks: [source.block], machineState, seal }), disk.layer)
  return { disk, bytes: source.bytes }
})

/** The image with some of its bytes changed. */
const change = (disk: MemoryDisk.MemoryDisk, edit: (bytes: Uint8Array) => Uint8Array | void): void => {
  const bytes = disk.read("/vm.img")!.slice()
  disk.write("/vm.img", edit(bytes) ?? bytes)
}

const u64 = (bytes: Uint8Array, at: number, value: bigint) =>
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, value)

/** Where the only block's mapped-ram header stands: behind its name and length. */
const headerAt = (bytes: Uint8Array): number =>
  Buffer.from(bytes.buffer, bytes.byteOffset, 4096).indexOf("\x06pc.ram", "latin1") + 7 + 8

const open = (disk: MemoryDisk.MemoryDisk) => Effect.scoped(Image.open("/vm.img")).pipe(Effect.provide(disk.layer))

/** How often a run on the disk reads in the calling thread. */
const readsInThread = <A, E, R>(disk: MemoryDisk.MemoryDisk, run: Effect.Effect<A, E, R>) => {
  let reads = 0
  const read: FileCalls.InThread["read"] = (_fd, target, offset, length, position) => {
    reads++
    const bytes = disk.read("/vm.img")!.subarray(position, position + length)
    target.set(bytes, offset)
    return bytes.length
  }
  const inThread: FileCalls.InThread = { suits: (_, done) => void setImmediate(done, true), read, write: () => 0 }
  return Effect.scoped(run).pipe(
    Effect.map(() => reads),
    Effect.provideService(FileCalls.FileCalls, { ...disk.calls, inThread })
  )
}

describe("open", () => {
  it.effect("reads in the calling thread where that suits the file; who only looks at the image does not", () =>
    Effect.gen(function* () {
      const { disk } = yield* diskWithImage()
      assert.isAtLeast(yield* readsInThread(disk, Image.open("/vm.img")), 1)
      assert.strictEqual(yield* readsInThread(disk, Image.inspect("/vm.img")), 0)
    })
  )

  it.effect("tells all there is to know", () =>
    Effect.gen(function* () {
      const { disk } = yield* diskWithImage()
      const image = yield* open(disk)
      assert.strictEqual(image.format, "mapped-ram")
      assert.strictEqual(image.offset, 0)
      assert.strictEqual(image.machine, "emulator-1")
      assert.deepStrictEqual(image.capabilities, ["mapped-ram"])
      const [block] = image.blocks
      assert.strictEqual(block!.pages, 64)
      assert.strictEqual(block!.pagesPresent, 16)
      assert.strictEqual(block!.pagesOffset, MIB)
      assert.isFalse(block!.ignored)
      const [section] = image.deviceSections
      assert.strictEqual(section!.name, "cpu")
      assert.deepStrictEqual([...section!.data], [...cpu.data])
      assert.deepStrictEqual(image.findings, [])
    })
  )

  const damages: ReadonlyArray<
    readonly [
      name: string,
      tag: ImageError.ImageError["_tag"],
      code: string,
      edit: (bytes: Uint8Array) => Uint8Array | void
    ]
  > = [
    ["an empty file", "NotMigrationImageError", "magic-wrong", () => new Uint8Array(0)],
    ["a text", "NotMigrationImageError", "magic-wrong", () => new TextEncoder().encode("#!/bin/sh\n".repeat(100))],
    ["page size 0", "CorruptImageError", "page-size-zero", (bytes) => u64(bytes, headerAt(bytes) + 4, 0n)],
    ["page size 8192", "CorruptImageError", "page-size-wrong", (bytes) => u64(bytes, headerAt(bytes) + 4, 3000n)],
    [
      "a bitmap past the end",
      "TruncatedImageError",
      "bitmap-past-end",
      (bytes) => u64(bytes, headerAt(bytes) + 12, BigInt(bytes.length))
    ],
    [
      "a bitmap inside the pages",
      "CorruptImageError",
      "regions-overlap",
      (bytes) => u64(bytes, headerAt(bytes) + 12, BigInt(MIB + 4096))
    ],
    [
      "header version 2",
      "UnsupportedImageError",
      "header-version-unsupported",
      (bytes) => void bytes.set([0, 0, 0, 2], headerAt(bytes))
    ],
    ["cut off in the pages", "TruncatedImageError", "stream-cut", (bytes) => bytes.subarray(0, MIB + 8192)],
    ["cut off in RAM's END", "TruncatedImageError", "stream-cut", (bytes) => bytes.subarray(0, MIB + 64 * 4096 + 20)],
    [
      "no END: a save that never came to its end",
      "TruncatedImageError",
      "ram-end-missing",
      (bytes) => bytes.subarray(0, MIB + 64 * 4096 + 13)
    ],
    [
      "cut off in the device state",
      "TruncatedImageError",
      "device-state-cut",
      (bytes) => bytes.subarray(0, Buffer.from(bytes.buffer).indexOf("\x03cpu", "latin1") + 40)
    ]
  ]
  for (const [name, tag, code, edit] of damages) {
    it.effect(`refuses ${name}`, () =>
      Effect.gen(function* () {
        const { disk } = yield* diskWithImage()
        change(disk, edit)
        const error = yield* Effect.flip(open(disk))
        assert.strictEqual(error._tag, tag, error.message)
        assert("findings" in error)
        assert.include(
          error.findings.map((finding) => finding.code),
          code
        )
        assert.include(error.message, "/vm.img: ")
        assert.deepStrictEqual(disk.openFiles(), [])
      })
    )
  }

  it.effect("says that the file is missing", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(open(MemoryDisk.make()))
      assert.strictEqual(error._tag, "FileNotFoundError")
    })
  )

  it.effect("takes an image without a description, which cannot name its devices", () =>
    Effect.gen(function* () {
      const { disk } = yield* diskWithImage(false)
      change(disk, (bytes) => bytes.subarray(0, Buffer.from(bytes.buffer).lastIndexOf('{"devices"') - 5))
      const image = yield* open(disk)
      assert.deepStrictEqual(
        image.findings.map(({ code, severity }) => [code, severity]),
        [["description-missing", "warning"]]
      )
      assert.strictEqual(image.machineState.deviceState.length, 1 + 4 + 4 + 4 + 4 + 64 + 5)
    })
  )

  it.effect("goes behind libvirt's header, wherever the stream is", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const source = yield* Memory.small()
      const front = LibvirtSave.encode({ xml: "<domain/>", cookie: "<cookie/>", wasRunning: true })
      disk.write("/vm.img", front)
      const target = { path: "/vm.img", offset: front.length }
      yield* Effect.provide(save({ target, blocks: [source.block] }), disk.layer)
      const image = yield* open(disk)
      assert.strictEqual(image.format, "libvirt-sparse")
      assert.strictEqual(image.offset, front.length)
      assert.strictEqual(image.libvirt?.xml, "<domain/>")
      assert.strictEqual(image.libvirt?.cookie, "<cookie/>")
      assert.isTrue(image.libvirt?.wasRunning)
    })
  )

  it.effect("is whose libvirt's header says, unless its seal says something else", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const source = yield* Memory.small()
      const uuid = "00112233-4455-6677-8899-aabbccddeeff"
      const xml = `<domain><name>vm</name><uuid>${uuid.toUpperCase()}</uuid></domain>`
      const front = LibvirtSave.encode({ xml, cookie: undefined, wasRunning: true })
      const target = { path: "/vm.img", offset: front.length }
      const notesOf = Effect.fnUntraced(function* (notes: ImageNotes.ImageNotes) {
        disk.write("/vm.img", front)
        yield* Effect.provide(save({ target, blocks: [source.block], notes }), disk.layer)
        return (yield* open(disk)).notes
      })
      assert.deepStrictEqual(yield* notesOf({ marks: "each-round" }), { uuid, marks: "each-round" })
      const other = { uuid: "11111111-4455-6677-8899-aabbccddeeff" }
      assert.deepStrictEqual(yield* notesOf(other), other)
    })
  )

  it.effect("says what is wrong with libvirt's header", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const front = LibvirtSave.encodeHeader({ dataLength: 10, wasRunning: false, format: "zstd", cookieOffset: 0 })
      disk.write("/vm.img", front)
      const error = yield* Effect.flip(open(disk))
      assert.strictEqual(error._tag, "UnsupportedImageError")
    })
  )
})

describe("inspect", () => {
  it.effect("reports all findings, and what could be read all the same", () =>
    Effect.gen(function* () {
      const { disk } = yield* diskWithImage()
      change(disk, (bytes) => bytes.subarray(0, MIB + 30 * 4096))
      const inspection = yield* Effect.scoped(Image.inspect("/vm.img")).pipe(Effect.provide(disk.layer))
      assert.strictEqual(inspection.machine, "emulator-1")
      assert.strictEqual(inspection.blocks[0]!.idstr, "pc.ram")
      const codes = inspection.findings.map(({ code }) => code)
      assert.includeMembers(codes, ["stream-cut", "pages-past-end"])
    })
  )
})

describe("readPages", () => {
  const range = between(0, 64 * 4096)

  it.effect.prop(
    "gives the bytes of any range, and zeros for what is not there",
    { from: range, to: range },
    ({ from, to }) =>
      Effect.gen(function* () {
        const { bytes, disk } = yield* diskWithImage()
        // Stale bytes under clear bits, as a live save leaves them.
        change(disk, (image) => {
          for (let page = 0; page < 64; page++) {
            const at = page * 4096
            if (bytes.subarray(at, at + 4096).every((byte) => byte === 0)) image.fill(0xee, MIB + at, MIB + at + 4096)
          }
        })
        const [start, end] = [Math.min(from, to), Math.max(from, to)]
        const read = yield* Effect.gen(function* () {
          const image = yield* Image.open("/vm.img")
          return yield* image.readPages("pc.ram", start, end - start)
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
        assert.isTrue(Buffer.from(read).equals(bytes.subarray(start, end)))
      }),
    { arbitrary: { runs: 50 } }
  )

  it.effect("refuses what the image does not have", () =>
    Effect.gen(function* () {
      const { disk } = yield* diskWithImage()
      yield* Effect.gen(function* () {
        const image = yield* Image.open("/vm.img")
        const wrong = [
          ["other", 0, 1],
          ["pc.ram", -1, 1],
          ["pc.ram", 0, 64 * 4096 + 1],
          ["pc.ram", 0.5, 1],
          ["pc.ram", 0, Number.NaN]
        ] as const
        for (const [idstr, offset, length] of wrong) {
          const error = yield* Effect.flip(image.readPages(idstr, offset, length))
          assert.strictEqual(error._tag, "MigrationRequestError")
          assert.match(error.message, /^cannot read: .*; use /)
        }
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )
})
