import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Parser from "../../../src/format/Parser.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as SealMark from "../../../src/format/seal/SealMark.ts"
import type { AtomicFile } from "../../../src/io/files/AtomicFile.ts"
import * as FileError from "../../../src/io/files/FileError.ts"
import type { PositionalFile } from "../../../src/io/files/PositionalFile.ts"
import type { MachineHeader, Prepared, RamEnd } from "../../../src/snapshot/SnapshotTarget.ts"
import * as ImageWriter from "../../../src/image/internal/imageWriter.ts"

const MIB = 1024 * 1024
const PAGE = 4096

const opening: Omit<MachineHeader, "blocks"> = {
  configuration: { machine: "pc-i440fx-10.0", capabilities: ["x-ignore-shared"] },
  prelude: new Uint8Array(0),
  ramSectionId: 3
}
const closing: RamEnd = { early: new Uint8Array(0), footers: true, switchoverStart: false }

const ram = { idstr: "pc.ram", usedLength: 8 * PAGE, pageSize: PAGE }
const rom = { idstr: "pc.rom", usedLength: 2 * PAGE, pageSize: PAGE }

/** A file in memory that says what is done to it. */
const makeTarget = (
  options: {
    readonly inPlace?: boolean
    readonly origin?: number
    readonly committing?: Effect.Effect<void, FileError.FileError>
  } = {}
) => {
  const { committing = Effect.void, inPlace = false, origin = 0 } = options
  const content = Buffer.alloc(origin + 8 * MIB, 0xa5)
  const log: Array<string> = []
  const put = (position: number, bytes: Uint8Array): void => {
    content.set(bytes, position)
    log.push(`${bytes.length} at ${position}`)
  }
  const note = (what: string) => Effect.sync(() => void log.push(what))
  const file = {
    write: (position: number, bytes: Uint8Array) => Effect.sync(() => put(position, bytes)),
    writeExtents: (extents: ReadonlyArray<{ readonly position: number; readonly bytes: Uint8Array }>) =>
      Effect.sync(() => extents.forEach(({ bytes, position }) => put(position, bytes))),
    readExtents: (extents: ReadonlyArray<{ readonly position: number; readonly bytes: Uint8Array }>) =>
      Effect.sync(() => extents.forEach(({ bytes, position }) => content.copy(bytes, 0, position))),
    size: Effect.succeed(content.length),
    sync: note("sync")
  } as unknown as PositionalFile
  const target: AtomicFile = {
    ...{ path: "/x.part", file, origin, inPlace },
    ...{
      prepare: note("prepare"),
      commit: Effect.andThen(note("commit"), committing),
      name: note("name"),
      keep: Effect.succeed(!inPlace)
    }
  }
  /** What was done since this was last asked. */
  const done = () => log.splice(0)
  return { content, done, note, target }
}

type Made = ReturnType<typeof makeTarget>
type Settings = Parameters<typeof ImageWriter.make>[3]

/** Everything from the first byte to the last but the mark and the first piece; gives where the stream ends. */
const writeAll = Effect.fnUntraced(function* (writer: ImageWriter.ImageWriter) {
  writer.targets.get("pc.ram")!.bitmap.setRange(2, 1)
  const end = yield* writer.writeEnd(closing)
  yield* writer.file.write(end, Uint8Array.of(0))
  yield* writer.writeHead
  const { sync } = yield* writer.finish(end + 1)
  return { end: end + 1, sync }
})

const written = Effect.fnUntraced(function* (made: Made, settings: Settings = {}, blocks = [ram, rom]) {
  const writer = yield* ImageWriter.make(made.target, opening, blocks, settings)
  const begun = made.done()
  const { end, sync } = yield* writeAll(writer)
  return { writer, begun, end, sync, middle: made.done() }
})

/** The last step is said, too. */
const commit = ({ note }: Made, { sync }: Prepared<void, FileError.FileError>) =>
  Effect.flatMap(sync, ({ commit }) => Effect.andThen(note("last"), commit))

const read = ({ content, target }: Made) => {
  const bytes = content.subarray(target.origin)
  return Parser.runSync(ImageStream.parse({ start: 0, fileSize: bytes.length }), bytes)
}

