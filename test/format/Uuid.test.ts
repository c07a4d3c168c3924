import { assert, describe, it } from "@effect/vitest"
import * as Uuid from "../../src/format/Uuid.ts"

const TEXT = "00112233-4455-6677-8899-aabbccddeeff"
const BYTES = Uint8Array.from({ length: 16 }, (_, at) => at * 0x11)

describe("Uuid", () => {
  it("is read and written, letters of either size", () => {
    assert.deepStrictEqual(Uuid.parse(TEXT), BYTES)
    assert.deepStrictEqual(Uuid.parse(TEXT.toUpperCase()), BYTES)
    assert.strictEqual(Uuid.format(BYTES), TEXT)
  })

  for (const text of ["", TEXT.slice(1), `${TEXT}0`, TEXT.replace("-", ""), TEXT.replace("f", "g"), `{${TEXT}}`]) {
    it(`${JSON.stringify(text)} is none`, () => assert.isUndefined(Uuid.parse(text)))
  }

  it("zeros are no uuid, one bit makes one", () => {
    assert.isTrue(Uuid.isNone(new Uint8Array(16)))
    for (let at = 0; at < 16; at++) assert.isFalse(Uuid.isNone(new Uint8Array(16).fill(1, at, at + 1)))
  })
})
