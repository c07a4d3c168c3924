import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Message from "../../../src/qemu/internal/message.ts"

const decode = (text: string) => Message.decode(new TextEncoder().encode(text))
const decoded = (text: string) => Result.getOrThrow(decode(text))

/** What QEMU 10.0.2 said. */
const said = {
  greeting:
    '{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian 1:10.0.2+ds-2+deb13u1~bpo12+1"}, "capabilities": ["oob"]}}',
  status: '{"return": {"status": "prelaunch", "running": false}, "id": 3}',
  refusal: '{"id": 2, "error": {"class": "GenericError", "desc": "Migration not in expected state: none"}}',
  unreadable: '{"error": {"class": "GenericError", "desc": "JSON parse error, expecting value"}}',
  stop: '{"timestamp": {"seconds": 1795272036, "microseconds": 642827}, "event": "STOP"}',
  migration:
    '{"timestamp": {"seconds": 1795272036, "microseconds": 7}, "event": "MIGRATION", "data": {"status": "active"}}'
}

describe("message", () => {
  it("knows what QEMU says", () => {
    assert.deepStrictEqual(decoded(said.greeting), JSON.parse(said.greeting))
    assert.deepStrictEqual(decoded(said.status), { return: { status: "prelaunch", running: false }, id: 3 })
    assert.deepStrictEqual(decoded(said.refusal), {
      error: { class: "GenericError", desc: "Migration not in expected state: none" },
      id: 2
    })
    assert.notProperty(decoded(said.unreadable), "id")
    assert.deepInclude(decoded(said.stop), { event: "STOP" })
    assert.deepInclude(decoded(said.migration), { event: "MIGRATION", data: { status: "active" } })
  })

  it("knows what is needed of it in whatever form the rest comes", () => {
    assert.deepStrictEqual(decoded('{"event": "STOP"}'), { event: "STOP" })
    const late =
      '{"event": "STOP", "timestamp": {"seconds": 9223372036854775807, "microseconds": -1, "zone": 0}, "data": 1}'
    assert.deepStrictEqual(decoded(late), { event: "STOP", timestamp: { seconds: 2 ** 63, microseconds: -1 } })
    const qemu = { major: 12, minor: 0, micro: 0 }
    assert.deepStrictEqual(
      decoded('{"QMP": {"version": {"qemu": {"major": 12, "minor": 0, "micro": 0}, "commit": "a"}}}'),
      {
        QMP: { version: { qemu } }
      }
    )
  })

  it("an answer may be anything, but not missing", () => {
    assert.deepStrictEqual(decoded('{"return": null, "id": 1}'), { return: null, id: 1 })
    assert.isTrue(Result.isFailure(decode('{"id": 1}')))
  })

  for (const text of [
    '{"return": {}}',
    '{"return": {}, "id": "1"}',
    '{"event": 5, "timestamp": {}}',
    '{"error": "no", "id": 1}',
    '{"QMP": {"version": "10"}}',
    '{"foo": 1}',
    "{]",
    '{"a": }'
  ]) {
    it(`${text} is no message`, () => {
      const result = decode(text)
      assert(Result.isFailure(result))
      assert.include(result.failure.found, JSON.stringify(text))
    })
  }

  it("shows no more of a message than it takes to recognise it", () => {
    const result = decode(`{"secret": "${"x".repeat(1000)}"}`)
    assert(Result.isFailure(result))
    assert.isBelow(result.failure.found.length, 120)
  })

  const Bytes = Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))))
  it.prop("any bytes: a message or a problem", { bytes: Bytes }, ({ bytes }) => {
    assert.doesNotThrow(() => Message.decode(Uint8Array.from(bytes)))
  })
})
