import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as FileIdentity from "../../../src/io/files/FileIdentity.ts"
import { onEveryPlace } from "../../support/worlds/places.ts"

describe("FileIdentity", () => {
  onEveryPlace("a file is the same by whatever name, and no other", (place) =>
    Effect.gen(function* () {
      place.write("a", Uint8Array.of(1))
      place.write("b", Uint8Array.of(1))
      place.link("link", "a")
      const [a, b, link] = yield* Effect.forEach(["a", "b", "link"], (name) => FileIdentity.ofPath(place.path(name)))
      assert.isTrue(FileIdentity.equals(a!, link!))
      assert.isFalse(FileIdentity.equals(a!, b!))
      for (const missing of ["c", "a/b", "none/x"]) {
        assert.isUndefined(yield* FileIdentity.ofPath(place.path(missing)))
      }
    })
  )

  onEveryPlace("a place to write to is the same by whatever name, be the file there or not", (place) =>
    Effect.gen(function* () {
      place.write("there/a", Uint8Array.of(1))
      place.link("link", "there")
      place.link("dangling", "link/new")
      place.link("there/soft", "a")
      const keyOf = (name: string) => Effect.map(FileIdentity.destination(place.path(name)), ({ key }) => key)
      const same = [
        ["there/a", "link/a", "link/../there/a", "there/soft"],
        ["there/new", "link/new", "dangling", "link/../there/./new"],
        ["a"],
        ["there/A"]
      ]
      const keys = yield* Effect.forEach(same, (names) => Effect.forEach(names, keyOf))
      for (const [index, found] of keys.entries()) {
        assert.strictEqual(new Set(found).size, 1, same[index]?.join(" "))
      }
      assert.strictEqual(new Set(keys.flat()).size, same.length)
      const { path, stat } = yield* FileIdentity.destination(place.path("dangling"))
      assert.deepStrictEqual({ path, stat }, { path: place.path("there/new"), stat: undefined })
      for (const missing of ["none/x", "there/a/x"]) {
        const error = yield* Effect.flip(FileIdentity.destination(place.path(missing)))
        assert.strictEqual(error._tag, "FileNotFoundError")
      }
    })
  )

  it("a device is the same by whatever name, and another one than a device of another type", () => {
    const block = { dev: 5, ino: 100, mode: Fs.constants.S_IFBLK | 0o660, rdev: 1025 }
    assert.isTrue(FileIdentity.equals(block, { ...block, ino: 101, mode: Fs.constants.S_IFBLK | 0o600 }))
    assert.isFalse(FileIdentity.equals(block, { ...block, rdev: 1026 }))
    assert.isFalse(FileIdentity.equals(block, { ...block, mode: Fs.constants.S_IFCHR }))
    assert.isFalse(FileIdentity.equals({ dev: 1, ino: 2 }, { dev: 2, ino: 1 }))
  })

  it("inodes that differ in the last bit differ", () => {
    const [a, b] = [2n ** 63n, 2n ** 63n + 1n]
    assert.isFalse(FileIdentity.equals({ dev: 1, ino: a }, { dev: 1, ino: b }))
    assert.isTrue(FileIdentity.equals({ dev: 1, ino: b }, { dev: 1, ino: b }))
  })

  it.effect("inodes of 64 bits come from the kernel as they are", () =>
    Effect.gen(function* () {
      const stat = Fs.statSync("/", { bigint: true })
      const seen = yield* FileIdentity.ofPath("/")
      assert.strictEqual(BigInt(seen?.ino ?? 0), stat.ino)
    })
  )
})