describe("imageWriter", () => {
  it.effect("a new image gets its mark and its first bytes when all else is durable, and then its name", () =>
    Effect.gen(function* () {
      const made = makeTarget()
      const { begun, end, sync } = yield* written(made)
      assert.deepStrictEqual(begun, [])
      assert.isFalse(made.content.subarray(0, 4).equals(Buffer.from("QEVM")))
      yield* commit(made, { sync })
      const done = made.done()
      const [markAt, first] = [done[1]!, done[2]!]
      assert.deepStrictEqual(done, ["sync", markAt, first, "prepare", "last", "commit"])
      assert.match(markAt, /^64 at \d+$/)
      assert.match(first, / at 0$/)
      const position = Number(markAt.split(" ")[2])
      const mark = Result.getOrThrow(SealMark.decode(made.content.subarray(position, position + 64), position))!
      assert.deepInclude(mark, { state: "sealed", algorithm: "crc32" })
      assert.strictEqual(mark.seal.position, ImageSeal.sealPosition(end))
      const { blocks, configuration } = read(made)
      assert.deepStrictEqual(configuration, { machine: "pc-i440fx-10.0", capabilities: ["mapped-ram"] })
      assert.deepStrictEqual(
        blocks.map(({ idstr }) => idstr),
        ["pc.ram", "pc.rom"]
      )
      const { bitmapOffset } = blocks[0]!.header
      assert.deepStrictEqual([...made.content.subarray(bitmapOffset, bitmapOffset + 8)], [4, 0, 0, 0, 0, 0, 0, 0])
    })
  )

  it.effect("without checksums there is nothing that must be durable before its name", () =>
    Effect.gen(function* () {
      const made = makeTarget()
      const { end, sync, writer } = yield* written(made, { seal: false })
      assert.isUndefined(writer.targets.get("pc.ram")!.digests)
      assert.isTrue(made.content.subarray(end).every((byte) => byte === 0xa5))
      yield* commit(made, { sync })
      assert.match(made.done().join(), /^\d+ at 0,prepare,last,commit$/)
    })
  )

  it.effect(
    "in place, the old image is none before anything is written, and the new one none before all is durable",
    () =>
      Effect.gen(function* () {
        for (const origin of [0, 3 * MIB]) {
          const made = makeTarget({ inPlace: true, origin })
          const { begun, middle, sync } = yield* written(made)
          assert.deepStrictEqual(begun, [begun[0]!, "sync"])
          const length = Number(begun[0]!.split(" ")[0])
          assert.strictEqual(begun[0], `${length} at ${origin}`)
          assert.isTrue(made.content.subarray(origin, origin + length).every((byte) => byte === 0))
          assert.isFalse(middle.some((what) => what.endsWith(` at ${origin}`)))
          yield* commit(made, { sync })
          const done = made.done()
          assert.deepStrictEqual(done, ["sync", done[1]!, "sync", "last", `${length} at ${origin}`, "commit"])
          assert.strictEqual(made.content.toString("latin1", origin, origin + 4), "QEVM")
          assert.isTrue(made.content.subarray(0, origin).every((byte) => byte === 0xa5))
        }
      })
  )

  it.effect("in place, an image that is not confirmed does not look like one", () =>
    Effect.gen(function* () {
      const failure = new FileError.FileIoError({ operation: "sync", path: "/x", code: "EIO" })
      for (const inPlace of [true, false]) {
        const made = makeTarget({ inPlace, committing: Effect.fail(failure) })
        const { sync } = yield* written(made)
        assert.strictEqual(yield* Effect.flip(commit(made, { sync })), failure)
        assert.strictEqual(made.content.toString("latin1", 0, 4), inPlace ? "\0\0\0\0" : "QEVM")
      }
    })
  )

  it.effect("in place and without checksums, those of the old image are wiped out", () =>
    Effect.gen(function* () {
      const made = makeTarget({ inPlace: true })
      const { end, middle, sync } = yield* written(made, { seal: false })
      const seal = ImageSeal.sealPosition(end)
      const mark = middle.find((what) => what.startsWith("64 at ") && what !== `64 at ${seal}`)
      assert.deepStrictEqual(middle.slice(-2), [mark, `64 at ${seal}`])
      const position = Number(mark!.split(" ")[2])
      for (const at of [position, seal]) {
        assert.isTrue(made.content.subarray(at, at + 64).every((byte) => byte === 0))
      }
      yield* commit(made, { sync })
      assert.match(made.done().join(), /^sync,last,\d+ at 0,commit$/)
    })
  )

  it.effect("a block that is left out has an entry and no pages", () =>
    Effect.gen(function* () {
      const made = makeTarget()
      const { sync, writer } = yield* written(made, {}, [ram, { ...rom, ignored: true } as typeof rom])
      assert.deepStrictEqual([...writer.targets.keys()], ["pc.ram"])
      yield* commit(made, { sync })
      const { blocks, configuration } = read(made)
      assert.deepStrictEqual(configuration!.capabilities.toSorted(), ["mapped-ram", "x-ignore-shared"])
      assert.deepStrictEqual(
        blocks.map(({ idstr, ignored }) => [idstr, ignored]),
        [
          ["pc.ram", false],
          ["pc.rom", true]
        ]
      )
    })
  )

  it.effect("a stream without a configuration gets none", () =>
    Effect.gen(function* () {
      const made = makeTarget()
      const writer = yield* ImageWriter.make(made.target, { ...opening, configuration: undefined }, [ram])
      const { sync } = yield* writeAll(writer)
      yield* commit(made, { sync })
      assert.isUndefined(read(made).configuration)
    })
  )

  it.effect("checkpoints are made where a file can be kept that is sealed, and nowhere else", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [boolean, NonNullable<Settings>, boolean]> = [
        [false, { keepPartial: true }, true],
        [false, { keepPartial: true, seal: false }, false],
        [true, { keepPartial: true }, false],
        [false, { keepPartial: false }, false],
        [false, {}, false]
      ]
      for (const [inPlace, settings, expected] of cases) {
        const made = makeTarget({ inPlace })
        const { begun, middle, writer } = yield* Effect.scoped(written(made, settings))
        assert.strictEqual(writer.syncing.around !== undefined, expected)
        assert.strictEqual(begun.includes("name"), expected)
        assert.strictEqual(middle.filter((what) => what === "sync").length, expected ? 3 : 0)
      }
    })
  )
})
