import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { itDisk } from "../support/worlds/it.ts"

const bytes = Uint8Array.from({ length: 3 * 1024 * 1024 + 5 }, (_, i) => i * 7 + (i >> 8))

itDisk("copies more than a buffer, from memory and from a file", function* (disk) {
  const file = yield* PositionalFile.open("/a", { access: "read-write", create: "exclusive" })
  yield* ByteSource.copyTo(ByteSource.fromBytes(bytes), file, 3)
  yield* ByteSource.copyTo(ByteSource.fromFile(file, 3, bytes.length), file, bytes.length + 3)
  const copy = Buffer.from(disk.read("/a")!)
  assert.isTrue(copy.equals(Buffer.concat([new Uint8Array(3), bytes, bytes])))
})

it.effect("copies nothing as nothing", () =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make()
    yield* PositionalFile.open("/a", { access: "read-write", create: "exclusive" }).pipe(
      Effect.flatMap((file) => ByteSource.copyTo(ByteSource.empty, file, 10)),
      Effect.scoped,
      Effect.provide(disk.layer)
    )
    assert.strictEqual(disk.stat("/a")!.size, 0)
    assert.strictEqual((yield* ByteSource.read(ByteSource.empty)).length, 0)
  })
)

it.effect("fails where the file became shorter", () =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make()
    disk.write("/a", new Uint8Array(10))
    const error = yield* PositionalFile.open("/a", { access: "read" }).pipe(
      Effect.flatMap((file) => Effect.flip(ByteSource.read(ByteSource.fromFile(file, 5, 6)))),
      Effect.scoped,
      Effect.provide(disk.layer)
    )
    assert.strictEqual(error._tag, "UnexpectedEndOfFileError")
  })
)
