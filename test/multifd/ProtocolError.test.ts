import { assert, it } from "@effect/vitest"
import * as Runtime from "effect/Runtime"
import * as Finding from "../../src/format/Finding.ts"
import * as ProtocolError from "../../src/multifd/ProtocolError.ts"

const finding = Finding.make({ code: "number-too-large", offset: 20, expected: "less", found: "more" })
const text = "a number is larger than any file: expected less, found more (at byte 20)"

it("ProtocolError says who, where and what", () => {
  const messageOf = (place: ProtocolError.Place) => ProtocolError.fromFinding("unix:/run/x", place, finding).message
  assert.strictEqual(messageOf(3), `unix:/run/x (channel 3): ${text}`)
  assert.strictEqual(messageOf("main"), `unix:/run/x (main channel): ${text}`)
  assert.strictEqual(messageOf(undefined), `unix:/run/x: ${text}`)
})

it("ProtocolError counts further findings", () => {
  const error = new ProtocolError.ProtocolError({ peer: "unix:/run/x", channel: 0, findings: [finding, finding] })
  assert.strictEqual(error.message, `unix:/run/x (channel 0): ${text} (and 1 more)`)
  assert.strictEqual(error[Runtime.errorExitCode], 8)
})
