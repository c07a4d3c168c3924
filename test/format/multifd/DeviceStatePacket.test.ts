import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as DeviceStatePacket from "../../../src/format/multifd/DeviceStatePacket.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

const { concat, hex, text } = Bytes

const idstr = "0000:00:02.0/vfio"

const packet: DeviceStatePacket.DeviceStatePacket = { idstr, instanceId: 1, payloadLength: 0x100 }

const header = concat(
  hex("11223344 00000001 00000040"),
  text(idstr),
  new Uint8Array(256 - idstr.length),
  hex("00000001 00000100")
)

const codeOf = (bytes: Uint8Array, options?: Parameters<typeof DeviceStatePacket.decode>[1]) => {
  const result = DeviceStatePacket.decode(bytes, options)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

const withField = (at: number, value: number) => {
  const copy = header.slice()
  new DataView(copy.buffer).setUint32(at, value)
  return copy
}

describe("the header of a packet of device state", () => {
  it("is written", () => {
    assert.deepStrictEqual(DeviceStatePacket.encode(packet), header)
    assert.strictEqual(DeviceStatePacket.HEADER_LENGTH, header.length)
  })

  it("is read", () => assert.deepStrictEqual(DeviceStatePacket.decode(header), Result.succeed(packet)))

  it.effect.prop(
    "comes back",
    { idstr: RamArbitraries.idstr, instanceId: between(0, 2 ** 32 - 1), payloadLength: between(1, 2 ** 20) },
    (packet) =>
      Effect.sync(() =>
        assert.deepStrictEqual(DeviceStatePacket.decode(DeviceStatePacket.encode(packet)), Result.succeed(packet))
      )
  )

  const cases: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["another magic number", withField(0, 0), "packet-magic-wrong"],
    ["another version", withField(4, 0), "packet-version-unsupported"],
    ["the flags of a RAM packet", withField(8, 0), "device-packet-flags-wrong"],
    ["SYNC", withField(8, 0x41), "device-packet-flags-wrong"],
    ["a compression", withField(8, 0x42), "device-packet-flags-wrong"],
    ["a name that never ends", header.slice().fill(0x61, 12, 268), "device-packet-name-invalid"],
    ["a name that is not text", withField(12, 0xff000000), "device-packet-name-invalid"],
    ["no name", header.slice().fill(0, 12, 268), "device-packet-name-invalid"],
    ["no payload", withField(272, 0), "device-packet-empty"],
    ["more than 1 MiB of payload", withField(272, 1024 * 1024 + 1), "device-packet-payload-exceeded"],
    ["all that can be said of payload", withField(272, 0xffffffff), "device-packet-payload-exceeded"]
  ]
  for (const [title, bytes, code] of cases) {
    it(`is refused with ${title}`, () => assert.strictEqual(codeOf(bytes), code))
  }

  it("may be bounded more tightly, or less", () => {
    assert.strictEqual(codeOf(header, { maxPayload: 0xff }), "device-packet-payload-exceeded")
    assert.strictEqual(codeOf(withField(272, 2 ** 21), { maxPayload: 2 ** 21 }), "no finding")
  })

  it("is refused at its place on the connection", () => {
    const result = DeviceStatePacket.decode(withField(8, 0), { position: 1000 })
    assert.isTrue(Result.isFailure(result) && result.failure.offset === 1008)
    const nameless = DeviceStatePacket.decode(header.slice().fill(0, 12, 268), { position: 1000 })
    assert.isTrue(Result.isFailure(nameless) && nameless.failure.offset === 1012)
    const empty = DeviceStatePacket.decode(withField(272, 0), { position: 1000 })
    assert.isTrue(Result.isFailure(empty) && empty.failure.offset === 1272)
  })

  it("says what stands in the place of a name, and refuses to write one that does not fit", () => {
    const foundIn = (bytes: Uint8Array) => {
      const result = DeviceStatePacket.decode(bytes)
      return Result.isFailure(result) ? result.failure.found : "no finding"
    }
    assert.strictEqual(foundIn(header.slice().fill(0, 12, 268)), "nothing")
    assert.strictEqual(foundIn(withField(12, 0xff000000).fill(0, 16, 268)), "ff")
    assert.strictEqual(foundIn(header.slice().fill(0x61, 12, 268)), "61".repeat(256))
    const named = (length: number) => () => DeviceStatePacket.encode({ ...packet, idstr: "x".repeat(length) })
    assert.doesNotThrow(named(255))
    for (const length of [256, 257, 258]) assert.throws(named(length), "does not fit 255 bytes")
  })

  it("is cut at every length below 276", () => {
    for (let length = 0; length < header.length; length++) {
      assert.strictEqual(codeOf(header.subarray(0, length)), "stream-cut")
    }
  })

  it.effect.prop("never throws, whatever the bytes", { changes: Bytes.mutation }, ({ changes }) =>
    Effect.sync(() => void DeviceStatePacket.decode(Bytes.mutate(header, changes)))
  )

  it("cannot be made with a name that does not fit", () =>
    assert.throws(() => DeviceStatePacket.encode({ ...packet, idstr: "x".repeat(256) }), RangeError))
})
