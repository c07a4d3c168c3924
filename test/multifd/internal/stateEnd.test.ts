import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import * as Description from "../../../src/format/devices/Description.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import { StateEnd } from "../../../src/multifd/internal/stateEnd.ts"
import { allocated } from "../../support/bytes.ts"
import { between } from "../../support/arbitraries.ts"

const text = Buffer.from(Description.describe([]))

const described = (json: Uint8Array) =>
  Buffer.concat([Uint8Array.of(0), MigrationStream.encodeDescriptionHeader(json.length), json])

const bytes = Arbitrary.array(Arbitrary.schema(Schema.Literals([0, 6, 0x7b, 0x22, 1, 5])), { maxLength: 40 })
const cuts = Arbitrary.array(between(1, 30), {
  maxLength: 60
})

/** Hands over bytes in pieces of these lengths, each in memory that is used again, and says after which byte it was complete. */
const pushAll = (stream: Uint8Array, lengths: ReadonlyArray<number>): ReadonlyArray<number> => {
  const end = new StateEnd()
  const complete: Array<number> = []
  const memory = new Uint8Array(stream.length)
  let at = 0
  for (const length of [...lengths, stream.length]) {
    const piece = memory.subarray(0, Math.min(length, stream.length - at))
    piece.set(stream.subarray(at, at + piece.length))
    at += piece.length
    if (piece.length > 0) end.push(piece)
    if (piece.length > 0 && end.isComplete) complete.push(at)
    memory.fill(0)
  }
  return complete
}

describe("StateEnd", () => {
  it.effect.prop("sees the end of a stream however it is cut, and none before", { bytes, cuts }, ({ bytes, cuts }) =>
    Effect.sync(() => {
      const stream = Buffer.concat([Buffer.from(bytes), described(text)])
      assert.deepStrictEqual(pushAll(stream, cuts), [stream.length])
    })
  )

  it.effect.prop("one byte after the other", { bytes }, ({ bytes }) =>
    Effect.sync(() => {
      const stream = Buffer.concat([Buffer.from(bytes), described(text)])
      assert.deepStrictEqual(
        pushAll(
          stream,
          Array.from(stream, () => 1)
        ),
        [stream.length]
      )
    })
  )

  it("what only looks like a description does not end anything", () => {
    const lookalike = described(Buffer.from(`{"devices": 1}`))
    assert.deepStrictEqual(pushAll(Buffer.concat([lookalike, described(text)]), [lookalike.length]), [
      lookalike.length + described(text).length
    ])
  })

  it("a description that more follows is not the end", () => {
    const stream = Buffer.concat([described(text), described(text)])
    assert.deepStrictEqual(pushAll(stream, [text.length + 8]), [stream.length])
    assert.deepStrictEqual(pushAll(Buffer.concat([described(text), Buffer.alloc(1)]), []), [])
  })

  it("a text with a zero byte in it is none, and one may begin right there", () => {
    const head = described(Buffer.concat([Buffer.from("{"), Buffer.alloc(4000, 0x20)])).subarray(0, 20)
    const stream = Buffer.concat([head, described(text)])
    assert.deepStrictEqual(pushAll(stream, [20, 1, 1]), [stream.length])
  })

  it("a text that is longer than any is not waited for", () => {
    const endless = Buffer.from([0, 6, 0xff, 0xff, 0xff, 0xff, 0x7b, 0x22])
    const stream = Buffer.concat([endless, described(text)])
    assert.deepStrictEqual(pushAll(stream, [3]), [stream.length])
  })

  it("takes time that is proportional to the bytes, however many beginnings there are", () => {
    const beginnings = Buffer.alloc(4 * 1024 * 1024, Buffer.from([0, 6, 0, 0, 0, 99, 0x7b]))
    const end = new StateEnd()
    const before = process.cpuUsage()
    end.push(beginnings)
    assert.isBelow(process.cpuUsage(before).user, 5_000_000)
    assert.isFalse(end.isComplete)
  })

  it("keeps no more than what has arrived, however small the pieces", () => {
    const stream = described(Buffer.concat([Buffer.from("{"), Buffer.alloc(512 * 1024, 0x20)]))
    const end = new StateEnd()
    const before = allocated()
    for (let at = 0; at < stream.length; at++) end.push(stream.subarray(at, at + 1))
    assert.isBelow(allocated() - before, 64 * 1024 * 1024)
  })
})
