import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as SealedObject from "../../../src/format/store/SealedObject.ts"
import { bytes } from "../../support/bytes.ts"

const sealing = { repositoryKey: new Uint8Array(32).fill(1), repository: "0".repeat(26), name: "map/a/b-0" }

const codeOf = (sealed: Uint8Array, other: Partial<SealedObject.Sealing> = {}): string | undefined => {
  const opened = SealedObject.open({ ...sealing, ...other }, sealed)
  return Result.isFailure(opened) ? opened.failure.code : undefined
}

describe("SealedObject", () => {
  it.prop(
    "a message comes back as it was sealed, and is 48 bytes longer meanwhile",
    { message: bytes(300) },
    (given) => {
      const sealed = SealedObject.seal(sealing, given.message)
      assert.strictEqual(sealed.length, given.message.length + SealedObject.OVERHEAD)
      assert.deepStrictEqual(SealedObject.open(sealing, sealed), Result.succeed(given.message))
    }
  )

  it("equal messages are sealed under different keys", () => {
    const message = new Uint8Array(64)
    const [one, other] = [SealedObject.seal(sealing, message), SealedObject.seal(sealing, message)]
    assert.notDeepEqual(one.subarray(16, 32), other.subarray(16, 32))
    assert.notDeepEqual(one.subarray(32), other.subarray(32))
  })

  it("no bit flips and no byte is lost unnoticed", () => {
    const sealed = SealedObject.seal(sealing, new Uint8Array(40).fill(9))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = sealed.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.strictEqual(
        codeOf(flipped),
        bit >= 64 && bit < 96 ? "store-version-unsupported" : "store-object-forged",
        `bit ${bit}`
      )
    }
    for (let length = 0; length < sealed.length; length++) {
      assert.strictEqual(codeOf(sealed.subarray(0, length)), "store-object-forged")
    }
  })

  it("another key, another repository or another name opens nothing", () => {
    const sealed = SealedObject.seal(sealing, new Uint8Array(8))
    assert.strictEqual(codeOf(sealed, { repositoryKey: new Uint8Array(32) }), "store-object-forged")
    assert.strictEqual(codeOf(sealed, { repository: "1".repeat(26) }), "store-object-forged")
    assert.strictEqual(codeOf(sealed, { name: "map/a/b-1" }), "store-object-forged")
  })
})
