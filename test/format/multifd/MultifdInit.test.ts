import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Finding } from "../../../src/format/Finding.ts"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Fixtures from "../../support/wire/captured.ts"

const { concat, hex } = Bytes

const uuid = hex("00112233445566778899aabbccddeeff")

/** What QEMU 10.0 sent on the channel with id 1. */
const packet = concat(hex("11223344 00000001"), uuid, hex("01"), new Uint8Array(39))

const codeOf = (bytes: Uint8Array) => {
  const result = MultifdInit.decode(bytes)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

const changed = (at: number, value: number) => {
  const copy = packet.slice()
  copy[at] = value
  return copy
}

describe("an init packet", () => {
  it("is written as QEMU writes it", () => assert.deepStrictEqual(MultifdInit.encode({ uuid, id: 1 }), packet))

  for (const name of Fixtures.withChannels) {
    it(`is read from a capture: ${name}`, () => {
      for (const [id, channel] of Fixtures.channels(name).entries()) {
        const init = MultifdInit.decode(channel.subarray(0, MultifdInit.LENGTH))
        assert.deepStrictEqual(init, Result.succeed({ uuid, id }))
      }
    })
  }

  it("has a uuid of zeros where the guest has none", () =>
    assert.deepStrictEqual(MultifdInit.noUuid(), new Uint8Array(16)))

  it.effect.prop(
    "comes back",
    { uuid: Arbitrary.array(between(0, 255), { minLength: 16, maxLength: 16 }), id: between(0, 255) },
    ({ id, uuid }) =>
      Effect.sync(() => {
        const init = { uuid: new Uint8Array(uuid), id }
        assert.deepStrictEqual(MultifdInit.decode(MultifdInit.encode(init)), Result.succeed(init))
      })
  )

  it("is refused with another magic number", () => {
    assert.strictEqual(codeOf(changed(3, 0x45)), "packet-magic-wrong")
    const result = MultifdInit.decode(changed(3, 0x45))
    assert(Result.isFailure(result))
    assert.strictEqual(
      result.failure.message,
      "no multifd packet begins here: expected 11223344, the beginning of an init packet, found 11223345 (at byte 0)"
    )
  })

  it("is refused in another version", () => assert.strictEqual(codeOf(changed(7, 2)), "packet-version-unsupported"))

  it("is refused with reserved bytes in use, each of them", () => {
    for (let at = 25; at < MultifdInit.LENGTH; at++) assert.strictEqual(codeOf(changed(at, 1)), "packet-reserved-set")
  })

  it("is cut at every length below 64", () => {
    for (let length = 0; length < packet.length; length++) {
      assert.strictEqual(codeOf(packet.subarray(0, length)), "stream-cut")
    }
  })

  it.effect.prop("never throws, whatever the bytes", { bytes: Bytes.bytes(80) }, ({ bytes }) =>
    Effect.sync(() => void MultifdInit.decode(bytes))
  )
})

describe("a channel that introduces itself", () => {
  const check = (init: MultifdInit.Init, expected: Partial<Parameters<typeof MultifdInit.check>[1]> = {}) =>
    MultifdInit.check(init, { channels: 2, isTaken: () => false, ...expected })

  const code = (finding: Finding | undefined) => finding?.code

  it("is welcome with any id below the number of channels", () => {
    assert.isUndefined(check({ uuid, id: 0 }))
    assert.isUndefined(check({ uuid, id: 1 }, { uuid }))
  })

  it("is refused with an id that is the number of channels, or above", () => {
    assert.strictEqual(code(check({ uuid, id: 2 })), "init-id-out-of-range")
    assert.strictEqual(code(check({ uuid, id: 255 })), "init-id-out-of-range")
    assert.strictEqual(check({ uuid, id: 2 })?.expected, "an id below 2")
  })

  it("is refused with an id that another one has", () => {
    const isTaken = (id: number) => id === 1
    assert.strictEqual(code(check({ uuid, id: 1 }, { isTaken })), "init-id-duplicated")
    assert.isUndefined(check({ uuid, id: 0 }, { isTaken }))
  })

  it("is refused if it belongs to another guest, and compares zeros as well", () => {
    const finding = check({ uuid, id: 0 }, { uuid: MultifdInit.noUuid() })
    assert.strictEqual(code(finding), "init-uuid-mismatch")
    assert.strictEqual(finding?.expected, "00000000-0000-0000-0000-000000000000")
    assert.strictEqual(finding?.found, "00112233-4455-6677-8899-aabbccddeeff")
    assert.isUndefined(check({ uuid: MultifdInit.noUuid(), id: 0 }, { uuid: MultifdInit.noUuid() }))
  })
})
