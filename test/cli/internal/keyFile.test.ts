import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as KeyFile from "../../../src/cli/internal/keyFile.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"

const disk = MemoryDisk.make()
const MiB = 1024 * 1024
const secret = Uint8Array.from({ length: MiB }, (_, index) => index % 251)
disk.write("/empty", new Uint8Array())
disk.write("/longest", secret)
disk.write("/longer", new Uint8Array(MiB + 1))
disk.special("/zero", "character device")
disk.special("/fifo", "fifo")
disk.special("/directory", "directory")

const read = (path: string) => Effect.provide(KeyFile.read(path), disk.layer)

describe("a key file", () => {
  it.effect("is read as a whole", () =>
    Effect.gen(function* () {
      const found = yield* read("/longest")
      assert.isTrue(Buffer.from(secret).equals(found))
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )

  it.effect.each([
    ["/empty", "empty"],
    ["/longer", "longer"],
    ["/zero", "a character device, which has no end"],
    ["/fifo", "a fifo"],
    ["/directory", "a directory"]
  ] as const)("%s is refused in words of its own", ([path, found]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read(path))
      assert.include(error, { _tag: "KeyFileError" })
      assert.strictEqual(
        error.message,
        `cannot use the key file ${path}: it is ${found}; use a file of 1 to 1048576 bytes`
      )
      assert.strictEqual(error[Runtime.errorExitCode], 2)
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )

  it.effect("that is missing is told as any missing file", () =>
    Effect.map(Effect.flip(read("/none")), (error) => assert.strictEqual(error._tag, "FileNotFoundError"))
  )
})
