import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

const { hex } = Bytes

const decode = (bytes: Uint8Array) =>
  Result.flatMap(ReturnPath.decodeHeader(bytes), (header) =>
    ReturnPath.decodeBody(header, bytes.subarray(ReturnPath.HEADER_LENGTH))
  )

const codeOf = (bytes: Uint8Array) => {
  const result = decode(bytes)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

describe("a message on the return path", () => {
  const messages: ReadonlyArray<readonly [string, Uint8Array, ReturnPath.Message]> = [
    ["SHUT 0, which a real source completes with", hex("0001 0004 00000000"), { _tag: "Shut", value: 0 }],
    ["SHUT 1", hex("0001 0004 00000001"), { _tag: "Shut", value: 1 }],
    ["PONG 1", hex("0002 0004 00000001"), { _tag: "Pong", value: 1 }],
    [
      "a request for pages of a block",
      hex("0003 000e 0000000000001000 00001000 01 6d"),
      { _tag: "RequestPagesOfBlock", idstr: "m", offset: 0x1000, length: 0x1000 }
    ],
    [
      "a request for more pages",
      hex("0004 000c 0000000000001000 00001000"),
      { _tag: "RequestPages", offset: 0x1000, length: 0x1000 }
    ],
    ["the bitmap of a block", hex("0005 0002 01 6d"), { _tag: "ReceivedBitmap", idstr: "m" }],
    ["RESUME_ACK", hex("0006 0004 00000001"), { _tag: "ResumeAck", value: 1 }],
    ["SWITCHOVER_ACK", hex("0007 0000"), { _tag: "SwitchoverAck" }]
  ]
  for (const [title, bytes, message] of messages) {
    it(`is written: ${title}`, () => assert.deepStrictEqual(ReturnPath.encode(message), bytes))
    it(`is read: ${title}`, () => assert.deepStrictEqual(decode(bytes), Result.succeed(message)))
    it(`is cut at every length: ${title}`, () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.strictEqual(codeOf(bytes.subarray(0, length)), "stream-cut")
      }
    })
  }

  it("is refused if no QEMU knows it", () => {
    assert.strictEqual(codeOf(hex("0000 0000")), "return-path-message-unknown")
    assert.strictEqual(codeOf(hex("0008 0000")), "return-path-message-unknown")
  })

  it("is refused with another length than it has", () => {
    assert.strictEqual(codeOf(hex("0001 0003")), "return-path-length-wrong")
    assert.strictEqual(codeOf(hex("0007 ffff")), "return-path-length-wrong")
    assert.strictEqual(codeOf(hex("0003 000d")), "return-path-length-wrong")
    const result = ReturnPath.decodeHeader(hex("0003 010d"), 8)
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.offset, 10)
    assert.strictEqual(result.failure.expected, "14 to 268 bytes after message 3")
  })

  const value = Bytes.int(0, 2 ** 32 - 1)

  it("is refused where a name is not as long as it says, or no text", () => {
    assert.strictEqual(codeOf(hex("0003 000f 0000000000001000 00001000 01 6d 6d")), "return-path-length-wrong")
    assert.strictEqual(codeOf(hex("0003 000e 0000000000001000 00001000 02 6d")), "return-path-length-wrong")
    assert.strictEqual(codeOf(hex("0005 0002 01 ff")), "name-invalid")
    assert.strictEqual(codeOf(hex("0004 000c ffffffffffffffff 00001000")), "number-too-large")
  })

  it.effect.prop(
    "comes back",
    { value, length: value, offset: Bytes.int(0, Number.MAX_SAFE_INTEGER), idstr: RamArbitraries.idstr },
    ({ idstr, length, offset, value }) =>
      Effect.sync(() => {
        const messages: ReadonlyArray<ReturnPath.Message> = [
          { _tag: "Shut", value },
          { _tag: "Pong", value },
          { _tag: "ResumeAck", value },
          { _tag: "ReceivedBitmap", idstr },
          { _tag: "RequestPages", offset, length },
          { _tag: "RequestPagesOfBlock", idstr, offset, length }
        ]
        for (const message of messages) {
          assert.deepStrictEqual(decode(ReturnPath.encode(message)), Result.succeed(message))
        }
      })
  )

  it.effect.prop("never throws, and never has a body beyond its bound", { bytes: Bytes.bytes(300) }, ({ bytes }) =>
    Effect.sync(() => {
      decode(bytes)
      const header = ReturnPath.decodeHeader(bytes)
      if (Result.isSuccess(header)) assert.isAtMost(header.success.length, ReturnPath.MAX_BODY_LENGTH)
    })
  )
})
