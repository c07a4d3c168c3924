import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import { message, named, u16, u32, u64, u8 } from "../../support/wire/records.ts"

const { concat } = Bytes

const decode = (bytes: Uint8Array) =>
  Result.flatMap(ReturnPath.decodeHeader(bytes), (header) =>
    ReturnPath.decodeBody(header, bytes.subarray(ReturnPath.HEADER_LENGTH))
  )

const codeOf = (bytes: Uint8Array) => {
  const result = decode(bytes)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

describe("a message on the return path", () => {
  const asked = { offset: 0x1000, length: 0x2000 }
  const page = concat(u64(asked.offset), u32(asked.length))
  const messages: ReadonlyArray<readonly [string, Uint8Array, ReturnPath.Message]> = [
    ["SHUT 0, which a real source completes with", message(1, u32(0)), { _tag: "Shut", value: 0 }],
    ["SHUT 1", message(1, u32(1)), { _tag: "Shut", value: 1 }],
    ["PONG 1", message(2, u32(1)), { _tag: "Pong", value: 1 }],
    [
      "a request for pages of a block",
      message(3, page, named("m")),
      { _tag: "RequestPagesOfBlock", idstr: "m", ...asked }
    ],
    ["a request for more pages", message(4, page), { _tag: "RequestPages", ...asked }],
    ["the bitmap of a block", message(5, named("m")), { _tag: "ReceivedBitmap", idstr: "m" }],
    ["RESUME_ACK", message(6, u32(1)), { _tag: "ResumeAck", value: 1 }],
    ["SWITCHOVER_ACK", message(7), { _tag: "SwitchoverAck" }]
  ]
  for (const [title, bytes, decoded] of messages) {
    it(`is written: ${title}`, () => assert.deepStrictEqual(ReturnPath.encode(decoded), bytes))
    it(`is read: ${title}`, () => assert.deepStrictEqual(decode(bytes), Result.succeed(decoded)))
    it(`is cut at every length: ${title}`, () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.strictEqual(codeOf(bytes.subarray(0, length)), "stream-cut")
      }
    })
  }

  const refusals: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["of type 0, which no QEMU knows", message(0), "return-path-message-unknown"],
    ["of a type behind the last one", message(8), "return-path-message-unknown"],
    ["that is too short", concat(u16(1), u16(3)), "return-path-length-wrong"],
    ["that is as long as can be, of a type without a body", concat(u16(7), u16(0xffff)), "return-path-length-wrong"],
    ["that is too short for a name", concat(u16(3), u16(13)), "return-path-length-wrong"],
    ["with a name that is longer than it says", message(3, page, named("m"), u8(0x6d)), "return-path-length-wrong"],
    ["with a name that is shorter than it says", message(3, page, u8(2), u8(0x6d)), "return-path-length-wrong"],
    ["with a name that is no text", message(5, named(u8(0xff))), "name-invalid"],
    ["with an offset beyond 2^53", message(4, u64(2n ** 64n - 1n), u32(4096)), "number-too-large"]
  ]
  for (const [title, bytes, code] of refusals) {
    it(`is refused ${title}`, () => assert.strictEqual(codeOf(bytes), code))
  }

  it("is refused with the place and the length that was expected", () => {
    const result = ReturnPath.decodeHeader(concat(u16(3), u16(0x10d)), 8)
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.offset, 10)
    assert.strictEqual(result.failure.expected, "14 to 268 bytes after message 3")
  })

  const value = between(0, 2 ** 32 - 1)

  it.effect.prop(
    "comes back",
    { value, length: value, offset: between(0, Number.MAX_SAFE_INTEGER), idstr: RamArbitraries.idstr },
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
        for (const each of messages) {
          assert.deepStrictEqual(decode(ReturnPath.encode(each)), Result.succeed(each))
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
