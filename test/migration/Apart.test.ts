/** Files that are read and files that are written, in a small file system of names, links and ranges: apart, or refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Image from "../../src/image/Image.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const PAGE = 4096
const FILES = 3
const PAGES = 8

const bytesOf = (file: number): Uint8Array =>
  Uint8Array.from({ length: PAGES * PAGE }, (_, index) => 1 + ((file * 71 + Math.floor(index / PAGE) * 7) % 250))

const upTo = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** How a file is called, and whether that name is another one than its first. */
const Name = Schema.Struct({
  file: upTo(0, FILES - 1),
  kind: Schema.Literals(["itself", "hard", "soft", "directory"])
})
type Name = typeof Name.Type

const pathOf = ({ file, kind }: Name): string =>
  kind === "directory" ? `/link/f${file}` : `/d/f${file}${kind === "itself" ? "" : `.${kind}`}`

const makeDisk = (): MemoryDisk.MemoryDisk => {
  const disk = MemoryDisk.make()
  for (let file = 0; file < FILES; file++) {
    disk.write(`/d/f${file}`, bytesOf(file))
    disk.hardLink(`/d/f${file}.hard`, `/d/f${file}`)
    disk.link(`/d/f${file}.soft`, `f${file}`)
  }
  disk.link("/link", "d")
  return disk
}

const Block = Schema.Struct({
  name: Name,
  range: Schema.Struct({ first: upTo(0, PAGES - 2), pages: upTo(1, 2) })
})
type Block = typeof Block.Type

const someBlocks = Arbitrary.array(Arbitrary.schema(Block), { minLength: 1, maxLength: 3 })

const placeOf = ({ name, range: { first, pages } }: Block, index: number) => ({
  idstr: `block${index}`,
  path: pathOf(name),
  offset: first * PAGE,
  length: pages * PAGE
})

const meet = (a: Block, b: Block): boolean =>
  a.name.file === b.name.file &&
  a.range.first < b.range.first + b.range.pages &&
  b.range.first < a.range.first + a.range.pages

const digest = (bytes: Uint8Array = new Uint8Array()) => createHash("sha1").update(bytes).digest("hex")

const contents = (disk: MemoryDisk.MemoryDisk) =>
  disk.files().map((path) => [path, disk.stat(path)?.ino, digest(disk.read(path))])

const restored = Effect.fnUntraced(function* (location: {
  readonly path: string
  readonly offset?: number | undefined
}) {
  const image = yield* Image.open(location)
  return yield* Effect.forEach(image.blocks, ({ idstr, usedLength }) => image.readPages(idstr, 0, usedLength))
}, Effect.scoped)

