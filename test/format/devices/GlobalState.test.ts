import { assert, describe, it } from "@effect/vitest"
import * as GlobalState from "../../../src/format/devices/GlobalState.ts"

const data = (name: string, length = name.length + 1): Uint8Array => {
  const bytes = new Uint8Array(104)
  new DataView(bytes.buffer).setUint32(0, length)
  bytes.set(new TextEncoder().encode(name), 4)
  return bytes
}

const section = (name: string, bytes: Uint8Array) => ({ name, instanceId: 0, version: 1, sectionId: 7, data: bytes })

describe("GlobalState", () => {
  for (const name of ["running", "paused", "shutdown", "guest-panicked", "x".repeat(100)]) {
    it(`${name.slice(0, 20)} is read, wherever its bytes lie in memory`, () => {
      assert.strictEqual(GlobalState.decode(data(name)), name)
      const inside = new Uint8Array(200)
      inside.set(data(name), 50)
      assert.strictEqual(GlobalState.decode(inside.subarray(50, 154)), name)
    })
  }

  it("the length ends the name, and so do the zeros behind it", () => {
    assert.strictEqual(GlobalState.decode(data("running", 3)), "run")
    assert.strictEqual(GlobalState.decode(data("running", 0xffff_ffff)), "running")
  })

  for (const [why, bytes] of [
    ["no bytes", new Uint8Array(0)],
    ["no name", data("")],
    ["a name of no letters", data("\u001b[2J")],
    ["a length and nothing behind it", data("running").subarray(0, 4)],
    ["half a length", data("running").subarray(0, 3)]
  ] as const) {
    it(`${why}: none`, () => assert.isUndefined(GlobalState.decode(bytes)))
  }

  it("is found among the sections of a machine", () => {
    const sections = [section("timer", data("no")), section("globalstate", data("paused"))]
    assert.strictEqual(GlobalState.find(sections), "paused")
    assert.isUndefined(GlobalState.find(sections.slice(0, 1)))
  })
})
