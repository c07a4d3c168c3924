/**
 * Reads single pages of an image without restoring it: the bitmap gives their offsets, and nothing else is read.
 *
 * With an argument, it reads from your image: `node examples/read-pages.ts vm.img`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Image, MemoryPages, Migration } from "effect-multifd"
import { temporaryFile } from "./support/files.ts"

/** An example image: 8 MiB with one line of text in the middle. */
const exampleImage = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const path = yield* temporaryFile("example.img")
  const memory = Buffer.alloc(8 * 2 ** 20)
  memory.write("hello from the guest", 5 * 2 ** 20)
  yield* migration.save({ target: path, blocks: [yield* MemoryPages.make({ idstr: "example.ram", memory })] })
  return path
})

const printable = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString("latin1")
    .replaceAll(/[^ -~]/g, ".")

/** The first page of a block that has any content. */
const firstPage = Effect.fnUntraced(function* (image: Image.Image, { idstr, pageSize, reader }: Image.ImageBlock) {
  const page = reader.present.nextSet(0)
  if (page === reader.present.pages) return yield* Console.log(`${idstr}: all zeros`)
  const bytes = yield* image.readPages(idstr, page * pageSize, 64)
  yield* Console.log(`${idstr}: page ${page} begins with ${printable(bytes)}`)
})

const program = Effect.gen(function* () {
  const image = yield* Image.open(process.argv[2] ?? (yield* exampleImage))
  yield* Effect.forEach(image.blocks, (block) => firstPage(image, block))
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