describe("what is read and what is written lie apart, or nothing is touched", () => {
  it.effect.prop(
    "save refuses a target that is one of its blocks",
    {
      blocks: someBlocks,
      target: Arbitrary.schema(Name),
      offset: Arbitrary.schema(Schema.UndefinedOr(upTo(0, PAGES)))
    },
    ({ blocks, offset, target }) => {
      const disk = makeDisk()
      const before = contents(disk)
      const location = { path: pathOf(target), offset: offset === undefined ? undefined : offset * PAGE }
      const isInTheWay = ({ name: { file }, range: { first, pages } }: Block) =>
        file === target.file && (offset === undefined || first + pages > offset)
      return Effect.gen(function* () {
        const saving = Effect.forEach(blocks, (one, index) =>
          FilePages.make({ ...placeOf(one, index), access: "read" })
        ).pipe(
          Effect.flatMap((sources) => Migration.make.save({ target: location, blocks: sources })),
          Effect.scoped,
          Effect.exit
        )
        const exit = yield* saving
        assert.strictEqual(Exit.isFailure(exit), blocks.some(isInTheWay))
        if (Exit.isFailure(exit)) {
          assert.strictEqual((yield* Effect.flip(exit))._tag, "MigrationRequestError")
          assert.deepStrictEqual(contents(disk), before)
          return
        }
        const expected = blocks.map(({ name: { file }, range: { first, pages } }) =>
          bytesOf(file).slice(first * PAGE, (first + pages) * PAGE)
        )
        assert.deepStrictEqual(yield* restored(location), expected)
        // What was in front of the image in its file is there as before, and so are the other files.
        const kept = bytesOf(target.file).subarray(0, (offset ?? 0) * PAGE)
        assert.deepStrictEqual(disk.read(location.path)?.slice(0, kept.length), kept.slice())
        for (let file = 0; file < FILES; file++) {
          if (file !== target.file) assert.deepStrictEqual(disk.read(`/d/f${file}`), bytesOf(file))
        }
      }).pipe(Effect.provide(disk.layer))
    },
    { arbitrary: { runs: 60 } }
  )

  it.effect.prop(
    "restore refuses blocks that lie in its image or in each other",
    { blocks: someBlocks, hidden: Arbitrary.schema(Schema.Boolean) },
    ({ blocks, hidden }) => {
      const disk = makeDisk()
      return Effect.gen(function* () {
        const memory = (index: number, length: number) => new Uint8Array(length).fill(200 + index)
        const sources = yield* Effect.forEach(blocks, (one, index) => {
          const { idstr, length } = placeOf(one, index)
          return MemoryPages.make({ idstr, memory: memory(index, length) })
        })
        // The image takes the place of the last file.
        const path = `/d/f${FILES - 1}`
        yield* Migration.make.save({ target: { path, offset: hidden ? PAGES * PAGE : undefined }, blocks: sources })
        const before = contents(disk)
        const [front, image] = [bytesOf(FILES - 1), FILES - 1]
        const isInTheWay = ({ name: { file, kind } }: Block) =>
          !hidden && file === image && (kind !== "hard" || disk.stat(path)?.ino === disk.stat(`${path}.hard`)?.ino)
        const expected =
          blocks.some(isInTheWay) ||
          blocks.some((one, index) => blocks.slice(0, index).some((other) => meet(one, other)))
        const exit = yield* Effect.gen(function* () {
          const opened = yield* Image.open({ path, offset: hidden ? PAGES * PAGE : undefined })
          const targets = yield* Effect.forEach(blocks, (one, index) =>
            FilePages.make({ ...placeOf(one, index), access: "read-write" })
          )
          return yield* Migration.make.restore({ source: opened, blocks: targets })
        }).pipe(Effect.scoped, Effect.exit)
        assert.strictEqual(Exit.isFailure(exit), expected, JSON.stringify(exit))
        if (Exit.isFailure(exit)) {
          assert.strictEqual((yield* Effect.flip(exit))._tag, "MigrationRequestError")
          assert.deepStrictEqual(contents(disk), before)
          return
        }
        assert.strictEqual(front.length, PAGES * PAGE)
        blocks.forEach((one, index) => {
          const { length, offset, path } = placeOf(one, index)
          assert.deepStrictEqual(disk.read(path)?.slice(offset, offset + length), memory(index, length))
        })
      }).pipe(Effect.provide(disk.layer))
    },
    { arbitrary: { runs: 60 } }
  )

  it.effect("receive into blocks: before it listens", () =>
    Effect.gen(function* () {
      const disk = makeDisk()
      const before = contents(disk)
      const receiving = (blocks: ReadonlyArray<RamBlock.Writable<unknown>>) =>
        Migration.make
          .receive({ listen: SocketAddress.unix("/nowhere/sock"), target: BlocksTarget.make(blocks) })
          .pipe(Effect.flip)
      const error = yield* Effect.gen(function* () {
        const [a, b] = ["/d/f0", "/link/f0.hard"].map((path, index) =>
          FilePages.make({ idstr: `b${index}`, path, length: PAGE, offset: 0, access: "read-write" })
        )
        return yield* receiving([yield* a!, yield* b!])
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.match(String(error), /"b0" and "b1" overlap in \/link\/f0\.hard/)
      assert.deepStrictEqual(contents(disk), before)
    })
  )
})
